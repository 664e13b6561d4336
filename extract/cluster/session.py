"""Ray: an instance of our own on this machine, or a cluster that is up; and the workers in it.

Ray starts the processes and starts again what is killed (max_restarts), hands a call that a killed process had to its successor so many
times (max_task_retries), and never repeats one that ended in a Python error. Who measures which shard is left to the driver."""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.actor import ActorHandle

from extract import unfinished
from extract.cluster import Cluster
from extract.cluster.worker import Worker
from extract.errors import EnvironmentRefusal

RETRIES = 3
"""How often Ray hands a shard to a new process after one was killed."""

# Manifests are all that goes through it; Ray takes no less.
_OBJECT_STORE = 80 * 2**20
# Seconds in which a machine of the cluster must answer.
_REACHED = 10.0
# Seconds between looks at whether Ray has ended.
_LOOK = 0.01


@dataclass(frozen=True)
class Session:
    """A connection to Ray. `cpus` and `gpus` are each worker's; `asked` how many workers were asked for, None for as many as fit."""

    cpus: int
    gpus: int
    asked: int | None

    def room(self) -> int:
        """How many workers the cluster has room for as it is now."""
        resources = ray.cluster_resources()
        here = int(resources.get("CPU", 0)) // self.cpus
        return min(here, int(resources.get("GPU", 0)) // self.gpus) if self.gpus else here

    def start(self) -> ActorHandle:
        """A worker; it comes up as soon as there is room."""
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": -1, "max_task_retries": RETRIES}
        return ray.remote(**options)(Worker).remote(self.cpus)


@contextlib.contextmanager
def session(cluster: Cluster, kind: str) -> Iterator[Session]:
    """Connect to Ray for workers on `kind`, cpu or cuda. Raises EnvironmentRefusal where there is no such cluster, or no GPU in it."""
    # Before Ray is told of anything: it would report its use to its makers.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with _connected(cluster):
        yield _sized(cluster, kind)


def _begin(**how: object) -> None:
    """ray.init. From its first line on, Ray's own handler for SIGTERM would end the process at once."""
    ours = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(logging_level="ERROR", log_to_driver=False, **how)
    except SystemExit:
        signal.signal(signal.SIGTERM, ours)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, ours)


def _end() -> None:
    """ray.shutdown. Early on, and for good, it gives SIGTERM its default action, at once; who has set a handler does not learn of it."""
    ours, ending = signal.getsignal(signal.SIGTERM), threading.Thread(target=ray.shutdown)
    interrupted: KeyboardInterrupt | None = None
    ending.start()
    while ending.is_alive():
        try:
            ending.join(_LOOK)
            signal.signal(signal.SIGTERM, ours)
        except KeyboardInterrupt as error:
            interrupted = error
    signal.signal(signal.SIGTERM, ours)
    if interrupted is not None:
        raise interrupted


@contextlib.contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        if cluster.ray is None:
            folder = stack.enter_context(_folder())
            own = {"num_cpus": max(_cores(), cluster.workers or 1), "include_dashboard": False, "object_store_memory": _OBJECT_STORE}
            stack.callback(_end)
            try:
                _begin(address="local", _temp_dir=folder, **own)
            except (OSError, ValueError, RuntimeError) as error:
                fix = "see that /dev/shm has room and ports are free, or leave --workers out"
                raise EnvironmentRefusal(f"Ray cannot be started: {_first_line(error)}", "--workers", fix) from error
        else:
            stack.callback(_end)
            try:
                _reach(cluster.ray)
                _begin(address=cluster.ray)
            except (OSError, OverflowError, ValueError, RuntimeError) as error:
                fix = "start one with ray start --head, correct the address, or use --workers for this machine alone"
                raise EnvironmentRefusal(f"no Ray cluster at {cluster.ray!r} ({_first_line(error)})", "--ray", fix) from error
        yield


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    """A folder for Ray's logs and sockets, whose paths must be short; those of drivers that were killed are removed."""
    name = Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir(), "headcount-ray")  # noqa: S108
    unfinished.remove_abandoned(name)
    folder = Path(tempfile.mkdtemp(prefix=name.name + unfinished.MARK, dir=name.parent))
    handle = unfinished.claim(folder)
    try:
        yield os.fspath(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def _reach(address: str) -> None:
    """Raise OSError where nobody listens at host:port: Ray would try for minutes, and tell of each attempt. It knows other addresses."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _REACHED).close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _sized(cluster: Cluster, kind: str) -> Session:
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if kind == "cuda":
        gpus = int(sum(node.get("GPU", 0) for node in nodes))
        if not gpus:
            raise EnvironmentRefusal("asked for cuda, but no machine of the cluster has a GPU", "--ray", "--device cpu, or add one")
        return Session(1, 1, cluster.workers)
    # A machine without any, as the head of a cluster may be, has no workers.
    smallest = min((int(node["CPU"]) for node in nodes if node.get("CPU")), default=0)
    if not smallest:
        raise EnvironmentRefusal("no machine of the cluster offers a CPU", "--ray", "start one with ray start --num-cpus N")
    if cluster.workers is None:
        # A worker per machine, with all its cores.
        return Session(smallest, 0, None)
    total = int(sum(node.get("CPU", 0) for node in nodes))
    return Session(max(1, min(smallest, total // cluster.workers)), 0, cluster.workers)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
