"""What is at fault of itself – a shard, a model, a text, a worker's code, a file, a machine – while workers of Ray measure."""

import hashlib
import json
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import psutil
import pytest
from crew import SHARDS, Crew, Losing, below, check_gone, make_model, make_run, manifests, planted, spoil, title, workers
from kill_toy import KILLED
from trials import ROOT, Difference, Ended, compare

Record = Callable[[str, str], None]
SEED = 20260
TITLE = "Workers on a Ray cluster: faults"
SAME = "every table as from the plain loop"
REFUSED = "one line at once; nothing is tried again"


@pytest.fixture(scope="module", autouse=True)
def only_whole(whole: bool) -> None:
    """Each starts Ray, which takes a processor for ten seconds."""
    if not whole:
        pytest.skip("starts Ray: only with --whole")


def check_refused(ended: Ended, code: int, named: str) -> None:
    """This exit code, and one line that names it."""
    lines = [line for line in ended.errors.splitlines() if line.startswith(("error: ", "Traceback"))]
    if ended.status != code or len(lines) != 1 or not re.search(named, lines[0]) or ended.errors.splitlines()[-1] != lines[0]:
        raise Difference(f"ended with {ended.status}, {named!r} not told: {ended.errors}")


def said(crew: Crew, word: str) -> Callable[[], bool]:
    """Whether the driver has said this."""
    errors = crew.server.folder / "errors"
    return lambda: errors.exists() and word in errors.read_text(encoding="utf-8")


def test_a_shard_that_no_process_survives_is_quarantined_and_the_others_are_committed(crew: Crew, record: Record) -> None:
    # The last one: of an earlier one, later shards would bring more examples than they do beside it.
    out, fatal = crew.fresh("fatal"), SHARDS - 1
    # Both workers get it, each until four of its processes were killed; and nobody gets it again.
    ended = crew.run(out, environment=planted(fatal=fatal), least=2.0)
    check_refused(ended, 6, rf"1 of {SHARDS} shards is quarantined: shard {fatal}: the process that measured it was killed 4 times \(Toy\)")
    with duckdb.connect(str(out), read_only=True) as connection:
        assert connection.execute("select shard from shard order by all").fetchall() == [(shard,) for shard in range(fatal)]
        assert connection.execute("select shard, measure from quarantine").fetchall() == [(fatal, "killed")]
    assert not out.with_name(out.name + ".shards").exists()
    assert crew.run(out).status == 6
    ended = crew.run(out, flags=("--workers", "2", "--retry-quarantined"), learn=False)
    assert ended.status == 0, ended.errors
    with duckdb.connect(str(out)) as connection:
        connection.execute("delete from quarantine")
    compare(crew.whole, out, crew.folder / "scratch", complete=True)
    record("A shard that kills each process that measures it", f"quarantined after 4, named, exit 6; measured without the fault, {SAME}")


def test_a_model_that_kills_each_process_is_told_and_not_quarantined(crew: Crew, record: Record) -> None:
    out = crew.fresh("hopeless")
    ended = crew.run(out, environment=planted(fatal="any"))
    check_refused(ended, 5, r"workers are killed before they have measured anything \(Toy\); fix: fewer --workers")
    record("Every shard kills its process", "three are tried, then one line; nothing is quarantined")
    crew.resume(out)


def test_weights_that_are_not_finite_are_refused_at_once(crew: Crew, tokenizer_file: Path, tmp_path: Path, record: Record) -> None:
    run_file = make_run(tmp_path, "Bad", spoil(make_model(crew.server, tmp_path / "bad", tokenizer_file)), crew.folder / "text.txt")
    plain = crew.server.start("extract", "run", str(run_file), "--out", str(tmp_path / "plain.duckdb"))
    ended = crew.server.start("extract", "run", str(run_file), "--out", str(tmp_path / "c.duckdb"), "--workers", "2")
    check_refused(ended, 3, re.escape(plain.errors.splitlines()[-1]))
    assert ended.seconds < plain.seconds + 60
    record("Weights that are not finite", REFUSED)


def test_a_text_that_changes_before_workers_read_it_is_refused_at_once(crew: Crew, tmp_path: Path, record: Record) -> None:
    text = tmp_path / "text.txt"
    shutil.copy(crew.folder / "text.txt", text)
    run_file, told = make_run(tmp_path, "Toy", crew.folder / "toy-model", text), said(crew, "on workers")

    def change(pid: int, ended: Callable[[float], bool]) -> None:
        while not told() and not ended(0.005):
            pass
        with text.open("a", encoding="utf-8") as file:
            file.write(" more")

    ended = crew.server.start("extract", "run", str(run_file), "--out", str(tmp_path / "c.duckdb"), "--workers", "2", kill=change)
    check_refused(ended, 5, r"a worker's corpus_sha256 differ from the driver's \(Toy\)")
    record("A text that changes before the workers read it", REFUSED)


