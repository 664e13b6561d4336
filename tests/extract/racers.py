"""Processes that write to one storage at once: `python racers.py PLACE PROCESSES NAMES [no-links]`; a line of JSON per process with the
names that it created. With no-links the kernel refuses hard links to all of them, as file systems without any do; null where it cannot."""

import ctypes
import errno
import importlib
import json
import multiprocessing
import platform
import struct
import sys
from collections.abc import Callable

# Numbers of the system calls that make a hard link.
_LINKS = {"x86_64": (86, 265), "aarch64": (37,)}
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOWED, _ERRNO = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2

_LOADED = {"s3": ("s3fs", "aiobotocore.session"), "gs": ("gcsfs",)}


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))


def refuse_links(number: int = errno.EPERM) -> bool:
    """Have the kernel refuse hard links to this process and its children; gives whether it can."""
    calls = _LINKS.get(platform.machine(), ())
    steps = [(_LOAD, 0, 0, 0)]
    for left, call in zip(range(len(calls), 0, -1), calls, strict=True):
        # Over the calls that follow, and over what allows.
        steps.append((_EQUAL, left, 0, call))
    steps += [(_RETURN, 0, 0, _ALLOWED), (_RETURN, 0, 0, _ERRNO | number)]
    program = _Program(len(steps), b"".join(struct.pack("HBBI", *step) for step in steps))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    return bool(calls) and not prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) and not prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0)


def _race(place: str, number: int, names: int, linked: bool, together: Callable[[], object], told: multiprocessing.SimpleQueue) -> None:
    from extract.cluster.storage import storage

    # Not before they part: what keeps them together is made with a hard link.
    if not linked and not refuse_links():
        told.put((number, None))
        return
    files, created = storage(place), []
    for name in range(names):
        together()
        if files.create(f"{name}", f"{number} {name}".encode() * 1000):
            created.append(name)
    told.put((number, created))


def main(place: str, processes: str, names: str, *flags: str) -> None:
    """Start them, and tell what each created."""
    # Before they part: each would load it again.
    for module in ("extract.cluster.storage", *_LOADED.get(place.partition(":")[0], ())):
        importlib.import_module(module)
    context = multiprocessing.get_context("fork")
    together, told = context.Barrier(int(processes), timeout=10).wait, context.SimpleQueue()
    racers = [
        context.Process(target=_race, args=(place, number, int(names), not flags, together, told)) for number in range(int(processes))
    ]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    if any(racer.exitcode for racer in racers):
        sys.exit("not all came to the end")
    for _ in racers:
        print(json.dumps(told.get()))


if __name__ == "__main__":
    main(*sys.argv[1:])
