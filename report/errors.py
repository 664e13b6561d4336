"""Refusals: what a user is told, in one line, when an input cannot be used.

Exit codes: 2 usage, 5 environment, 7 database; `check` ends with 1 when it finds a difference."""

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


def _one_line(text: str) -> str:
    shown = text if text.isprintable() else "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"


class UsageRefusal(Refusal):
    """An option or a figure file that cannot be followed."""

    exit_code = 2


class EnvironmentRefusal(Refusal):
    """Something outside the inputs, such as an unwritable folder: the same command may succeed later."""

    exit_code = 5


class DatabaseRefusal(Refusal):
    """A database that cannot be read, that is unfinished, or that holds something else."""

    exit_code = 7


def disk_full(error: BaseException) -> EnvironmentRefusal | None:
    """The refusal that an error of a full disk, raised by whatever library, means to a user; None for any other error."""
    if not any(said in str(error) for said in ("No space left", "Out of disk", "Disk quota exceeded")):
        return None
    where = error.filename if isinstance(error, OSError) and error.filename else "disk"
    fix = "free some space where --out, --publish and the temporary folder lie, and run the same command again"
    return EnvironmentRefusal("the disk is full; the last good site stands", str(where), fix)
