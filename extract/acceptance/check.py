"""The acceptance run itself: both models measured by the published definitions, every comparison printed and written.

Nothing passes in silence: a line says what it allows and whether it agrees, and what could not be compared is a line too."""

import csv
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64, Int
from torch import Tensor
from transformers import PreTrainedModel

from extract import config, corpus, families
from extract.acceptance import comparisons, definitions, published
from extract.acceptance.comparisons import Comparison, PerHead
from extract.acceptance.published import GU, IOI, OURS, SINKS, SONG
from extract.bench import machine
from extract.checkpoint import load, open_checkpoint
from extract.checkpoint_files import locate
from extract.errors import CorpusRefusal, EnvironmentRefusal, NumericRefusal, UsageRefusal
from extract.layer_weights import model_weights
from extract.progress import say, waiting
from extract.self_test import self_test
from extract.windows import Tokenizer

# Windows per forward: short ones, whose whole patterns are put together a layer at a time.
BATCH = 25
_SEED = 0

Windows = Int[Tensor, "windows window"]
Reference = Float64[np.ndarray, "their_layer their_head"]


@dataclass(frozen=True)
class Options:
    """folders: where a model is to be read from instead of the hub's cache; reference: a table of all heads' induction scores."""

    models: tuple[str, ...]
    device: str
    folders: dict[str, str]
    corpus: str
    reference: Path | None


def run(options: Options, out: Path) -> None:
    """Compare everything. Raises NumericRefusal where anything differs."""
    reference = None if options.reference is None else read_reference(options.reference)
    lines: list[Comparison] = []
    scores: list[dict[str, object]] = []
    for name in options.models:
        measured = _measure(name, options)
        scores += _records(name, measured)
        lines += _xl(measured, reference) if name == published.XL else _small(measured)
    found = {"machine": machine.describe(options.device), "versions": machine.versions(), "comparisons": [asdict(line) for line in lines]}
    _write(out, found | {"scores": scores})
    print(table(lines))
    verdicts = Counter(line.verdict for line in lines)
    say(", ".join(f"{verdicts[verdict]} {verdict}" for verdict in (comparisons.AGREES, comparisons.DIFFERS, comparisons.NOT_COMPARED)))
    if verdicts[comparisons.DIFFERS]:
        raise NumericRefusal(f"{verdicts[comparisons.DIFFERS]} of {len(lines)} comparisons differ", "acceptance", f"look at {out}")


def _measure(name: str, options: Options) -> dict[str, PerHead]:
    """Each score as [layer, head]; the sinks of each kind of text as percentages of windows."""
    settings = config.read(published.RUN_FILES[name])
    folder = options.folders.get(name)
    located = locate(folder) if folder else locate(name, settings.revision, settings.weights_sha256)
    checkpoint = open_checkpoint(located, published.SINK_WINDOW)
    with waiting(f"measuring {name} by the published definitions"):
        model = load(checkpoint, "float32", options.device)
        repeated = repeated_segments(model.config.vocab_size)
        self_test(model, repeated[:1])
        segment = published.SEGMENT
        formulas: dict[str, definitions.Formula] = {"previous": definitions.previous_token}
        formulas["induction"] = partial(definitions.induction, segment=segment)
        formulas["duplicate"] = partial(definitions.duplicate_token, segment=segment)
        found = {key: values.mean(0).numpy() for key, values in definitions.per_head(model, repeated, formulas, BATCH).items()}
        if name == published.XL:
            for kind, windows in sink_windows(options.corpus, checkpoint.tokenizer, model.config.vocab_size).items():
                found[kind] = sinks(model, windows)
        with torch.inference_mode():
            copying = [weights.ov_copying.double().cpu() for weights in model_weights(model, families.find(model.config))]
        return found | {"copying": torch.stack(copying).numpy()}


def sinks(model: PreTrainedModel, windows: Windows) -> PerHead:
    """Percentage of windows in which a head's first key gets more than the threshold."""
    shares = definitions.per_head(model, windows, {"first": definitions.first_key_share}, BATCH)["first"]
    return 100 * (shares > published.SINK_THRESHOLD).double().mean(0).numpy()


def repeated_segments(vocabulary: int) -> Windows:
    """Fifty segments of random tokens, each twice; drawn as the released code draws them."""
    draw = np.random.RandomState(published.SEED).randint(0, vocabulary, size=published.SEQUENCES * published.SEGMENT)
    segments = torch.from_numpy(draw.astype(np.int64)).view(published.SEQUENCES, published.SEGMENT)
    return torch.cat([segments, segments], 1)


def sink_windows(text: str, tokenizer: Tokenizer, vocabulary: int) -> dict[str, Windows]:
    """A hundred windows of each kind: beginnings of documents, random tokens, one random token repeated."""
    random = np.random.RandomState(_SEED)
    shape = published.SINK_WINDOWS, published.SINK_WINDOW
    tokens = random.randint(0, vocabulary, size=shape)
    one = np.repeat(random.randint(0, vocabulary, size=(shape[0], 1)), shape[1], 1)
    made = {published.RANDOM: tokens, published.REPEATED: one}
    return {published.NATURAL: _beginnings(text, tokenizer, random)} | {
        kind: torch.from_numpy(part.astype(np.int64)) for kind, part in made.items()
    }


