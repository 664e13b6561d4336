"""The docs' own example of a measure: put into the folder, it is measured, and nothing else needs to be touched."""

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from extract import measures
from extract.config import RunConfig
from extract.measures import MeasureModule
from extract.run import measure

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "local_mass.py"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The folder of measures with one file more."""
    (tmp_path / "more").mkdir()
    shutil.copy(EXAMPLE, tmp_path / "more")
    monkeypatch.setattr(measures, "__path__", [*measures.__path__, str(tmp_path / "more")])
    yield
    sys.modules.pop("extract.measures.local_mass", None)


def test_the_page_shows_the_file() -> None:
    assert EXAMPLE.read_text(encoding="utf-8").rstrip() in (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("folder")
def test_a_uniform_head_pays_nine_of_the_keys_that_it_sees(gpt2_maker: Callable[..., PreTrainedModel], windows: Callable) -> None:
    model = gpt2_maker().double()
    with torch.no_grad():
        for block in model.transformer.h:
            block.attn.c_attn.weight[:, :64] = 0
            block.attn.c_attn.bias[:64] = 0
    (module,) = (module for module in measures.discover() if module.MEASURE.id == "local_mass")
    seen = torch.arange(2, 101, dtype=torch.float64)
    for values in _values(module, model, windows(2, 100)):
        assert torch.allclose(values, (seen.clamp(max=9) / seen).expand_as(values), rtol=0, atol=1e-12)


def _values(module: MeasureModule, model: PreTrainedModel, tokens: Tensor) -> list[Tensor]:
    from extract.attention import visit_layers

    layers: list[Tensor] = []
    visit_layers(model, tokens, lambda heads: layers.append(module.compute(heads)))
    assert len(layers) == 3
    return layers


@pytest.mark.usefixtures("folder")
def test_one_file_is_all_that_it_takes(config: RunConfig, out: Path) -> None:
    measure(config, out)
    with duckdb.connect(str(out), read_only=True) as counters:
        assert counters.execute("select title from measure where id = 'local_mass'").fetchall()[0][0].startswith("Attention on the token")
        heads = counters.execute("select count(distinct (layer, head)) from shard_stat where measure = 'local_mass'").fetchall()[0][0]
        assert heads == 4
