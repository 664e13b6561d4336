"""A process that has imported everything, and forks for each command: a case costs tenths of a second where a fresh process costs seven.

One JSON object per line on stdin – module, argv, cwd, stdout, stderr, env, seconds, and the limits memory, file_bytes and stop, or none –
and one per line on stdout: the exit code (negative: the signal that ended it) and the seconds it took. The child is a real process with
its own descriptors, folder and environment; only the imports are shared."""

import importlib
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from time import monotonic, sleep
from typing import Any

# Nothing here may start a thread or open a database: a fork would inherit a lock that nobody holds.
WARM = (
    "torch",
    "transformers.models.gpt2.modeling_gpt2",
    "transformers.models.llama.modeling_llama",
    "pyarrow.parquet",
    "extract.__main__",
    "extract.run",
    "extract.passes",
    "extract.self_test",
    "extract.imports",
    "extract.worked_token",
    "extract.repeated",
    "extract.calibration.calibrate",
    "report.__main__",
    "report.build",
    "report.comparisons.diff",
    "workplace",
)


def run(module: str, argv: list[str]) -> int:
    """What `python -m module argv` does, in this process; gives its exit code."""
    sys.argv = [f"{module}/__main__.py", *argv]
    try:
        if module == "workplace":
            importlib.import_module(module).main(*argv)
            return 0
        return importlib.import_module(f"{module}.__main__").main() or 0
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1


def limit(asked: dict[str, Any]) -> None:
    """Memory beyond what the process has already, size of files, and the time after which it is asked to stop."""
    if asked["memory"]:
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + asked["memory"],) * 2)
    if asked["file_bytes"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_bytes"],) * 2)
    if asked["stop"] and os.fork() == 0:
        sleep(asked["stop"])
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(0)


def become(asked: dict[str, Any]) -> None:
    """Be the child that was asked for: does not return."""
    for number, path in ((0, os.devnull), (1, asked["stdout"]), (2, asked["stderr"])):
        handle = os.open(str(path), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, number)
        os.close(handle)
    os.chdir(str(asked["cwd"]))
    os.environ.update(asked["env"])
    signal.alarm(int(asked["seconds"]))
    limit(asked)
    code = run(str(asked["module"]), asked["argv"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main() -> None:
    """Import, say so, and serve until stdin ends."""
    for name in WARM:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        began, child = monotonic(), os.fork()
        if child == 0:
            become(json.loads(line))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"code": code, "seconds": monotonic() - began}), file=answers, flush=True)


if __name__ == "__main__":
    main()
