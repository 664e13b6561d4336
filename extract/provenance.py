"""What else changes numbers, as hashes: the code that measures, and the files of a checkpoint that are no weights.

Both are over bytes: a comment that is edited changes the code's hash too, which costs a run that is half done, and never a wrong number."""

from hashlib import sha256
from pathlib import Path

from extract import fingerprint

# The packages beside the top level that take part in a run; a calibration adds its own.
MEASURING = ("families", "measures")
CALIBRATING = (*MEASURING, "calibration")
# Read by transformers beside the weights: the architecture's numbers, and what cuts a text into tokens.
_SETTINGS = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
)


def code(packages: tuple[str, ...], root: Path = Path(__file__).parent) -> str:
    """The beginning of a SHA-256 over the names and bytes of the Python files at the top level of extract/ and in these packages of it."""
    files = [file for folder in (root, *(root / name for name in packages)) for file in sorted(folder.glob("*.py"))]
    whole = sha256()
    for file in files:
        whole.update(file.relative_to(root).as_posix().encode() + b"\0" + sha256(file.read_bytes()).digest())
    # It stands on a page, among the versions: enough to tell two states of the code apart.
    return whole.hexdigest()[:16]


def settings(folder: Path) -> str:
    """SHA-256 over the names and bytes of a checkpoint's configuration and tokenizer files."""
    whole = sha256()
    for file in (folder / name for name in _SETTINGS if (folder / name).exists()):
        # Small enough to be read each time: a disk that loses a bit changes no date.
        whole.update(file.name.encode() + b"\0" + fingerprint.of_files([file], afresh=True).encode())
    return whole.hexdigest()