def _beginnings(text: str, tokenizer: Tokenizer, random: np.random.RandomState) -> Windows:
    """The first tokens of documents that are long enough, in a random order, without a start token."""
    read = corpus.read(text)
    rows: list[list[int]] = []
    for number in random.permutation(len(read.documents)):
        # A token holds a character at least, and seldom as many as sixteen.
        piece = read.documents[number][: 64 * published.SINK_WINDOW]
        ids = tokenizer([piece], add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"][0]
        if len(ids) >= published.SINK_WINDOW:
            rows.append(ids[: published.SINK_WINDOW])
        if len(rows) == published.SINK_WINDOWS:
            return torch.tensor(rows)
    raise CorpusRefusal(f"{len(rows)} documents of {published.SINK_WINDOW} tokens or more", read.name, f"give {published.SINK_WINDOWS}")


def _xl(measured: dict[str, PerHead], reference: Reference | None) -> list[Comparison]:
    where = published.XL, SONG
    lines = [
        comparisons.within(f"sinks on {kind}, %", float(measured[kind].mean()), theirs, SINKS.tolerance[kind], published.XL, GU)
        for kind, theirs in SINKS.theirs.items()
    ]
    lines += comparisons.heads_within("induction", measured["induction"], published.INDUCTION_XL, published.SCORE_TOLERANCE, *where)
    lines += comparisons.heads_within("previous token", measured["previous"], published.PREVIOUS_XL, published.SCORE_TOLERANCE, *where)
    lines += comparisons.counts_within(measured["induction"], published.COUNTS_XL, published.COUNTS_TOLERANCE, *where)
    top, ranks = f"of the {published.TOP} highest by induction, shared", "rank correlation of all heads by induction"
    if reference is None:
        return lines + [comparisons.missing(what, "needs --reference", *where) for what in (top, ranks)]
    if reference.shape != measured["induction"].shape:
        raise UsageRefusal(f"the table has {reference.shape} layers and heads", "--reference", "give one of the same model")
    shared = comparisons.top_shared(measured["induction"], reference, published.TOP)
    correlation = comparisons.rank_correlation(measured["induction"], reference)
    lines.append(comparisons.at_least(top, float(shared), published.TOP_SHARED, *where))
    return [*lines, comparisons.at_least(ranks, correlation, published.RANK_CORRELATION, *where)]


def _small(measured: dict[str, PerHead]) -> list[Comparison]:
    name, score = published.SMALL, published.SCORE_TOLERANCE
    lines = comparisons.heads_within("induction", measured["induction"], published.INDUCTION_SMALL, score, name, SONG)
    lines += comparisons.heads_within("previous token", measured["previous"], published.PREVIOUS_SMALL, score, name, SONG)
    lines += comparisons.heads_among("previous token", measured["previous"], published.PREVIOUS_HEADS, published.AMONG, name, IOI)
    lines += comparisons.heads_among("duplicate token", measured["duplicate"], published.DUPLICATE_HEADS, published.AMONG, name, IOI)
    negative = published.NEGATIVE_HEADS
    lines += comparisons.heads_among("induction", measured["induction"], negative, published.NEGATIVE_AMONG, name, IOI)
    copying = measured["copying"]
    return lines + [
        comparisons.below(f"copying of L{layer}H{head}", float(copying[layer, head]), 0.0, name, OURS) for layer, head in negative
    ]


def read_reference(path: Path) -> Reference:
    """A table with columns layer, head, value, every head of the model once. Raises UsageRefusal for anything else."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [(int(row["layer"]), int(row["head"]), float(row["value"])) for row in csv.DictReader(file)]
        cells = {(layer, head): value for layer, head, value in rows}
        layers, heads = (max(place) + 1 for place in zip(*cells, strict=True))
        values = np.array([[cells[layer, head] for head in range(heads)] for layer in range(layers)])
        if values.size != len(rows) or not np.isfinite(values).all():
            raise ValueError
        return values
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageRefusal(f"{path.name} is no table of every layer, head and value", "--reference", "see docs/reproduce.md") from error


def _records(name: str, measured: dict[str, PerHead]) -> Iterable[dict[str, object]]:
    layers, heads = measured["induction"].shape
    for layer in range(layers):
        for head in range(heads):
            yield {"model": name, "layer": layer, "head": head} | {key: float(values[layer, head]) for key, values in measured.items()}


def table(lines: list[Comparison]) -> str:
    """Ours beside theirs, in Markdown."""
    rows = ["| Model | What | Theirs | Ours | Allowed | Verdict | Source |", "|---|---|---:|---:|---|---|---|"]
    for line in lines:
        theirs, ours = ("" if number is None else f"{number:.4g}" for number in (line.theirs, line.ours))
        rows.append(f"| {line.model} | {line.what} | {theirs} | {ours} | {line.allowed} | {line.verdict} | {line.source} |")
    return "\n".join(rows)


def _write(out: Path, found: dict[str, object]) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise EnvironmentRefusal(f"cannot be written: {error.strerror or error}", out.name, "choose another --out") from error