def test_a_worker_with_other_code_is_refused_by_name(crew: Crew, tmp_path: Path, record: Record) -> None:
    shutil.copytree(ROOT / "extract", tmp_path / "extract", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "extract" / "attention.py").open("a", encoding="utf-8") as code:
        code.write("# Another version.\n")
    out = crew.fresh("code")
    check_refused(crew.run(out, environment=planted(code=tmp_path)), 5, r"a worker's code differ from the driver's \(Toy\)")
    assert manifests(out) == []
    record("A worker with another version of the program", REFUSED)


def test_a_window_that_is_not_finite_is_quarantined_as_the_plain_loop_does(crew: Crew, tmp_path: Path, record: Record) -> None:
    from test_quarantine import plant

    from extract import config

    text = tmp_path / "texts"
    text.mkdir()
    shutil.copy(crew.folder / "text.txt", text)
    run_file = make_run(tmp_path, "Toy", Path(shutil.copytree(crew.folder / "toy-model", tmp_path / "toy-model")), text)
    plant(config.read(run_file), tmp_path, window=6)
    outs = [tmp_path / name / "c.duckdb" for name in ("plain", "workers")]
    first, second = (
        crew.server.start("extract", "run", str(run_file), "--out", str(out), *flags)
        for out, flags in zip(outs, ((), ("--workers", "2")), strict=True)
    )
    # The repeated random tokens of other shards hold it too.
    check_refused(first, 6, rf"\d of {SHARDS} shards are quarantined: .*shard 6, windows 6: ")
    check_refused(second, 6, re.escape(first.errors.splitlines()[-1]))
    compare(*outs, crew.folder / "scratch", complete=True)
    record("A value that is not finite in one window", f"quarantined with the same row, exit 6; {SAME}")


def test_files_that_are_damaged_or_of_another_run_are_told_from_those_that_are_good(crew: Crew, record: Record) -> None:
    draw, out = random.Random(f"{SEED} damaged"), crew.fresh("damaged")
    losing = Losing(once=lambda: len(manifests(out)) >= 7)
    ended = crew.run(out, kill=losing)
    assert ended.status == KILLED, ended.errors
    # Its workers may leave one more before they end.
    check_gone([process for process in losing.left if "Agent" not in title(process)])
    # As if the driver had been lost before its first commit.
    for file in out.parent.glob(f"{out.name}*"):
        if file.is_file():
            file.unlink()
    (folder,) = out.with_name(out.name + ".shards").iterdir()
    there = manifests(out)
    flipped, gone, torn, foreign = draw.sample(there, 4)
    data = folder / json.loads(flipped.read_text(encoding="utf-8"))["manifest"]["file"]
    content = bytearray(data.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    data.write_bytes(content)
    (folder / json.loads(gone.read_text(encoding="utf-8"))["manifest"]["file"]).unlink()
    torn.write_bytes(torn.read_bytes()[: draw.randrange(300)])
    told = json.loads(foreign.read_text(encoding="utf-8"))["manifest"] | {"key": "0" * 64}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    foreign.write_text(json.dumps({"manifest": told, "sha256": digest}), encoding="utf-8")
    (folder / ".abandoned.part").write_bytes(b"torn")
    ended = crew.run(out)
    assert ended.status == 0, ended.errors
    assert f"{len(there) - 2} shards were measured before" in ended.errors, ended.errors
    assert ended.errors.count("is measured again: ") == 2, ended.errors
    assert not folder.parent.exists()
    compare(crew.whole, out, crew.folder / "scratch", complete=True)
    record("Files with a flipped bit, gone, torn, or of another key", f"measured again; {SAME}")


def test_a_worker_that_stands_still_loses_its_shard_to_another(crew: Crew, record: Record) -> None:
    out, stopped = crew.fresh("stopped"), list[psutil.Process]()

    def stop(pid: int, ended: Callable[[float], bool]) -> None:
        while not (found := workers(pid, "measure")) or not manifests(out):
            if ended(0.02):
                return
        stopped.extend([found[0], *(process for process in below(pid) if process != found[0])])
        found[0].suspend()

    crew.resume(out, kill=stop, least=2.0)
    assert stopped, "the run ended before a worker was stopped"
    check_gone(stopped)
    record("A worker that stands still (SIGSTOP)", f"its shard is measured by the other, and it goes with the driver; {SAME}")
