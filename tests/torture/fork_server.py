"""A process that has loaded torch and transformers and then forks one child per trial, so that a trial does not load them again.

    python fork_server.py      one JSON request per line on stdin; answers on stdout: {"pid"}, then {"status"} when the child has ended

A request: `program`, extract, report, convert (toy_conversion.py) or checkpoint (toy_checkpoint.py: a folder and a tokenizer); `command`,
its arguments; `log` and `errors`, files that the child's stdout and stderr are appended to; `publish_every` in s; `list_steps`; `learn`:
the server loads what this child had to load; `settings` of a checkpoint's configuration; `least`, seconds after which a shard may be
given to a second worker; and, to be killed on purpose, `at`, the number of the step it dies at, and `when`: before it,
after it, or so many seconds into it. The child is the real program. Its steps – statements to the database, syncs, renames, removals – are
counted, and what it has committed or published is appended to the log in one write each, which no kill can take back."""

import contextlib
import importlib
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any


class Steps:
    """Counts the steps of the process, and kills it at the one that is asked for."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.at, self.when, self.count = request.get("at"), request.get("when"), 0
        self.listed = request.get("list_steps", False)

    def around(self, what: str, do: Any, *arguments: Any, **options: Any) -> Any:
        """Do one step."""
        self.count += 1
        if self.listed:
            say(f"step {what}")
        if self.count == self.at:
            if self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.when != "after":
                threading.Thread(target=_die_in, args=[float(str(self.when))], daemon=True).start()
        result = do(*arguments, **options)
        if self.count == self.at and self.when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result


def _die_in(seconds: float) -> None:
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def say(line: str) -> None:
    """One line to the log, in one write."""
    os.write(1, (line + "\n").encode())


class Watched:
    """A connection to a database whose statements are steps."""

    def __init__(self, connection: Any, steps: Steps) -> None:
        self._connection, self._steps = connection, steps

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()

    def execute(self, query: str, *rest: Any) -> Any:
        """One statement: a step, unless it only asks."""
        # The schema opens with comments.
        words = re.sub(r"^--.*$", "", query, flags=re.MULTILINE).split()
        if words[0] in ("select", "from", "use", "with"):
            return self._connection.execute(query, *rest)
        return self._steps.around(" ".join(words[:2]), self._connection.execute, query, *rest)


def _watch(steps: Steps) -> None:
    """Every statement, sync, rename and removal from here on is a step."""
    import duckdb

    connect, replace, rename, unlink, fsync, rmtree = duckdb.connect, Path.replace, Path.rename, Path.unlink, os.fsync, shutil.rmtree
    duckdb.connect = lambda *given, **options: Watched(connect(*given, **options), steps)
    Path.replace = lambda self, target: steps.around("replace", replace, self, target)  # type: ignore[method-assign]
    Path.rename = lambda self, target: steps.around("rename", rename, self, target)  # type: ignore[method-assign]
    Path.unlink = lambda self, missing_ok=False: steps.around("unlink", unlink, self, missing_ok)  # type: ignore[method-assign]
    os.fsync = lambda handle: steps.around("fsync", fsync, handle)
    shutil.rmtree = lambda *given, **options: steps.around("rmtree", rmtree, *given, **options)  # type: ignore[assignment]


def _tell_of_commits(publish_every: float) -> None:
    """The child says what it has committed once it is, and what it has published."""
    import extract.run
    from extract.store import Store

    add, publish = Store.add, Store.publish

    def told_add(self: Store, rows: Any) -> None:
        add(self, rows)
        for table, key in (("shard", "shard"), ("intervention_window", "window")):
            numbers = sorted(set(rows[table].column(key).to_pylist())) if table in rows else []
            for number in numbers:
                say(f"committed {table} {number}")
        if "published_count" in rows:
            say("committed published_count 0")

    def told_publish(self: Store, every: float = 0.0) -> None:
        before = self.out.stat().st_ino if self.out.exists() else None
        publish(self, every)
        if self.out.exists() and self.out.stat().st_ino != before:
            say(f"published {sum(int(str(row['n'])) for row in self.rows('select count(*) as n from shard'))}")

    Store.add, Store.publish = told_add, told_publish  # type: ignore[method-assign]
    extract.run.PUBLISH_EVERY = publish_every


def _child(request: dict[str, Any]) -> None:
    """Become the program."""
    for name, number in (("log", 1), ("errors", 2)):
        handle = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    os.environ.update(request.get("environment", {}))
    steps = Steps(request)
    _watch(steps)
    sys.argv = [f"python -m {request['program']}", *request["command"]]
    if request["program"] == "extract":
        _tell_of_commits(request.get("publish_every", 60.0))
        if "least" in request:
            import extract.cluster.driver

            extract.cluster.driver.LEAST = request["least"]
        from extract.__main__ import program

        say("begun")
        program()
    elif request["program"] == "convert":
        import toy_conversion

        sys.exit(toy_conversion.convert(Path(request["command"][0])))
    elif request["program"] == "checkpoint":
        import toy_checkpoint

        toy_checkpoint.save_checkpoint(*map(Path, request["command"]), **request.get("settings", {}))
    else:
        from report.__main__ import main

        say("begun")
        main()


def _learn(modules: Path) -> None:
    """Load what a child had to load, so that the next one need not. Leaves out what only a program's own start makes."""
    for name in modules.read_text(encoding="utf-8").splitlines():
        if name not in sys.modules and name.partition(".")[0] != "__main__":
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def serve() -> None:
    """Load everything, then fork a child per request; of what builds a site, at the first request for one."""
    import torch

    # A thread that the parent had started would not be there in its children.
    torch.set_num_threads(1)
    import duckdb  # noqa: F401
    import transformers.models.gpt2.modeling_gpt2  # noqa: F401

    answers = os.fdopen(os.dup(1), "w")
    print(json.dumps({"ready": os.getpid()}), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["program"] == "report":
            import builder  # noqa: F401
        child = os.fork()
        if child == 0:
            try:
                _child(request)
            except SystemExit as ended:
                if request.get("learn"):
                    Path(request["log"]).with_name("modules").write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
                # Not as Python ends: the libraries' own clean-up would complain of a child that began in their midst.
                os._exit(int(ended.code or 0))
            os._exit(0)
        print(json.dumps({"pid": child}), file=answers, flush=True)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if request.get("learn") and status == 0:
            _learn(Path(request["log"]).with_name("modules"))
        print(json.dumps({"status": status}), file=answers, flush=True)
    os._exit(0)


if __name__ == "__main__":
    serve()
