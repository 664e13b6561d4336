"""Refusals: what a user is told, in one line, when an input cannot be used.

Each class is one exit code of the command line (0 is success, 1 a bug, 130 an interruption)."""

# How the operating system, DuckDB and the libraries that only pass it on as text say that a disk is full.
FULL = ("No space left", "Out of disk", "Disk quota exceeded")
# Characters of each part of the line: what is quoted from a hostile file may be of any length.
LONGEST = 2000


class Refusal(Exception):
    """An input that cannot be used: what is wrong, where, and what to do about it."""

    exit_code = 1

    def __init__(self, what: str, where: str, fix: str) -> None:
        # A name may hold line ends, or codes that a terminal obeys: what is told stays one line of plain text.
        what, where, fix = (_one_line(text) for text in (what, where, fix))
        super().__init__(f"error: {what} ({where}); fix: {fix}")
        self.what, self.where, self.fix = what, where, fix

    def __reduce__(self) -> tuple[type["Refusal"], tuple[str, ...]]:
        # Workers hand refusals on to the process that tells the user.
        return type(self), (self.what, self.where, self.fix)


def _one_line(text: str) -> str:
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


class UsageRefusal(Refusal):
    """An option or a run file that cannot be followed."""

    exit_code = 2


class ModelRefusal(Refusal):
    """A checkpoint that is missing, unsafe, incomplete or not a causal language model."""

    exit_code = 3


class CorpusRefusal(Refusal):
    """A text that is missing, unreadable or too short."""

    exit_code = 4


class EnvironmentRefusal(Refusal):
    """Something outside the inputs, such as a full disk or a lock: the same command may succeed later."""

    exit_code = 5


class NumericRefusal(Refusal):
    """A value that is not finite, or a kernel that disagrees with its reference."""

    exit_code = 6


class NotFinite(NumericRefusal):
    """A sum of `measure` that holds NaN or infinity."""

    def __init__(self, measure: str, where: str) -> None:
        super().__init__(f"{measure} is not finite", where, "check the weights for NaN and infinity, or use --dtype float32")
        self.measure = measure

    def __reduce__(self) -> tuple[type["Refusal"], tuple[str, ...]]:
        return NotFinite, (self.measure, self.where)


class DatabaseRefusal(Refusal):
    """A database that cannot be read, or that holds something else."""

    exit_code = 7


def disk_full(error: BaseException) -> EnvironmentRefusal | None:
    """The refusal that an error of a full disk, raised by whatever library, means to a user; None for any other error."""
    if not any(said in str(error) for said in FULL):
        return None
    where = error.filename if isinstance(error, OSError) and error.filename else "disk"
    fix = "free some space (output, cache and temporary folder), and run the same command again; nothing committed is lost"
    return EnvironmentRefusal("the disk is full", str(where), fix)
