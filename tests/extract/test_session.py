"""A Ray of our own: SIGTERM stops a run in order while Ray starts, while it ends, and afterwards, whatever it does to handlers."""

import subprocess
import sys
from pathlib import Path

import pytest

_SIGNALS = """
import os, signal, threading
from extract.cluster import Cluster
from extract.cluster.session import session
from extract.interrupt import Stop

def after(seconds):
    threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGTERM)).start()

for when in ("starts", "ends", "has ended"):
    try:
        with Stop():
            if when == "starts":
                after(0.5)
            with session(Cluster(workers=1), "cpu"):
                if when == "ends":
                    after(0.5)
            if when == "has ended":
                os.kill(os.getpid(), signal.SIGTERM)
            print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted while Ray", when, flush=True)
"""


def test_sigterm_stops_in_order_while_ray_starts_and_ends_and_afterwards() -> None:
    pytest.importorskip("ray", reason="Ray is not installed: make cluster")
    done = subprocess.run(
        [sys.executable, "-c", _SIGNALS], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=120
    )
    # Ray has a line of its own on stdout, about a future version.
    told = [line for line in done.stdout.splitlines() if "interrupted" in line]
    assert told == [f"interrupted while Ray {when}" for when in ("starts", "ends", "has ended")], done.stderr
    assert done.returncode == 0
