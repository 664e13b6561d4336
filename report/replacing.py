"""Puts a finished site and its published file in the place of the old ones, and keeps two builds of one site apart.

A build works in one folder beside the site, `SITE.tmp-build`, which it locks. Whatever a killed build left there, the next one clears away.
The site is exchanged in one step where the file system can, so that there is never a moment without one."""

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from report.errors import EnvironmentRefusal

LOCK = "lock"
# Of Linux's renameat2, whose first and third arguments say that paths are as they are anywhere else.
_EXCHANGE, _HERE = 2, -100


@contextlib.contextmanager
def workplace(site: Path) -> Iterator[Path]:
    """An empty folder beside the site, on the same file system, locked while it is used and gone at the end whatever happens.

    Raises:
        EnvironmentRefusal: another process builds the same site.
    """
    folder = site.with_name(f"{site.name}.tmp-build")
    with _locked(folder, site):
        _recover(folder, site)
        try:
            _clear(folder)
            _remove_leftovers(folder, site)
            yield folder
        finally:
            # A signal that comes now would leave half of it.
            with held():
                _clear(folder)
                (folder / LOCK).unlink(missing_ok=True)
                # Another build may have taken it over by now.
                with contextlib.suppress(OSError):
                    folder.rmdir()


@contextlib.contextmanager
def _locked(folder: Path, site: Path) -> Iterator[None]:
    while True:
        folder.mkdir(exist_ok=True)
        try:
            handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            # Whoever had it removed it just now.
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same(handle, folder / LOCK):
                yield
                return
        except BlockingIOError as error:
            raise EnvironmentRefusal(
                "another process is building this site", site.name, "wait for it, then run the same command again"
            ) from error
        finally:
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


def _remove_leftovers(folder: Path, site: Path) -> None:
    """Remove what builds of earlier versions left when they were killed; they named their folders by their process."""
    for kind in ("tmp", "old"):
        for path in site.parent.glob(f"{site.name}.{kind}-*"):
            if path != folder:
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
    with held():
        _put_file(database, published)
        _put_folder(fresh, site)


def _put_file(file: Path, target: Path) -> None:
    try:
        file.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        near = target.with_name(f"{target.name}.tmp-{os.getpid()}")
        try:
            with file.open("rb") as source, near.open("wb") as copy:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
            near.replace(target)
        finally:
            near.unlink(missing_ok=True)


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
    """Inside, Ctrl-C and SIGTERM wait until the end; outside of the main thread, which alone is interrupted, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt
