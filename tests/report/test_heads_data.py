"""The script file of the heads' values: what it holds, how small it is, and that the check sees every change of it."""

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from planting import figures_of, write_counters

from report import figures, heads_data, publish
from report.build import Built, reading
from report.check.heads_data import compare_heads_data
from report.facts import Ledger

Change = Callable[[dict[str, Any]], object]


def read(site: Path, slug: str = "toy") -> dict[str, Any]:
    text = (site / "heads" / slug / "heads.js").read_text()
    found = re.fullmatch(r"window\.headcountData = window\.headcountData \|\| \{\};\nwindow\.headcountData\[\"(.*)\"\] = (.*);\n", text)
    assert found and found.group(1) == slug
    return dict(json.loads(found.group(2)))


def compared(published: Path, site: Path) -> list[str]:
    with duckdb.connect(str(published), read_only=True) as connection:
        return list(compare_heads_data(connection, site))


def test_each_head_has_its_value_text_interval_and_label_in_one_order(small: Built) -> None:
    found = read(small.site)
    assert [found[name] for name in ("run", "slug", "layers", "heads_per_layer")] == ["toy", "toy", 8, 3]
    assert [head[0] for head in found["heads"]][:4] == ["L0H0", "L0H1", "L0H2", "L1H0"]
    # Shards alternate between two above and two below, so a planted 90 stays 90 and its interval is 90 ± 2.365 · 2.138 / √8.
    place = [head[0] for head in found["heads"]].index("L0H1")
    assert found["values"]["activation_pct"][place] == 90
    assert found["texts"]["activation_pct"][place] == "90.0"
    assert found["intervals"]["activation_pct"][place] == "88.2–91.8"
    assert found["measures"][0] == {"id": "activation_pct", "title": "activation_pct", "unit": "%", "low": 0, "high": 100}
    assert next(measure for measure in found["measures"] if measure["id"] == "residual_share")["high"] is None
    assert not [measure for measure in found["measures"] if measure["id"].endswith("_chance")]
    assert all(len(column) == 24 for part in ("values", "texts", "intervals") for column in found[part].values())


def test_a_head_without_a_value_has_none_and_the_check_agrees(tmp_path: Path) -> None:
    path = write_counters(tmp_path / "counters.duckdb", np.array([[50, 60], [70, 80]]))
    with duckdb.connect(str(path)) as connection:
        connection.execute("delete from shard_stat where measure = 'entropy' and layer = 1 and head = 0")
    published = tmp_path / "headcount.duckdb"
    publish.publish(path, published, figures.load(figures_of(tmp_path)))
    with reading(published) as connection:
        heads_data.write(Ledger(connection), tmp_path)
    found = read(tmp_path)
    assert [found[part]["entropy"][2] for part in ("values", "texts", "intervals")] == [None, None, None]
    assert found["texts"]["entropy"][:2] == ["0.500", "0.600"]
    assert [head[3] for head in found["heads"]] == [None] * 4
    assert compared(published, tmp_path) == []


CHANGES: dict[str, Change] = {
    "L0H1 has 91": lambda data: data["values"]["activation_pct"].__setitem__(1, 91),
    "L0H1 has None": lambda data: data["values"]["activation_pct"].__setitem__(1, None),
    "L0H1 reads 90.1": lambda data: data["texts"]["activation_pct"].__setitem__(1, "90.1"),
    "L0H1 has the interval 88.2–91.9": lambda data: data["intervals"]["activation_pct"].__setitem__(1, "88.2–91.9"),
    "its heads or their labels": lambda data: data["heads"][1].__setitem__(3, "unclassified"),
    "its measures": lambda data: data["measures"][0].__setitem__("unit", "share"),
    "its texts are of other measures": lambda data: data["texts"].pop("entropy"),
    "not one value for each head": lambda data: data["values"]["entropy"].pop(),
    "its title or shape": lambda data: data.__setitem__("title", "another"),
    "no values of another": lambda data: data.__setitem__("run", "another"),
    "cannot be read": lambda data: data.__setitem__("slug", "another"),
}


@pytest.mark.parametrize("told", CHANGES)
def test_a_changed_cell_is_found(small: Built, tmp_path: Path, told: str) -> None:
    shutil.copytree(small.site / "heads", tmp_path / "heads")
    assert compared(small.published, tmp_path) == []
    data = read(tmp_path)
    before = json.dumps(data)
    CHANGES[told](data)
    assert json.dumps(data) != before
    head = "window.headcountData = window.headcountData || {};\n"
    (tmp_path / "heads" / "toy" / "heads.js").write_text(f'{head}window.headcountData["toy"] = {json.dumps(data)};\n')
    assert [text for text in compared(small.published, tmp_path) if told in text]


def test_no_number_is_no_value(small: Built, tmp_path: Path) -> None:
    shutil.copytree(small.site / "heads", tmp_path / "heads")
    path = tmp_path / "heads" / "toy" / "heads.js"
    changed = re.sub(r'("values": ?\{"\w+": ?\[)[^,]+', r"\1NaN", path.read_text(), count=1)
    assert changed != path.read_text()
    path.write_text(changed)
    assert [text for text in compared(small.published, tmp_path) if "cannot be read" in text]


def test_a_missing_file_a_foreign_one_and_code_in_one_are_found(small: Built, tmp_path: Path) -> None:
    assert compared(small.published, tmp_path) == ["heads: no values of toy"]
    shutil.copytree(small.site / "heads", tmp_path / "heads")
    with (tmp_path / "heads" / "toy" / "heads.js").open("a") as file:
        file.write("alert(1);\n")
    assert [text for text in compared(small.published, tmp_path) if "cannot be read" in text]
    shutil.copytree(small.site / "heads" / "toy", tmp_path / "heads" / "other")
    assert [text for text in compared(small.published, tmp_path) if "heads/other/heads.js cannot be read" in text]


def test_the_values_of_a_model_with_1200_heads_are_written_small(tmp_path: Path) -> None:
    rows = np.random.default_rng(7).integers(0, 101, size=(48, 25))
    published = tmp_path / "headcount.duckdb"
    publish.publish(write_counters(tmp_path / "c.duckdb", rows, shards=3), published, figures.load(figures_of(tmp_path)))
    with reading(published) as connection:
        heads_data.write(Ledger(connection), tmp_path)
    measures = len(read(tmp_path)["measures"])
    assert len(gzip.compress((tmp_path / "heads" / "toy" / "heads.js").read_bytes())) < 10_000 * measures
    assert compared(published, tmp_path) == []
