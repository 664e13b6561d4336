"""The benchmark compares like with like, its arithmetic is that of hand-made times, and its page is that of its results."""

import json
import platform
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from extract import measures
from extract.__main__ import main
from extract.attention import measure_windows, visit_layers
from extract.bench import alone, benchmark, breakdown, cases, machine, methods, page, result_file, tables, timing
from extract.bench.cases import Case
from extract.bench.timing import Sample
from extract.errors import EnvironmentRefusal, UsageRefusal
from extract.sums import ShardSums

ROOT = Path(__file__).parents[2]
TOY = Case("toy", 3, 4, 32, vocabulary=101)

lens = pytest.mark.skipif(not methods.lens_is_here(), reason="TransformerLens is not installed: pip install -e '.[bench]'")


def tokens_of(windows: int, window: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 101, (windows, window), generator=torch.Generator().manual_seed(seed))


# TransformerLens and what it brings warn about themselves when they are imported.
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", [methods.EAGER, pytest.param(methods.LENS, marks=lens)])
def test_whole_patterns_give_the_same_sums_as_the_measures(toy: PreTrainedModel, method: str) -> None:
    tokens = tokens_of(2, 60)
    ours = methods.prepare("headcount", toy, TOY, tokens)(tokens)
    theirs = methods.prepare(method, toy, TOY, tokens)(tokens)
    assert len(theirs.sums) == 8
    for name, layers in theirs.sums.items():
        _, total, squares = ours.stats[name]
        expected = torch.stack([torch.from_numpy(total), torch.from_numpy(squares)], -1)
        torch.testing.assert_close(torch.stack(layers), expected, rtol=2e-4, atol=2e-4, msg=name)
    difference = (torch.stack(theirs.bins) - torch.from_numpy(ours.histograms["relative_norm"])).abs().sum()
    # A value beside an edge may fall on its other side.
    assert difference <= 4
    assert torch.stack(theirs.bins).sum() == 2 * 59 * sum(layer.shape[0] for layer in theirs.bins)


@lens
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_transformer_lens_runs_the_same_model_and_leaves_it_as_it_was(toy: PreTrainedModel, dtype: torch.dtype) -> None:
    from transformer_lens.model_bridge.sources import build_bridge_from_module

    model, tokens = toy.to(dtype), tokens_of(2, 40)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    methods.prepare(methods.LENS, model, TOY, tokens)(tokens)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        own = model(input_ids=tokens, output_attentions=True).attentions
        bridge = build_bridge_from_module(model, type(model).__name__, hf_config=model.config)
        _, cache = bridge.run_with_cache(tokens, names_filter=lambda name: name.endswith("hook_pattern"))
    for layer, pattern in enumerate(own):
        tolerance = 1e-5 if dtype == torch.float32 else 3e-2
        torch.testing.assert_close(cache[f"blocks.{layer}.attn.hook_pattern"], pattern, rtol=0, atol=tolerance)


def test_a_model_cut_short_gives_what_a_run_gives(toy: PreTrainedModel) -> None:
    tokens = tokens_of(2, 40)
    cut = Case("toy", 3, 4, 32, cut_short=True)
    ours = methods.prepare("headcount", toy, cut, tokens)(tokens)
    expected = ShardSums(ours.layers, ours.heads)
    measure_windows(toy, tokens, expected, methods.usual_measures())
    assert ours.stats.keys() == expected.stats.keys()
    for name, parts in ours.stats.items():
        assert all((a == b).all() for a, b in zip(parts, expected.stats[name], strict=True)), name


def test_every_line_of_headcount_measures_what_its_name_says(toy: PreTrainedModel) -> None:
    tokens = tokens_of(3, 40)
    found = {name: methods.prepare(name, toy, TOY, tokens[2:])(tokens[:2]) for name in methods.HEADCOUNT}
    beyond = {name: (set(sums.stats) | set(sums.histograms)) for name, sums in found.items()}
    usual = beyond["headcount"]
    assert {name: there - usual for name, there in beyond.items()} == {
        "headcount": set(),
        "headcount + effective_keys": {"effective_keys"},
        "headcount + deviation": {"relative_deviation"},
        "headcount + examples": set(),
        "headcount, all": {"effective_keys", "relative_deviation"},
    }
    everything = {module.MEASURE.histogram_kind or module.MEASURE.id for module in measures.discover(measures.NATURAL)}
    # Measures of positions beyond the toy's window have no values.
    assert everything - beyond["headcount, all"] == {name for name in everything if name.endswith(("_64_256", "_256_on"))}


