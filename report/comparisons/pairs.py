"""Pairs: which two runs stand side by side, how their samples of text relate, and why two runs cannot be compared.

The file's own pairs are taken by two rules:
    texts   two complete measured runs of the same weights (by hash) with the same shape, window and number type, over different texts
            (by hash); the run whose name comes first in the alphabet is a
    table   an imported table of heads and a complete measured run of the same model (see `same_model`), where a figure shows the table and
            the run has the measure that the table's is named after: induction_mass_repeated_published beside induction_mass_repeated"""

from dataclasses import dataclass

import duckdb

from report.comparisons import published

# An imported table's measure may not take the name of one that is computed; this ending says which one it is meant to be.
PUBLISHED_ENDING = "_published"


@dataclass(frozen=True)
class Run:
    """What decides whether a run can be compared; hashes and names may be missing for an imported table."""

    run_id: str
    kind: str
    title: str
    model: str | None
    revision: str | None
    weights_sha256: str | None
    quantisation: str | None
    corpus: str | None
    corpus_sha256: str | None
    layers: int | None
    heads_per_layer: int | None
    window_tokens: int | None
    windows_done: int
    scored_tokens: int
    shards_done: int
    seed: int | None
    dtype: str | None
    device: str | None
    status: str

    @property
    def shape(self) -> tuple[int | None, int | None]:
        """Layers and heads per layer."""
        return self.layers, self.heads_per_layer


@dataclass(frozen=True)
class Topic:
    """One figure of a pair: the measure on either side, the threshold that both are counted at, and b's own."""

    figure: str
    measure_a: str
    measure_b: str
    threshold: float | None
    threshold_b: float | None


@dataclass(frozen=True)
class Pair:
    """Two runs side by side, and the figures that both can show."""

    a: Run
    b: Run
    kind: str
    topics: tuple[Topic, ...]

    @property
    def sampling(self) -> str:
        """How the two samples of text relate; see table comparison."""
        if self.b.shards_done < 2 or (self.a.kind == "measured" and self.a.shards_done < 2):
            return "none"
        if self.a.kind == "imported":
            return "fixed"
        same_text = self.a.corpus_sha256 is not None and self.a.corpus_sha256 == self.b.corpus_sha256
        same_cut = (self.a.seed, self.a.windows_done, self.a.shards_done) == (self.b.seed, self.b.windows_done, self.b.shards_done)
        # Another model cuts the same text into other tokens, so its shards are other shards.
        # Nor are the shards the same where some are set aside.
        whole = self.a.status == self.b.status == "complete"
        return "paired" if same_text and same_cut and whole and self.a.model == self.b.model else "independent"


def runs(connection: duckdb.DuckDBPyConnection) -> dict[str, Run]:
    """Every run of the file by its name, in the names' order."""
    columns = ", ".join(Run.__dataclass_fields__)
    found = [Run(*row) for row in connection.execute(f"select {columns} from runs order by run_id").fetchall()]
    return {run.run_id: run for run in found}


def of_file(connection: duckdb.DuckDBPyConnection) -> list[Pair]:
    """The pairs that the file puts side by side by itself; see the module's rules."""
    everything = [run for run in runs(connection).values() if run.status != "unfinished" and run.layers is not None]
    measured = [run for run in everything if run.kind == "measured"]
    tables = [run for run in everything if run.kind == "imported"]
    texts = [(a, b, "texts") for a in measured for b in measured if a.run_id < b.run_id and same_weights(a, b) and not why_not(a, b)]
    beside = [(a, b, "table") for a in tables for b in measured if same_model(a, b)]
    found = [Pair(a, b, kind, topics(connection, a, b)) for a, b, kind in (*texts, *beside)]
    return [pair for pair in found if pair.topics]


def same_weights(a: Run, b: Run) -> bool:
    """True for the same weights, number type and quantisation over two different texts."""
    weights = a.weights_sha256 is not None and a.weights_sha256 == b.weights_sha256
    texts = a.corpus_sha256 is not None and b.corpus_sha256 is not None and a.corpus_sha256 != b.corpus_sha256
    return weights and texts and (a.dtype, a.quantisation) == (b.dtype, b.quantisation)


def same_model(table: Run, run: Run) -> bool:
    """True where an imported table is of the model of a measured run: the shapes are equal, the weights are not quantised, and a name that
    the model goes by – on the hub, as the run's title, or as report/published has it – opens the table's title, as whole words."""
    if run.quantisation is not None or table.shape != run.shape:
        return False
    names = {run.title, run.model or run.title, *(model.name for model in published.models() if model.model == run.model)}
    return any(opens(name.casefold(), table.title.casefold()) for name in names)


def opens(name: str, title: str) -> bool:
    """True where a title begins with a name that ends there as a word."""
    return title.startswith(name) and not title[len(name) : len(name) + 1].isalnum()


def why_not(a: Run, b: Run) -> list[str]:
    """The reasons why two runs cannot be compared head by head; empty where they can."""
    reasons = []
    if a.layers is None or b.layers is None:
        named = a if a.layers is None else b
        return [f"{named.run_id} holds counts of heads, not values of heads"]
    if a.shape != b.shape:
        reasons.append(f"{a.layers} layers of {a.heads_per_layer} heads against {b.layers} of {b.heads_per_layer}")
    if a.kind == b.kind == "measured" and a.window_tokens != b.window_tokens:
        reasons.append(f"windows of {a.window_tokens} against {b.window_tokens} tokens, and every measure depends on the window")
    reasons += [
        f"{run.run_id} is unfinished ({run.shards_done} shards done)"
        for run in (a, b)
        if run.kind == "measured" and run.status == "unfinished"
    ]
    return reasons


def topics(connection: duckdb.DuckDBPyConnection, a: Run, b: Run) -> tuple[Topic, ...]:
    """The figures that both runs can show, in the figures' order; a's bands serve for both."""
    rows = connection.execute(
        "with shown as (select distinct run_id, figure from layer_range), "
        "has as (select distinct run_id, measure, false as binned from shard_stat union all "
        "select distinct run_id, measure.id, true from shard_histogram join measure on measure.histogram_kind = shard_histogram.kind) "
        "select figure.figure, figure.measure, has.measure, at_a.threshold, at_b.threshold from figure "
        "join shown on shown.figure = figure.figure and shown.run_id = $a "
        "join has on has.run_id = $b and (has.measure = figure.measure or (has.measure || $ending = figure.measure and not has.binned)) "
        "left join figure_threshold as at_a on at_a.run_id = $a and at_a.figure = figure.figure and at_a.measure = figure.measure "
        "left join figure_threshold as at_b on at_b.run_id = $b and at_b.figure = figure.figure and at_b.measure = figure.measure "
        "where figure.kind = 'heads' order by figure.ordinal",
        {"a": a.run_id, "b": b.run_id, "ending": PUBLISHED_ENDING},
    ).fetchall()
    return tuple(Topic(*row) for row in rows)
