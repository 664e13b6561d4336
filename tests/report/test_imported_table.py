"""A table of GPT-2 xl's heads that others published: the same query, chart, text and check as a run of ours.

The table is not kept in the project, for its licence is unclear; the test reads it where it lies beside a working copy."""

from pathlib import Path

import duckdb
import pytest
from planting import ROOT, figures_of
from selectolax.lexbor import LexborHTMLParser

from extract.imports import import_heads
from report import check
from report.build import build

TABLE = ROOT.parent / "shared" / "reference" / "gpt2-xl_induction.csv"


@pytest.mark.skipif(not TABLE.is_file(), reason="the published table lies beside a working copy only")
def test_a_published_table_of_1200_heads_goes_the_way_of_a_run_of_ours(tmp_path: Path) -> None:
    counters = tmp_path / "counters.duckdb"
    source = "code released with Song et al., Out-of-distribution generalization via composition"
    import_heads(
        TABLE, counters, run="GPT-2 xl, theirs", measure="induction_published", unit="share", source=source, bands="0,.1,.3,.5,.75,1"
    )
    built = build(counters, tmp_path / "site", tmp_path / "h.duckdb", figures_of(tmp_path))
    with duckdb.connect(str(built.published), read_only=True) as connection:
        above = connection.execute(
            "select range_label, sum(heads)::integer from band_counts join band using (run_id, figure, band_ordinal) "
            "where low >= 0.5 group by range_label, range_ordinal order by range_ordinal"
        ).fetchall()
    assert above == [("[0, 12)", 0), ("[12, 24)", 15), ("[24, 36)", 30), ("[36, 48)", 6)]
    (page,) = (path for path in (built.site / "figures").rglob("*/index.html") if "theirs" in str(path))
    words = " ".join(LexborHTMLParser(page.read_text(encoding="utf-8")).css_first("article").text().split())
    assert "1,200 attention heads of an imported table" in words
    assert "one published value per head" in words
    assert check.check(built.published, built.site) == []
