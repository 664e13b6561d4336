"""The proving ground: its text, its rows, and that a file which has them is left as it is."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pytest

from extract import corpus, measures, proving
from extract.errors import CorpusRefusal, DatabaseRefusal
from extract.planted import FAMILIES, HEADS
from extract.planted.text import CODE, JSON, MODULES, PROSE, REPEATED, TEXTS, code, records, windows_of
from extract.store import Store

Rows = list[tuple[object, ...]]


@pytest.fixture
def prove(make_checkpoint: Callable[..., Path], write_text: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], bool]:
    """The proving ground on a few windows, with the toy tokenizer and seeded words for prose."""
    monkeypatch.setattr(proving, "WINDOWS", 4)
    model, text = make_checkpoint(n_positions=128), write_text(1000)
    return lambda into: proving.prove(into, model=str(model), text=str(text))


def rows_of(path: Path) -> Rows:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("from planted_score order by all").fetchall()


def test_every_detector_scores_every_planted_head_on_every_kind_of_text(prove: Callable[[Path], bool], out: Path) -> None:
    assert prove(out)
    rows = rows_of(out)
    assert len(rows) == len(FAMILIES) * len(TEXTS) * len(HEADS) * len(proving.DETECTORS)
    assert {row[:3] for row in rows} == {(proving.version(), family, text) for family in FAMILIES for text in TEXTS}
    assert {(row[3], row[4], row[5]) for row in rows} == {(planted.layer, planted.head, planted.kind) for planted in HEADS}
    on_repeated = {row[6] for row in rows if row[2] == REPEATED}
    assert on_repeated - {row[6] for row in rows if row[2] == PROSE} == {"duplicate_token_mass_repeated", "induction_mass_repeated"}
    assert {row[6] for row in rows} <= {*measures.names()}
    tokens = proving.WINDOWS * (proving.WINDOW - 1)
    assert {row[7] for row in rows if row[2] == CODE} == {tokens, tokens - proving.WINDOWS}


def test_each_head_has_full_marks_where_it_always_finds_what_it_looks_for(prove: Callable[[Path], bool], out: Path) -> None:
    prove(out)
    share = {(row[1], row[2], row[5], row[6]): row[8] / row[7] for row in rows_of(out)}
    for family in FAMILIES:
        for text in TEXTS:
            for planted_as, measure in (("previous", "previous_token_mass"), ("self", "self_mass"), ("sink", "sink_mass")):
                assert share[family, text, planted_as, measure] == 1.0
        assert share[family, REPEATED, "induction", "induction_mass_repeated"] == pytest.approx(1.0, abs=1e-12)
        assert share[family, REPEATED, "duplicate", "duplicate_token_mass_repeated"] == pytest.approx(0.5, abs=1e-12)
        assert share[family, REPEATED, "previous", "induction_mass_repeated"] == pytest.approx(0.0, abs=1e-12)


def test_a_previous_token_head_is_taken_for_induction_wherever_a_token_stands_two_before(
    prove: Callable[[Path], bool], out: Path, make_checkpoint: Callable[..., Path]
) -> None:
    prove(out)
    texts = windows_of(proving._tokenizer(str(make_checkpoint(n_positions=128))), corpus.read(str(out.parents[1] / "texts")), 128, 4)
    for text in (PROSE, CODE, JSON):
        expected = int((texts[text][:, 2:] == texts[text][:, :-2]).sum())
        found = {row[8] for row in rows_of(out) if row[2] == text and row[5:7] == ("previous", "induction_mass")}
        assert expected and max(abs(total - expected) for total in found) < 1e-6


def test_the_families_agree(prove: Callable[[Path], bool], out: Path) -> None:
    prove(out)
    by_family = [{(*row[2:7],): row[8] for row in rows_of(out) if row[1] == family} for family in FAMILIES]
    assert by_family[0] == pytest.approx(by_family[1], abs=1e-3)


def test_two_provings_give_equal_rows_and_a_second_one_into_a_file_changes_nothing(prove: Callable[[Path], bool], tmp_path: Path) -> None:
    one, other = tmp_path / "one.duckdb", tmp_path / "other.duckdb"
    assert prove(one)
    assert prove(other)
    assert rows_of(one) == rows_of(other)
    before = one.read_bytes()
    assert not prove(one)
    assert one.read_bytes() == before


@pytest.mark.slow
def test_rows_of_another_version_are_kept_and_told(
    prove: Callable[[Path], bool], out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prove(out)
    rows = rows_of(out)
    monkeypatch.setattr(proving, "VERSION", 2)
    assert not prove(out)
    assert rows_of(out) == rows
    assert f"measured by version {rows[0][0]}, kept; this is 2, Python" in capsys.readouterr().err


def test_rows_that_the_working_file_lacks_are_not_lost(prove: Callable[[Path], bool], out: Path) -> None:
    with Store(out) as store:
        store.publish()
    out.with_name(out.name + ".work").rename(out.with_name("old.work"))
    prove(out)
    out.with_name("old.work").rename(out.with_name(out.name + ".work"))
    with Store(out) as store, pytest.raises(DatabaseRefusal, match="holds rows of 'planted heads' that"):
        store.publish()


def test_a_file_that_has_the_rows_is_told_without_torch(prove: Callable[[Path], bool], out: Path) -> None:
    prove(out)
    script = "import sys; from extract.__main__ import main; code = main(sys.argv[1:]); assert 'torch' not in sys.modules; sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", script, "prove", "--into", str(out)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.partition(";")[0]) == (0, f"already in {out}")


def test_code_is_passages_of_every_module_and_the_same_each_time() -> None:
    passages = [*code()]
    assert passages == [*code()]
    assert len(passages) == len(MODULES.split()) == len({*passages})
    assert all(len(passage) > 500 for passage in passages)


def test_records_are_json_from_three_tables_in_turn_and_the_same_each_time() -> None:
    lists = [json.loads(text) for text in records()]
    assert [*records()] == [*records()]
    assert [next(iter(some[0])) for some in lists[:6]] == 2 * ["entity", "code", "character"]
    assert all(record.keys() == some[0].keys() for some in lists for record in some)


def test_windows_begin_with_token_0_which_stands_nowhere_else(
    make_checkpoint: Callable[..., Path], write_text: Callable[..., Path]
) -> None:
    tokenizer = proving._tokenizer(str(make_checkpoint(n_positions=128)))
    texts = windows_of(tokenizer, corpus.read(str(write_text(1000))), 128, 4)
    assert {text: windows.shape for text, windows in texts.items()} == dict.fromkeys((PROSE, CODE, JSON), (4, 128)) | {REPEATED: (1, 51)}
    for windows in texts.values():
        assert not windows[:, 0].any()
        assert windows[:, 1:].all()
        assert windows.max() < 128
    assert np.array_equal(texts[REPEATED][0, 1:26], texts[REPEATED][0, 26:])


def test_prose_that_does_not_fill_the_windows_is_refused(
    make_checkpoint: Callable[..., Path], write_text: Callable[..., Path], out: Path
) -> None:
    with pytest.raises(CorpusRefusal, match="the text fills"):
        proving.prove(out, model=str(make_checkpoint(n_positions=128)), text=str(write_text(100)))
