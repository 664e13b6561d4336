"""Puts a finished site and its published file in the place of the old ones, and keeps two builds of one site apart.

A build works in one folder beside the site, `SITE.tmp-build`, which it locks. Whatever a killed build left there, the next one clears away.
Nothing else beside the site is touched, for it may be a copy that somebody keeps, but for what builds of earlier versions left.
The site is exchanged in one step where the file system can, so that there is never a moment without one."""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from report import unfinished
from report.errors import EnvironmentRefusal

LOCK = "lock"
# Of Linux's renameat2, whose first and third arguments say that paths are as they are anywhere else.
_EXCHANGE, _HERE = 2, -100


@contextlib.contextmanager
def workplace(site: Path) -> Iterator[Path]:
    """An empty folder beside the site, on the same file system, locked while it is used and gone at the end whatever happens.

    Raises:
        EnvironmentRefusal: another process builds the same site, or the folder cannot be locked.
    """
    folder = site.with_name(f"{site.name}.tmp-build")
    with _locked(folder, site):
        _recover(folder, site)
        try:
            _clear(folder)
            _remove_leftovers(site)
            yield folder
        finally:
            # A signal that comes now would leave half of it.
            with held():
                # One that was moved away for a site that then could not take its place.
                _recover(folder, site)
                _clear(folder)
                (folder / LOCK).unlink(missing_ok=True)
                # Another build may have taken it over by now.
                with contextlib.suppress(OSError):
                    folder.rmdir()


@contextlib.contextmanager
def _locked(folder: Path, site: Path) -> Iterator[None]:
    try:
        handle = _lock(folder)
    except BlockingIOError as error:
        fix = "wait for it, then run the same command again"
        raise EnvironmentRefusal("another process is building this site", site.name, fix) from error
    except OSError as error:
        fix = "remove it, or choose another --out: some network file systems know no locks"
        raise EnvironmentRefusal(f"cannot be locked: {error.strerror}", folder.name, fix) from error
    try:
        yield
    finally:
        os.close(handle)


def _lock(folder: Path) -> int:
    """Make the folder, and lock it until the handle that is given back is closed. Raises BlockingIOError where another process has it."""
    while True:
        folder.mkdir(exist_ok=True)
        # Whoever had the folder may remove it, or the lock in it, between any two steps.
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same(handle, folder / LOCK):
                    return handle
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)


def _same(handle: int, path: Path) -> bool:
    """Whether a file that was opened still stands under its path."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _recover(folder: Path, site: Path) -> None:
    """Put back a site that a build, killed while it replaced it, had moved away."""
    old = folder / "old"
    if old.is_dir() and not site.exists():
        old.rename(site)


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != LOCK:
            _remove(path)


def _remove_leftovers(site: Path) -> None:
    """Remove what builds of earlier versions left when they were killed; they named their folders by their process.

    But not `SITE.old-` and a number, which is a whole site."""
    for path in site.parent.iterdir():
        if re.fullmatch(rf"{re.escape(site.name)}\.tmp-\d+", path.name):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def put_in_place(database: Path, published: Path, fresh: Path, site: Path) -> None:
    """Put the published file and then the site in place of the old ones; a signal waits until both stand.

    A process killed between the two leaves a whole file and a whole site, with its own download, that do not belong together: `report
    check` says so, and the next build mends it."""
    _settle(fresh)
    with held():
        _put_file(database, published)
        _put_folder(fresh, site)
        for folder in {published.parent, site.parent}:
            _sync(folder)


def _settle(fresh: Path) -> None:
    """Wait until a whole site is on the disk, contents before the folders that name them: the old one is removed right after the exchange,
    and a power cut must not find the names of the new one without their bytes. Raises OSError where the disk could not take a file."""
    for folder, _, names in os.walk(fresh, topdown=False):
        for name in names:
            with Path(folder, name).open("rb") as file:
                os.fsync(file.fileno())
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    """Wait until the entries of a folder are on the disk, where its file system can be asked to."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _put_file(file: Path, target: Path) -> None:
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with unfinished.beside(target) as folder:
            near = folder / target.name
            with file.open("rb") as source, near.open("wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            near.replace(target)


def _put_folder(fresh: Path, site: Path) -> None:
    if not site.exists():
        fresh.rename(site)
    elif not _exchanged(fresh, site):
        site.rename(fresh.with_name("old"))
        fresh.rename(site)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two folders in one step. False where the system or the file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return rename is not None and rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Inside, Ctrl-C and SIGTERM wait until the end; one that is ignored stays so. Outside of the main thread, which alone is interrupted,
    nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        # To whoever would have heard of it: the program lets no later signal tear what it removes now.
        signal.raise_signal(asked[0])
