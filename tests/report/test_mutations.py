"""Mutation testing of the check: hundreds of seeded changes to a true site, each of which must turn it red.

Twice each: as it is, where the hashes in facts.json tell; and as a consistent forgery, with those hashes made anew, where only what the
check understands can tell. What a forgery gets away with is listed here by kind, with its reason, and nowhere else."""

import functools
import json
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
from mutations import Mutation, drawn, places
from mutations import files as beside
from mutations import pages as on_pages
from mutations.database import statements

from report import check, queries
from report import database as opened
from report.build import Built
from report.check import head_page, page, twins, words
from report.check.recount import Recount

pytestmark = pytest.mark.attack

EACH = 5
EACH_OF_DATABASE = 2
# What a consistent forgery may get away with, by kind. Any other survivor is a fault of the check.
OUT_OF_REACH: dict[str, str] = {}
UNSAID = "every answer on the site is the same: it says nothing of this"
Differences = dict[str, list[str]]


@dataclass
class Score:
    """Of one kind: how many were made, killed, killed as forgeries, killed though the search index was forged as well; who survived."""

    made: int = 0
    sealed: int = 0
    forged: int = 0
    indexed: int = 0
    equal: int = 0
    survivors: list[str] = field(default_factory=list)

    def count(self, found: Differences, what: str, same: str) -> None:
        """Enter one mutation."""
        by_meaning = {part for part, texts in found.items() if texts} - set(check.SEAL)
        self.made += 1
        self.sealed += any(found.values())
        self.forged += bool(by_meaning)
        self.indexed += bool(by_meaning - {"words"})
        if not by_meaning:
            self.equal += bool(same)
            self.survivors.append(f"{what}{f' – {same}' if same else ''}")


@pytest.fixture(scope="module")
def judge(small: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Mutation], Differences]]:
    """Gives what the check says of a mutated site; pages that no mutation touched are read once."""
    site = Path(shutil.copytree(small.site, tmp_path_factory.mktemp("mutated") / "site"))
    # As the check itself opens it: DuckDB allows one way at a time.
    with pytest.MonkeyPatch.context() as patch, opened.read(small.published) as connection:
        patch.setattr(page, "parse", functools.cache(page.parse))
        patch.setattr(head_page, "parse", functools.cache(head_page.parse))
        patch.setattr(words, "sections", functools.cache(words.sections))
        for name in ("letters_of", "images", "read"):
            patch.setattr(twins, name, functools.cache(getattr(twins, name)))
        ledger = check.read_ledger(site)
        _, recount = check.compare_file(connection, check.fingerprints(connection), ledger)

        def differences(mutation: Mutation) -> Differences:
            before = {name: (site / name).read_bytes() for name, _ in mutation.files}
            try:
                for name, content in mutation.files:
                    (site / name).write_bytes(content)
                again = Recount(recount.answer, check.read_ledger(site)) if "facts.json" in before else recount
                facts = list(again.differences()) if again is not recount else []
                return {"facts": facts} | check.compare_site(site, again)
            finally:
                for name, content in before.items():
                    (site / name).write_bytes(content)

        yield differences


def told(scores: dict[str, Score]) -> str:
    """The scores as a table, and the survivors."""
    names = ("made", "sealed", "forged", "indexed", "equal")
    rows = [f"{'kind':34}{'made':>8}{'killed':>8}{'forged':>8}{'+index':>8}{'same':>8}"]
    rows += [f"{kind:34}" + "".join(f"{getattr(score, name):8}" for name in names) for kind, score in scores.items()]
    rows.append(f"{'all':34}" + "".join(f"{sum(getattr(score, name) for score in scores.values()):8}" for name in names))
    return "\n".join([*rows, *(f"survives as a forgery: {kind}: {what}" for kind, s in scores.items() for what in s.survivors)])


def assert_killed(scores: dict[str, Score], capsys: pytest.CaptureFixture[str]) -> None:
    """All are killed that change what the site says, as they are and as forgeries."""
    with capsys.disabled():
        print("\n" + told(scores))
    for kind, score in scores.items():
        assert score.forged + score.equal == score.made or kind in OUT_OF_REACH, score.survivors
        assert score.sealed + score.equal >= score.made, score.survivors


