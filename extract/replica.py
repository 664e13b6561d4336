"""A replica: a loaded model that measures shards, each for itself, in the process of a run or in one of many workers.

What it gives for a shard depends on the run and the shard alone, never on what was measured before: so shards may be measured anywhere, in
any order and more than once, and come to the same tables."""

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from extract import device, quarantine
from extract.errors import NotFinite
from extract.families import HeadShape
from extract.loading import Loaded, to_tensor
from extract.progress import waiting
from extract.store import Rows

if TYPE_CHECKING:
    from extract.examples import Examples
    from extract.sums import ShardSums


@dataclass(frozen=True)
class Findings:
    """What only the loaded model and text tell of a run; `worked` are the rows of its worked token, none where no text is kept."""

    shape: HeadShape
    corpus_licence: str | None
    attention_kernel: str
    hardware: str
    batch_windows: int
    worked: tuple[dict[str, object], ...]


@dataclass(frozen=True)
class Measured:
    """One shard: its rows for the database – `example` and the text around it those of the shard alone –, tokens scored, and seconds taken.

    A shard in which a value is not finite, or that no worker came to the end of, has a row of `quarantine` and nothing else; of the latter,
    the findings are those of another shard, or None where the run's own rows are in the database."""

    shard: int
    tokens: int
    seconds: float
    findings: Findings | None
    rows: Rows


class Replica:
    """A loaded model with its text. `batch`: windows per pass at most; halved for good where so many do not fit."""

    def __init__(self, loaded: Loaded, batch: int) -> None:
        from extract.passes import mean_outputs

        self._loaded, self._batch = loaded, batch
        self._hardware = device.hardware(loaded.model.device.type, loaded.model)
        with waiting("measuring the held-out windows"):
            self._means = mean_outputs(loaded)
        self._worked = self._work_token()

    def measure(self, shard: int) -> Measured:
        """Measure one shard. Raises EnvironmentRefusal where the device fails, ModelRefusal as `measure_windows`."""
        from extract.passes import measure_shard

        started, loaded = time.monotonic(), self._loaded
        try:
            sums, examples, self._batch = measure_shard(loaded, shard, self._means, self._batch)
        except NotFinite as refusal:
            tokens, rows = 0, quarantine.rows(loaded, shard, self._means, refusal)
        else:
            tokens = len(loaded.config.windows_of_shard(shard)) * (loaded.config.window - 1)
            rows = self._rows(shard, tokens, sums, examples)
        return Measured(shard, tokens, time.monotonic() - started, self._findings(), rows)

    def _findings(self) -> Findings:
        loaded = self._loaded
        return Findings(loaded.checkpoint.shape, loaded.text.licence, loaded.kernel, self._hardware, self._batch, self._worked)

    def _rows(self, shard: int, tokens: int, sums: "ShardSums", examples: "Examples") -> Rows:
        from extract.example_text import text_rows
        from extract.rows import shard_rows

        loaded, numbers = self._loaded, self._loaded.config.windows_of_shard(shard)
        name, tokenizer = loaded.config.name, loaded.checkpoint.tokenizer
        kept = examples.to_table(name, shard)
        text = text_rows(name, kept, loaded.windows(numbers), numbers, tokenizer, loaded.cut.spans, loaded.text.titles)
        return {**shard_rows(name, shard, len(numbers), tokens, sums), "example": kept, **text}

    def _work_token(self) -> tuple[dict[str, object], ...]:
        from extract.worked_token import work_token

        # Without examples, no word of the text is kept.
        if not self._loaded.config.examples:
            return ()
        first = to_tensor(self._loaded.cut.windows)[0]
        with device.failures_told(), device.must_fit():
            return tuple(asdict(token) for token in work_token(self._loaded.model, self._loaded.checkpoint.tokenizer, first, 0))
