"""Refusals: what a user is told, in one line, when an input cannot be used.

Each class is one exit code of the command line (0 is success, 1 a bug, 130 an interruption)."""

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


class DatabaseRefusal(Refusal):
    """A database that cannot be read, or that holds something else."""

    exit_code = 7
