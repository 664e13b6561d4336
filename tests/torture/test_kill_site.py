"""Folders that take another's place: builds of the site and conversions of the model are killed; what is in place is whole, old or new."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kill_toy import KILLED, Toy
from planting import PLANTED, figures_of, write_counters
from trials import Difference, Ended, ForkServer, after

from report.check import check

Record = Callable[[str, str], None]
SEED = 20260
TITLE = "Builds and conversions that are killed"


def files(folder: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pages(folder: Path) -> dict[str, bytes]:
    """Every page's bytes: two copies of a database never have the same."""
    return {name: content for name, content in files(folder).items() if name.endswith(".html")}


def check_site(site: Path, old: dict[str, bytes], new: dict[str, bytes], *, only_new: bool = False) -> str:
    """What the site in place is: old, file by file, or new and in agreement with the file it offers."""
    if not site.is_dir():
        raise Difference("there is no site")
    found = files(site)
    if found == old and not only_new:
        return "the old site, every file"
    if new and pages(site) != new:
        raise Difference(f"the site is neither of both: {sorted({*found} ^ {*old})[:5]}")
    if differences := check(site / "data" / "headcount.duckdb", site):
        raise Difference(f"the new site is not whole: {differences[0]}")
    return "the new site, checked"


def test_a_build_that_is_killed_leaves_the_old_site_or_the_new_one(server: ForkServer, tmp_path: Path, whole: bool, record: Record) -> None:
    draw, figures = random.Random(f"{SEED} site"), figures_of(tmp_path)

    def build(counters: Path, folder: Path, **more: object) -> Ended:
        given = (
            "build",
            str(counters),
            "--out",
            str(folder / "site"),
            "--publish",
            str(folder / "headcount.duckdb"),
            "--figures",
            str(figures),
        )
        return server.start("report", *given, **more)

    made = {}
    for name, active in (("old", PLANTED[:4, :2]), ("new", PLANTED[4:, :2])):
        counters = write_counters(tmp_path / f"{name}.duckdb", active)
        # A build takes long: where there is one trial, its new site is checked, and not compared with another one.
        if name == "old" or whole:
            made[name] = build(counters, tmp_path / name, list_steps=True)
            assert made[name].status == 0, made[name].errors
    old, new = files(tmp_path / "old" / "site"), pages(tmp_path / "new" / "site")
    # Where the site is put in place, and anywhere.
    last = [number for number, step in enumerate(made["old"].steps, 1) if step == "rmtree"][-2:]
    found = []
    for number in range(10 if whole else 1):
        folder = tmp_path / f"trial-{number}"
        shutil.copytree(tmp_path / "old", folder)
        moment = {"kill": after(draw.uniform(0.1, 1.0) * made["old"].seconds)}
        at = {"at": draw.choice(last) + draw.choice((-1, 0)), "when": draw.choice(("before", "after"))}
        try:
            killed = build(tmp_path / "new.duckdb", folder, **draw.choice((moment, at)))
            assert killed.status in (KILLED, 0), killed.errors
            outcome = check_site(folder / "site", old, new)
            assert build(tmp_path / "new.duckdb", folder).status == 0
            check_site(folder / "site", old, new, only_new=True)
            if left := {path.name for path in folder.iterdir()} - {"site", "headcount.duckdb"}:
                raise Difference(f"left behind: {left}")
            record("report build, killed; the next build then makes the new site and clears up", outcome)
        except Difference as difference:
            record("report build, killed; the next build then makes the new site and clears up", "LOST")
            found.append(str(difference))
        shutil.rmtree(folder)
    assert not found, found


def test_a_conversion_that_is_killed_leaves_no_half_model(
    server: ForkServer, tokenizer_file: Path, tmp_path: Path, whole: bool, record: Record
) -> None:
    draw, source = random.Random(f"{SEED} conversion"), tmp_path / "toy-model"
    made = server.start("checkpoint", str(source), str(tokenizer_file))
    assert made.status == 0, made.errors

    def convert(cache: Path, **more: object) -> Ended:
        return server.start("convert", str(source), environment={"HEADCOUNT_CACHE": str(cache)}, **more)

    first = convert(tmp_path / "whole", list_steps=True)
    assert first.status == 0, first.errors
    (model,) = (path for path in (tmp_path / "whole").iterdir() if path.is_dir())
    found = []
    for number in range(15 if whole else 2):
        cache = tmp_path / f"cache-{number}"
        moment = {"kill": after(draw.uniform(0.0, 1.0) * first.seconds)}
        at = {"at": draw.randint(1, len(first.steps)), "when": draw.choice(("before", "after"))}
        killed = convert(cache, **draw.choice((moment, at)))
        assert killed.status in (KILLED, 0), killed.errors
        place = cache / model.name
        if place.exists() and files(place) != files(model):
            found.append("half a model")
        again = convert(cache)
        folders = [path.name for path in cache.iterdir() if path.is_dir()]
        if again.status or files(place) != files(model) or folders != [model.name]:
            found.append(f"not made again: {again.errors} {folders}")
        record("the model's conversion, killed", "LOST" if found else "no half model in place; made whole and cleared up by the next run")
    assert not found, found


def test_a_run_of_the_embedded_model_that_is_killed_loses_nothing(server: ForkServer, tmp_path: Path, whole: bool, record: Record) -> None:
    cache = Path.home() / ".cache" / "headcount"
    if not whole:
        pytest.skip("the embedded model is killed in the whole trials")
    if not any(cache.glob("model-*-*/manifest.json")) or not any(cache.glob("corpus-*/*.json")):
        pytest.skip("the embedded model and corpus are not in the cache")
    draw = random.Random(f"{SEED} embedded")
    size = "window = 32\nwindows = 6\nshards = 6\ncalibration_windows = 1\nrepeated_windows = 2\nrepeated_tokens = 9"
    run_file = tmp_path / "embedded.toml"
    run_file.write_text(f'name = "Embedded"\nmodel = "embedded"\ncorpus = "embedded"\ndevice = "cpu"\n{size}\n', encoding="utf-8")
    embedded = Toy(server, tmp_path, run_file, tmp_path / "whole" / "counters.duckdb", 0.0, [])
    kept = {"environment": {"HEADCOUNT_CACHE": str(cache)}}
    first = embedded.run(embedded.whole, learn=True, **kept)
    assert first.status == 0, first.errors
    found = []
    for number in range(5):
        out = embedded.fresh(number)
        try:
            killed = embedded.run(out, kill=after(draw.uniform(0.2, 1.0) * first.seconds), **kept)
            embedded.check(out, killed.committed)
            embedded.resume(out, **kept)
            record("extract run of the embedded model, killed", "nothing lost or torn; resumed to the same tables")
        except Difference as difference:
            record("extract run of the embedded model, killed", "LOST or torn")
            found.append(str(difference))
    assert not found, found
