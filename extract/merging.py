"""Measured shards → the database: each in one transaction, in the order of their numbers, whoever measured them.

What crosses from shard to shard is worked out here and nowhere else: the run's own rows, which go into the transaction of its first shard,
and the run's examples, of which a shard only brings candidates."""

import pyarrow as pa

from extract import measures
from extract.example_text import kept_rows
from extract.job import Job
from extract.measures import HELD_OUT, NATURAL, REPEATED, WEIGHTS
from extract.progress import say
from extract.replica import Findings, Measured
from extract.rows import run_rows
from extract.run_examples import RunExamples
from extract.store import Rows, Store


class Merger:
    """Commits the shards of one run to a store."""

    def __init__(self, job: Job, store: Store) -> None:
        self._job, self._store, self._begun = job, store, job.begun
        self._examples: RunExamples | None = None

    def add(self, measured: Measured) -> None:
        """Commit one shard, or that it is quarantined. Raises DatabaseRefusal, EnvironmentRefusal as `Store.add`."""
        rows = self._quarantined(measured) if "quarantine" in measured.rows else self._with_examples(measured)
        # The run's own rows go into the transaction of its first shard: a run without a shard is none.
        first = {} if self._begun else self._first_rows(_told(measured))
        self._store.add({**first, **rows})
        self._begun = True

    @property
    def begun(self) -> bool:
        """Whether the run's own rows are in the database."""
        return self._begun

    def _quarantined(self, measured: Measured) -> Rows:
        """None where the shard has its row already, from an earlier attempt."""
        row = measured.rows["quarantine"].to_pylist()[0]
        say(f"shard {measured.shard} is quarantined: {row['reason']}")
        there = self._store.quarantined(self._job.config.name)
        return {} if any(row["shard"] == measured.shard for row in there) else measured.rows

    def _with_examples(self, measured: Measured) -> Rows:
        config, rows = self._job.config, dict(measured.rows)
        if not config.examples:
            return rows
        if self._examples is None:
            self._examples = self._so_far(_told(measured))
        text: dict[str, pa.Table] = {name: rows.pop(name) for name in ("example_token", "window_document") if name in rows}
        rows["example"] = self._examples.take(rows["example"])
        return rows | dict(kept_rows(rows["example"], text, config.window, config.windows_of_shard(measured.shard)))

    def _so_far(self, findings: Findings) -> RunExamples:
        examples = RunExamples(findings.shape.layers, findings.shape.heads)
        examples.take(self._store.table("from example where run_id = ?", self._job.config.name))
        return examples

    def _first_rows(self, findings: Findings) -> Rows:
        shape = findings.shape
        found: dict[str, object] = {"corpus_licence": findings.corpus_licence, "layers": shape.layers, "heads_per_layer": shape.heads}
        found |= {"batch_windows": findings.batch_windows, "attention_kernel": findings.attention_kernel, "hardware": findings.hardware}
        conditions = (NATURAL, HELD_OUT, WEIGHTS, *((REPEATED,) if self._job.config.repeated_windows else ()))
        asked = [module.MEASURE for module in measures.discover(*conditions)]
        return run_rows(self._store, self._job.row | found, shape, asked, findings.worked)


def _told(measured: Measured) -> Findings:
    if measured.findings is None:
        raise AssertionError("of a shard that nobody measured, nothing is known but that it is quarantined")
    return measured.findings
