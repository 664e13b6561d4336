"""Machines that come and are lost, runs of several models in one queue, and the embedded model, while workers of Ray measure."""

import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from crew import Crew, Hunter, Losing, check_gone, make_model, make_run, make_text, manifests, planted, spoil, workers
from kill_toy import KILLED
from trials import Ended, ForkServer, attempt, compare

Record = Callable[[str, str], None]
SEED = 20260
TITLE = "Workers on a Ray cluster: machines and many runs"
SAME = "every table as from the plain loop"
# As long as a second machine takes to start its worker, and some more.
LONG = 60


@pytest.fixture(scope="module", autouse=True)
def only_whole(whole: bool) -> None:
    """Each starts Ray, which takes a processor for ten seconds."""
    if not whole:
        pytest.skip("starts Ray: only with --whole")


@dataclass
class Nodes:
    """Machines of one processor each, that run one worker each."""

    process: "subprocess.Popen[str]"
    address: str

    def ask(self, what: str) -> None:
        """`add` one, or `lose` the one that was added last."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(what, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline().strip()

    def measuring(self) -> list[psutil.Process]:
        """The workers on all machines that measure now."""
        return workers(self.process.pid, "measure")


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """One machine."""
    # Sockets lie in it, whose paths must be short.
    folder = tempfile.mkdtemp(prefix="hc-", dir="/tmp")
    command = [sys.executable, str(Path(__file__).with_name("ray_nodes.py")), folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        made = Nodes(process, process.stdout.readline().strip())
        assert made.address, "no cluster"
        yield made
        left = psutil.Process(process.pid).children(recursive=True)
        process.stdin.close()
        process.wait(60)
    check_gone(left)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def long(crew: Crew, tmp_path: Path) -> Crew:
    """A run that lasts."""
    run_file = make_run(tmp_path, "Long", crew.folder / "toy-model", make_text(tmp_path / "text.txt", 50000), LONG)
    made = Crew(crew.server, tmp_path, run_file, tmp_path / "whole" / "counters.duckdb", 0.0, [])
    ended = made.run(made.whole, flags=())
    assert ended.status == 0, ended.errors
    return made


@pytest.mark.parametrize("lost", ["while it measures", "while it loads"])
def test_a_machine_that_is_added_helps_and_one_that_is_lost_loses_nothing(long: Crew, nodes: Nodes, lost: str, record: Record) -> None:
    out, seen = long.fresh("nodes"), Counter[str]()

    def come_and_go(pid: int, ended: Callable[[float], bool]) -> None:
        while not manifests(out):
            if ended(0.02):
                return
        nodes.ask("add")
        while len(nodes.measuring() if lost == "while it measures" else workers(nodes.process.pid)) < 2:
            if ended(0.02):
                return
        seen["two"] += 1
        nodes.ask("lose")
        seen["lost"] += 1

    long.resume(out, flags=("--ray", nodes.address), kill=come_and_go, least=2.0)
    assert seen == {"two": 1, "lost": 1}
    record(f"A machine, added to the cluster under way and lost {lost}", f"its worker measures too, and is done without; {SAME}")


def test_machines_that_are_added_share_the_work(long: Crew, nodes: Nodes, record: Record) -> None:
    out = long.fresh("added")

    def come(pid: int, ended: Callable[[float], bool]) -> None:
        while not manifests(out):
            if ended(0.02):
                return
        nodes.ask("add")

    ended = long.run(out, flags=("--ray", nodes.address), kill=come)
    assert ended.status == 0, ended.errors
    assert re.search(r"^2 workers, [\d,]+ tokens/s \([\d,]+ \+ [\d,]+\)", ended.errors, re.MULTILINE), ended.errors
    compare(long.whole, out, long.folder / "scratch", complete=True)
    # A cluster that is not ours stays as it is.
    assert nodes.process.poll() is None and not nodes.measuring()
    record("A machine, added to the cluster under way", f"its worker measures too; {SAME}")


def test_a_driver_that_is_lost_leaves_a_cluster_on_which_another_goes_on(crew: Crew, nodes: Nodes, record: Record) -> None:
    out, flags = crew.fresh("reconnected"), ("--ray", nodes.address)
    ended = crew.run(out, flags=flags, kill=Losing(once=lambda: len(manifests(out)) >= 2))
    assert ended.status == KILLED, ended.errors
    crew.check(out, ended.committed)
    crew.resume(out, flags=flags)
    record("A driver, killed while it uses a cluster that stays", f"another goes on there; {SAME}")


@dataclass
class Queue:
    """Two runs of one model over two texts, the smaller last, and one of another model; and their tables from three plain runs."""

    server: ForkServer
    files: tuple[Path, ...]
    folder: Path
    whole: Path

    def run(self, out: Path, *flags: str, files: tuple[Path, ...] = (), **more: object) -> Ended:
        """All of them in one command."""
        return self.server.start("extract", "run", *map(str, files or self.files), "--out", str(out), *flags, **more)


@pytest.fixture(scope="module")
def queue(crew: Crew, tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Queue:
    """Made once."""
    folder = tmp_path_factory.mktemp("queue")
    other = make_model(crew.server, folder / "other-model", tokenizer_file, n_layer=4)
    texts = [make_text(folder / f"text{seed}.txt", 9000, seed) for seed in (1, 2)]
    files = (
        make_run(folder, "First", crew.folder / "toy-model", texts[0], 10),
        make_run(folder, "Other", other, texts[0], 8),
        make_run(folder, "Second", crew.folder / "toy-model", texts[1], 6),
    )
    whole = folder / "whole" / "counters.duckdb"
    for file in files:
        ended = crew.server.start("extract", "run", str(file), "--out", str(whole))
        assert ended.status == 0, ended.errors
    return Queue(crew.server, files, folder, whole)


def test_several_runs_in_one_queue_are_as_they_would_be_alone(queue: Queue, tmp_path: Path, record: Record) -> None:
    loads, out = tmp_path / "loads", tmp_path / "out" / "counters.duckdb"
    ended = queue.run(out, "--workers", "2", environment=planted(loads=loads))
    assert ended.status == 0, ended.errors
    compare(queue.whole, out, tmp_path / "scratch", complete=True)
    # One each; whoever is done first helps the other.
    loaded = loads.read_text(encoding="utf-8").splitlines()
    assert len(set(loaded)) == len(loaded) <= 3, loaded
    record("Three runs of two models in one queue of two workers", f"{SAME} of three runs; no worker loads a model twice")


def test_a_run_that_is_refused_does_not_keep_the_others_from_their_end(
    queue: Queue, tokenizer_file: Path, tmp_path: Path, record: Record
) -> None:
    bad = make_run(tmp_path, "Bad", spoil(make_model(queue.server, tmp_path / "bad", tokenizer_file)), queue.folder / "text1.txt", 20)
    out = tmp_path / "out" / "counters.duckdb"
    ended = queue.run(out, "--workers", "2", files=(bad, *queue.files))
    assert ended.status == 3, ended.errors
    assert re.fullmatch(r"error: non-finite weights .*; fix: .*", ended.errors.splitlines()[-1]), ended.errors
    assert ended.errors.count("error: ") == 1
    compare(queue.whole, out, tmp_path / "scratch", complete=True)
    record("A run that is refused beside three others", f"the others are measured first, {SAME}; then one line and its exit code")


def test_workers_of_the_embedded_model_that_are_killed_change_nothing(crew: Crew, tmp_path: Path, record: Record) -> None:
    cache = Path.home() / ".cache" / "headcount"
    if not any(cache.glob("model-*-*/manifest.json")) or not any(cache.glob("corpus-*/*.json")):
        pytest.skip("the embedded model and corpus are not in the cache")
    draw, kept = random.Random(f"{SEED} embedded workers"), {"environment": {"HEADCOUNT_CACHE": str(cache)}}
    size = "window = 64\nwindows = 8\nshards = 8\ncalibration_windows = 1\nrepeated_windows = 8\nrepeated_tokens = 9"
    run_file = tmp_path / "embedded.toml"
    run_file.write_text(f'name = "Embedded"\nmodel = "embedded"\ncorpus = "embedded"\ndevice = "cpu"\n{size}\n', encoding="utf-8")
    embedded = Crew(crew.server, tmp_path, run_file, tmp_path / "whole" / "counters.duckdb", 0.0, [])
    first = embedded.run(embedded.whole, flags=(), learn=True, **kept)
    assert first.status == 0, first.errors
    found = []
    for number in range(2):
        out = embedded.fresh(number)
        hunter = Hunter(draw, out.with_name(out.name + ".shards"), tuple(draw.sample(("load", "measure", "write"), 3)))

        def trial(out: Path = out, hunter: Hunter = hunter) -> str:
            embedded.resume(out, kill=hunter, **kept)
            return SAME

        found.append(attempt(record, "A run of the embedded model in which workers are killed", trial))
        for phase in hunter.killed:
            record(f"A worker with the embedded model, killed while it has to {phase}", "its shard went to its successor")
        assert hunter.killed
    assert not any(found), found