def test_random_weights_attend_neither_evenly_nor_to_single_keys() -> None:
    case = Case("made", 2, 8, 512, vocabulary=997)
    model = cases.build(case, torch.float32, "cpu")
    keys: list[torch.Tensor] = []
    visit_layers(model, cases.windows(case, 512, 1), lambda heads: keys.append(heads.sum_of_squares[..., 256:].reciprocal().mean()))
    assert all(10 < mean < 150 for mean in keys)


def test_random_tokens_repeat_as_words_do() -> None:
    tokens = cases.windows(Case("made", 1, 1, 8), 1024, 4)
    alike = (tokens[:, :, None] == tokens[:, None, :]).tril(-1).sum((1, 2)) / (1024 * 1023 / 2)
    assert ((alike > 0.005) & (alike < 0.03)).all()


def test_rounds_take_turns_and_the_first_is_thrown_away() -> None:
    order: list[str] = []
    samples = timing.in_rounds({name: lambda name=name: order.append(name) for name in "abc"}, 2, "cpu")
    assert order == list("abcbcacab")
    assert {name: len(taken) for name, taken in samples.items()} == {"a": 2, "b": 2, "c": 2}


def test_a_ratio_is_formed_within_its_round() -> None:
    plain = [Sample(1.0, 9.0), Sample(2.0, 9.0), Sample(4.0, 9.0)]
    record = timing.record([Sample(1.5, 1.0), Sample(2.2, 2.0), Sample(5.2, 3.0)], plain, "cpu")
    assert [record[f"ratio_to_plain{end}"] for end in ("_low", "", "_high")] == pytest.approx([1.2, 1.3, 1.4])
    assert [record[f"cpu_s{end}"] for end in ("_low", "", "_high")] == pytest.approx([1.85, 2.2, 3.7])
    assert (record["wall_s"], record["rounds"], record["peak_bytes"]) == (2.0, 3, None)
    assert timing.record(plain, None, "cpu")["ratio_to_plain"] is None


