"""Machines of a Ray cluster, as real raylets of one CPU each on this machine, that come and are lost.

    python ray_nodes.py FOLDER     says the address of the first; then per line on stdin: add → adds one; lose → kills the one added last

A machine is lost with all of its processes at once, by the signal that nothing can catch."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

# Found out within seconds: a cluster across a network is given more time.
_CHECKS = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 500,
    "health_check_failure_threshold": 4,
}
_STORE = 80 * 2**20


def lose(node: Any) -> None:
    """Kill a node's processes and their children."""
    import psutil

    for started in node.all_processes.values():
        for each in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(each.process.pid)
                for one in (process, *process.children(recursive=True)):
                    with contextlib.suppress(psutil.NoSuchProcess):
                        one.kill()


def main(folder: str) -> None:
    """Serve until stdin ends."""
    # Its address is written there, and nowhere where another run could come upon it.
    Path(folder, "ray").mkdir(parents=True)
    os.environ |= {"RAY_TMPDIR": folder, "RAY_USAGE_STATS_ENABLED": "0"}
    # Ray prints where it likes: the answers have a stream of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 1, "object_store_memory": _STORE, "include_dashboard": False, "_system_config": _CHECKS}
    cluster = Cluster(initialize_head=True, head_node_args=head | {"temp_dir": folder})
    added = []
    print(cluster.address, file=answers, flush=True)
    for line in sys.stdin:
        if line.strip() == "add":
            added.append(cluster.add_node(num_cpus=1, object_store_memory=_STORE))
        else:
            lose(added.pop())
        print(len(added) + 1, file=answers, flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
