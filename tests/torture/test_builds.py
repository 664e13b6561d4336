"""Builds of a site that are killed, interrupted, refused, or begun twice: the last good site and its published file stay, together."""

import hashlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from planting import figures_of, write_counters
from warm import SEED, Running, start

from report.build import AS_USUAL, digest
from report.check import check

TITLE = "Builds of the site that are interrupted, refused or begun twice"
Record = Callable[[str, str], None]
SIGNALS = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM", signal.SIGKILL: "SIGKILL"}


@dataclass(frozen=True)
class Place:
    """A folder with a built site: two counters files, from one of which it was made, and how long that took."""

    folder: Path
    seconds: float

    @property
    def site(self) -> Path:
        return self.folder / "site"

    @property
    def published(self) -> Path:
        return self.folder / "headcount.duckdb"

    def start(self, counters: str, said: str = "said", **environment: str) -> Running:
        """Begin to build the site from one of the counters files."""
        paths = (self.folder / f"{counters}.duckdb", "--out", self.site, "--publish", self.published, "--figures", self.folder / "figures")
        return start(self.folder / said, "report", "build", *paths, TMPDIR=str(self.folder / "temporary"), **environment)

    def state(self) -> dict[str, str]:
        """The hash of every file of the site, and of the published file."""
        files = [self.published, *(path for path in sorted(self.site.rglob("*")) if path.is_file())]
        return {path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def leftovers(self) -> set[str]:
        """What stands in the folder, or in the temporary folder, that no finished build leaves."""
        ours = {"one.duckdb", "other.duckdb", "site", "headcount.duckdb", "figures", "temporary", "said", "said too"}
        return {path.name for path in (*self.folder.iterdir(), *(self.folder / "temporary").iterdir())} - ours


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("builds")
    write_counters(folder / "one.duckdb", np.array([[20, 80]] * 4))
    write_counters(folder / "other.duckdb", np.array([[50, 50]] * 4))
    (folder / "temporary").mkdir()
    figures_of(folder)
    # The server loads what builds before it is the first one's turn: no part of how long one takes.
    assert start(folder / "said", "report", "--help").ended() == 0
    began = time.monotonic()
    made = Place(folder, 0.0).start("one")
    assert made.ended() == 0, made.text
    return Place(folder, time.monotonic() - began)


def made_from(place: Place) -> str:
    """The counters that the site was made from: the one whose build changes nothing."""
    ledger = json.loads((place.site / "facts.json").read_text(encoding="utf-8"))
    return "one" if ledger["inputs"] == digest(place.folder / "one.duckdb", place.folder / "figures", AS_USUAL) else "other"


def test_a_build_that_is_stopped_anywhere_leaves_the_last_good_site_and_its_file(place: Place, whole: bool, record: Record) -> None:
    draw = random.Random(SEED)
    before, there = place.state(), made_from(place)
    for trial in range(30 if whole else 1):
        number = list(SIGNALS)[trial % 3]
        running = place.start("other" if there == "one" else "one")
        time.sleep(draw.uniform(0.05, 1.0) * place.seconds)
        if running.process.is_alive():
            os.kill(int(running.process.pid or 0), number)
        code, now = running.ended(), place.state()
        outcome = "the last good site and its file stand"
        if now != before:
            outcome = "the build had ended, whole"
            assert check(place.published, place.site) == [], running.text
            before, there = now, made_from(place)
        if code == 130:
            assert running.errors == [running.text.strip().splitlines()[-1]], running.text
            assert running.errors[0].startswith("error: interrupted; "), running.text
        assert code in ((-number,) if number == signal.SIGKILL else (130, 0)) or outcome == "the build had ended, whole", running.text
        assert number == signal.SIGKILL or not place.leftovers(), running.text
        record(f"`report build` stopped by {SIGNALS[number]} at a random moment", outcome)


def test_a_build_killed_between_its_file_and_its_site_is_mended_by_the_next(place: Place, whole: bool, record: Record) -> None:
    if not whole:
        pytest.skip("two builds of seconds: left to the whole trials")
    there = made_from(place)
    site = {name: digest for name, digest in place.state().items() if name.startswith("site/")}
    killed = place.start("other" if there == "one" else "one", KILLED_AT="report.replacing._put_folder")
    assert killed.ended() == -signal.SIGKILL
    assert {name: digest for name, digest in place.state().items() if name.startswith("site/")} == site
    assert check(place.published, place.site)
    assert check(place.site / "data" / "headcount.duckdb", place.site) == []
    again = place.start(there)
    assert again.ended() == 0, again.text
    assert check(place.published, place.site) == []
    # Nor anything of what was killed before.
    assert not place.leftovers()
    record(
        "`report build` killed after its file and before its site was in place", "both whole; `report check` tells, the next build mends"
    )


def test_two_builds_at_the_same_time_do_not_mix(place: Place, whole: bool, record: Record) -> None:
    if not whole:
        pytest.skip("two builds of seconds: left to the whole trials")
    draw = random.Random(SEED)
    for _ in range(4):
        # The site is made from one of them, so that it may be that only the other has anything to do.
        first = place.start("one")
        time.sleep(draw.uniform(0, 0.5) * place.seconds)
        second = place.start("other", "said too")
        codes = {first.ended(), second.ended()}
        assert codes in ({0}, {0, 5}), (first.text, second.text)
        refused = [line for running in (first, second) for line in running.errors]
        assert len(refused) == (5 in codes), refused
        assert all(line.startswith("error: another process is building this site (site); fix: ") for line in refused)
        assert check(place.published, place.site) == []
        assert not place.leftovers()
        record("Two builds of one site at the same time", "one refused with a reason" if refused else "both ended whole")


def test_a_build_that_fails_changes_neither_site_nor_file(place: Place, record: Record) -> None:
    before, there = place.state(), made_from(place)
    asked = "other" if there == "one" else "one"
    hostile = Path(shutil.copytree(place.folder / "figures", place.folder / "temporary" / "hostile"))
    figure = next(hostile.glob("*.toml"))
    text = figure.read_text(encoding="utf-8")
    for said, what in (
        ("measure = '; drop table run'\n" + text, "a doubled key"),
        (text.replace("100]", "40]"), "band edges that go back"),
    ):
        figure.write_text(said, encoding="utf-8")
        running = start(place.folder / "said", "report", "build", place.folder / f"{asked}.duckdb", "--out", place.site, "--publish",
                        place.published, "--figures", hostile)  # fmt: skip
        assert running.ended() == 2, running.text
        assert len(running.text.splitlines()) == 1
        assert place.state() == before
        record(f"A figure file with {what}", "one line; site and file as before")
    shutil.rmtree(hostile)

    # A fault of the build's own, after the pages are made: one number of one page is another.
    spoiled = place.start(asked, SPOILED="1")
    assert spoiled.ended() == 7, spoiled.text
    (line,) = spoiled.errors
    assert line.startswith("error: the site differs from its file: "), line
    assert place.state() == before
    assert not place.leftovers()
    record("A page with a wrong number, seen by the build's own check", "refused; site and file as before")
