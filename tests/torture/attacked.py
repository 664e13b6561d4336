"""A process that is handed hostile checkpoints: `python attacked.py JOB.json` measures each and prints, one JSON object per line, how it
ended and what Python's audit events saw it do: sockets, programs, unpickling, and files opened for writing outside the folders allowed."""

import contextlib
import io
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

MEMORY = 8 * 2**30
# Seconds for one checkpoint; the alarm ends the process.
PATIENCE = 120
WATCHED = (
    "socket.connect",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pickle.find_class",
)


def watch(seen: list[str], allowed: tuple[str, ...]) -> None:
    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED:
            seen.append(f"{event} {arguments[:2]!r}")
        elif event == "open":
            path, mode, flags = arguments
            writes = bool(isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)) or any(m in str(mode) for m in "wax+")
            if writes and isinstance(path, str | bytes) and not os.fsdecode(path).startswith((*allowed, "/dev/")):
                seen.append(f"opened {os.fsdecode(path)}")
        elif event == "import" and str(arguments[0]).rpartition(".")[2] in ("evil", "modeling_evil", "tokenization_evil", "generate"):
            seen.append(f"import {arguments[0]}")

    sys.addaudithook(hook)


def main() -> None:
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    import torch  # noqa: F401
    import transformers  # noqa: F401

    from extract.__main__ import main as extract

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    seen: list[str] = []
    for number, arguments in enumerate(job["commands"]):
        if number == 1:
            # The first one is sound, so that all that is imported late is there.
            watch(seen, tuple(job["allowed"]))
        seen.clear()
        began, told = time.monotonic(), io.StringIO()
        signal.alarm(PATIENCE)
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(told):
            code = extract(arguments)
        signal.alarm(0)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(
            json.dumps({"code": code, "told": told.getvalue(), "seen": seen, "seconds": time.monotonic() - began, "MiB": peak}), flush=True
        )


if __name__ == "__main__":
    main()
