"""SHA256SUMS: the checksum of every file of a site but its own, in the form that `sha256sum -c` reads."""

import hashlib
from pathlib import Path

NAME = "SHA256SUMS"


def write(site: Path) -> None:
    """Write the checksums of a finished site, in order of the files' names."""
    files = sorted(path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file())
    lines = [f"{digest(site / name)}  {name}" for name in files if name != NAME]
    (site / NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")


def digest(path: Path) -> str:
    """SHA-256 of a file of any size."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