def test_the_breakdown_names_every_measure_once_and_adds_up_to_a_forward(gpt2_maker: Callable[..., PreTrainedModel]) -> None:
    model = gpt2_maker(layers=2, heads=4, width=64)
    found = breakdown.break_down(model, tokens_of(1, 100), 2)
    names = [str(record["part"]).removeprefix("measure ").partition(",")[0] for record in found if "measure " in str(record["part"])]
    assert sorted(names) == [module.MEASURE.id for module in measures.discover(measures.NATURAL)]
    assert {record["group"] for record in found} == {breakdown.MODEL, breakdown.ADDED, breakdown.APART}
    parts = [record["part"] for record in found]
    assert len(set(parts)) == len(parts)
    assert {"linear layers", "output norms", "sums per head", "histograms per head", "norms of values"} <= set(parts)
    assert all(float(str(record["cpu_ms"])) > 0 for record in found if record["part"] in ("linear layers", "output norms", "sums per head"))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small benchmark through the command line."""
    out = tmp_path_factory.mktemp("bench") / "build" / "bench.json"
    command = ["bench", "--case", "xl", "--layers", "1", "--tokens", "16", "--dtype", "float32", "--rounds", "1", "--quick", "--no-memory"]
    assert main([*command, "--method", "headcount", "--method", "eager", "--out", str(out)]) == 0
    return out


def test_the_results_are_easy_to_query(bench: Path) -> None:
    found = result_file.read(bench, page.KEYS, "make bench")
    assert {"processor", "cores", "torch_threads", "load_average", "busy", "omp_wait_policy"} <= set(found["machine"])
    assert found["versions"]["torch"] == torch.__version__
    assert [record["method"] for record in found["results"]] == ["plain", "headcount", "eager"]
    for record in found["results"]:
        assert {"case", "dtype", "tokens", "method", "cpu_s", "wall_s", "peak_bytes", "ratio_to_plain"} <= set(record)
        assert (record["case"], record["layers"], record["tokens"], record["cut_short"]) == ("xl", 1, 16, True)
    assert found["results"][0]["ratio_to_plain"] == 1
    assert found["breakdown"][0]["part"] == "linear layers"
    assert platform.node() not in bench.read_text()


def test_the_page_shows_every_record_and_a_changed_figure_changes_it(bench: Path) -> None:
    found = result_file.read(bench, page.KEYS, "make bench")
    before = page.render(found, "x.json")
    assert before.startswith("<!-- Generated: python -m extract bench --page x.json > docs/speed.md -->\n")
    for record in found["results"]:
        assert f"{record['cpu_s']:.2f} ({record['cpu_s_low']:.2f}–{record['cpu_s_high']:.2f})" in before
    layer = sum(record["cpu_ms"] for record in found["breakdown"] if record["group"] == breakdown.MODEL)
    folded = [
        r["cpu_ms"]
        for r in found["breakdown"]
        if "measure " in r["part"] and "apart" not in r["group"] and r["cpu_ms"] < tables.LEAST * layer
    ]
    for record in found["breakdown"]:
        if record["cpu_ms"] not in folded or len(folded) < 2:
            assert re.search(rf"\| {re.escape(record['part'])} +\| +{record['cpu_ms']:.2f} \|", before), record
    assert len(folded) < 2 or re.search(rf"\| {len(folded)} other measures +\| +{sum(folded):.2f} \|", before)
    found["results"][1]["ratio_to_plain"] = 7.77
    assert "7.77 (" in page.render(found, "x.json")
    found["machine"]["busy"] = True
    assert "busy with something else" in page.render(found, "x.json")


def test_the_page_in_the_docs_is_that_of_the_committed_results() -> None:
    source = Path("docs/data/bench.json")
    shown = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    assert shown == page.render(result_file.read(ROOT / source, page.KEYS, "make bench"), source.as_posix())
    assert tables.text(result_file.read(ROOT / source, page.KEYS, "make bench")).count("| headcount, all") >= 1


@pytest.mark.slow
def test_a_process_of_its_own_tells_its_memory_and_a_failure_is_one_line() -> None:
    found = alone.run(alone.Task("xl", 1, "bfloat16", 8, 1, "plain", passes=2, warm=True))
    assert len(found.cpu_s) == 2
    # 112 million weights of two bytes, and the libraries; two forwards of eight tokens need next to nothing.
    assert 0.22e9 < found.loaded_bytes <= found.peak_bytes < found.loaded_bytes + 0.2e9
    with pytest.raises(EnvironmentRefusal, match=r"plain failed in a process of its own: .*there is no case nothing"):
        alone.run(alone.Task("nothing", 1, "bfloat16", 8, 1, "plain"))


def test_time_and_memory_of_more_windows_are_judged_by_their_bounds() -> None:
    few, singles = alone.Found(1, 100, [5.0], [100]), [1.0, 2.0, 1.1]
    one, ten = benchmark.judged(few, alone.Found(1, 110, [*singles, *[1.2] * 10], [105, 107, 110, *[110] * 10]))
    assert (one["cpu_s"], one["peak_bytes"], ten["peak_bytes"]) == (1.1, 100, 110)
    assert (ten["cpu_s"], ten["ratio_to_one"], ten["holds"]) == (pytest.approx(12), pytest.approx(12 / 1.1), False)
    assert (ten["peak_to_one"], ten["peak_to_first_windows"], ten["memory_holds"]) == (1.1, 1.0, False)
    ten = benchmark.judged(few, alone.Found(1, 102, [*singles, *[1.1] * 10], [51] * 13))[1]
    assert (ten["holds"], ten["memory_holds"], ten["peak_to_first_windows"]) == (True, True, 2.0)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--case", "gpt3"], "gpt3 is unknown (--case); fix: one of gpt2, xl, embedded"),
        (["--method", "magic"], "magic is unknown (--method)"),
        (["--tokens", "2048"], "windows of 2048 to 2048 tokens (--tokens); fix: 4 to 1024"),
        (["--layers", "0"], "nothing to time"),
        (["--page", "nowhere.json"], "nowhere.json cannot be read as JSON"),
    ],
)
def test_what_cannot_be_timed_is_refused_in_one_line(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", *flags]) == 2
    assert capsys.readouterr().err.startswith(f"error: {said}")


def test_a_file_that_is_no_benchmark_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps({"results": []}))
    with pytest.raises(UsageRefusal, match=r"other\.json is no result of make bench"):
        result_file.read(tmp_path / "other.json", page.KEYS, "make bench")


def test_a_missing_gpu_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    options = benchmark.Options(("xl",), (8,), ("float32",), ("plain",), 1, "cuda", 8)
    with pytest.raises(EnvironmentRefusal, match="asked for cuda"):
        benchmark.run(options, Path("nowhere.json"))


def test_the_machine_is_described_without_naming_it() -> None:
    found = machine.describe("cpu")
    assert found["busy"] is (found["load_average"][0] > machine.BUSY * found["cores"])
    assert platform.node() not in json.dumps(found)
    assert machine.versions()["torch"] == torch.__version__