def test_a_change_anywhere_on_the_site_turns_the_check_red(
    small: Built, judge: Callable[[Mutation], Differences], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not any(judge(Mutation("none", "none", ())).values())
    scores: dict[str, Score] = {}
    for kind in (*on_pages.kinds(), *places.kinds(), *beside.kinds()):
        for mutation in drawn(kind, small.site, seed=0, count=EACH):
            found = judge(mutation)
            scores.setdefault(kind.__name__, Score()).count(found, mutation.what, mutation.same)
    assert sum(score.made for score in scores.values()) >= 200
    assert_killed(scores, capsys)


def test_a_change_anywhere_in_the_file_turns_the_check_red(small: Built, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, scores = check.read_ledger(small.site), {}
    for kind, sql in statements(small.published, random.Random(0), EACH_OF_DATABASE):
        published = Path(shutil.copy(small.published, tmp_path / "headcount.duckdb"))
        with duckdb.connect(str(published)) as connection:
            connection.execute(sql)
        found = compare_with(published, ledger)
        # The site speaks through its answers alone: where none has changed, the changed file is as true of it.
        same = "" if found["facts"] or found["definitions"] else UNSAID
        scores.setdefault(kind, Score()).count(found, sql, same)
        assert found["tables"], sql
    assert_killed(scores, capsys)


def compare_with(published: Path, ledger: dict[str, object]) -> Differences:
    """What the check says of a file; a file that its own views cannot read is as different as can be."""
    with duckdb.connect(str(published), read_only=True) as connection:
        try:
            return check.compare_file(connection, check.fingerprints(connection), ledger)[0]
        except duckdb.Error as error:
            return {"tables": ["unreadable"], "definitions": [], "facts": [str(error)]}


def test_a_forged_manifest_hides_a_changed_page_from_the_hashes_only(built: Built, tmp_path: Path) -> None:
    site = Path(shutil.copytree(built.site, tmp_path / "site"))
    for kind in (on_pages.kinds()[0], places.kinds()[0]):
        ((name, content),) = drawn(kind, built.site, seed=1, count=1)[0].files
        (site / name).write_bytes(content)
        assert check.differences(built.published, site)["files"] == [f"{name} is not the file that was built"]
        ledger = json.loads((built.site / "facts.json").read_text()) | {"files": check.manifest(site)}
        (site / "facts.json").write_text(json.dumps(ledger))
        found = check.differences(built.published, site)
        assert found["files"] == []
        assert any(text.startswith(name) for text in found["pages"])
        shutil.copy(built.site / name, site / name)
        shutil.copy(built.site / "facts.json", site / "facts.json")


def test_a_forged_fingerprint_hides_a_changed_counter_from_the_hashes_only(built: Built, tmp_path: Path) -> None:
    site, published = shutil.copytree(built.site, tmp_path / "site"), shutil.copy(built.published, tmp_path / "headcount.duckdb")
    with duckdb.connect(str(published)) as connection:
        connection.execute("update published_count set heads = 3 where range_ordinal = 0 and band_ordinal = 0")
        tables = check.fingerprints(connection)
    shutil.copy(published, Path(site) / check.DOWNLOAD)
    ledger = json.loads((built.site / "facts.json").read_text()) | {"tables": tables}
    (Path(site) / "facts.json").write_text(json.dumps(ledger))
    found = check.differences(Path(published), Path(site))
    assert found["tables"] == found["files"] == found["download"] == []
    assert "fact reference/reference/band_counts/0/0/heads: the site says 2, the file 3" in found["facts"]


def test_a_download_that_is_another_file_is_found_without_the_hashes(built: Built, tmp_path: Path) -> None:
    site = Path(shutil.copytree(built.site, tmp_path / "site"))
    with duckdb.connect(str(site / check.DOWNLOAD)) as connection:
        connection.execute("update shard_stat set total = total + 1 where shard = 0 and layer = 0 and head = 0")
    assert check.differences(built.published, site)["download"] == [f"{check.DOWNLOAD} is not the file that was built"]


def test_a_question_that_was_changed_turns_its_facts_red(built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(queries.SQL, tmp_path / "sql"))
    changed = folder / "questions" / "band_counts.sql"
    changed.write_text(changed.read_text().replace("100 * share as pct", "99 * share as pct"))
    monkeypatch.setattr(queries, "SQL", folder)
    queries.questions.cache_clear()
    try:
        found = check.differences(built.published, built.site)
    finally:
        queries.questions.cache_clear()
    assert all("its question has changed" in text for text in found["facts"])
    assert any("query band_counts is not shown as it is" in text for text in found["pages"])
    assert not any(found[part] for part in ("tables", "files"))
