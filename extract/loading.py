"""What a run needs before it can measure: the model, proved on one window, and every window it is to be measured on."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from extract import corpus
from extract.checkpoint_files import Located, check_unchanged, locate
from extract.config import RunConfig
from extract.database_file import check_space, check_writable, to_publish
from extract.device import failures_told, must_fit
from extract.errors import CorpusRefusal, EnvironmentRefusal
from extract.progress import say, waiting
from extract.windows import Cut, cut

if TYPE_CHECKING:
    import torch
    import transformers

    import extract.checkpoint

# Bytes that a run takes at its largest moment, when its rows stand in the working file, in the counters file, in the snapshot that is to
# replace it, and partly in their logs: of an empty database, per shard and head, and per example of a head. With room to spare.
EMPTY_BYTES = 16 * 2**20
BYTES = 5000
EXAMPLE_BYTES = 200
# Bytes of the file that a worker leaves, per head: its sums, and its examples. Twice what the embedded model's take, of eight windows each.
FILE_BYTES, FILE_EXAMPLE_BYTES = 1400, 5000

Windows = Int64[np.ndarray, "windows window"]


@dataclass(frozen=True)
class Loaded:
    """A model that has passed its probes, and its text: `cut` ends with the windows that are held out for calibration."""

    config: RunConfig
    checkpoint: "extract.checkpoint.Checkpoint"
    model: "transformers.PreTrainedModel"
    kernel: str
    text: corpus.Corpus
    cut: Cut

    @property
    def calibration(self) -> Windows:
        """The windows after the measured ones."""
        return self.cut.windows[self.config.windows :]

    def windows(self, numbers: range) -> Windows:
        """Measured windows, by their numbers in the run."""
        return self.cut.windows[numbers.start : numbers.stop]


def load(config: RunConfig, located: Located, row: dict[str, object], warm: Loaded | None = None) -> Loaded:
    """Read the text, load the model and prove it; `row` says what the run is known by. `warm`, from `if_same`, has its model already.

    Raises a Refusal of what cannot be used, before the model is loaded wherever that can be told before."""
    from extract import checkpoint, repeated
    from extract.self_test import self_test

    opened = checkpoint.open_checkpoint(located, config.window)
    repeated.check(config, opened)
    text = corpus.read(config.corpus, config.max_line_bytes)
    if text.sha256 != row["corpus_sha256"]:
        raise CorpusRefusal("the text changed while it was read", text.name, "run the same command again")
    windows = _cut(config, opened, text, config.calibration_windows)
    if warm is None:
        check_unchanged(located)
    with waiting(f"loading and checking {located.name}"):
        model = checkpoint.load(opened, config.dtype, str(row["device"]), config.device_map) if warm is None else warm.model
        with failures_told(), must_fit():
            kernel = self_test(model, to_tensor(windows.windows[:1]))
    return Loaded(config, opened, model, kernel, text, windows)


def if_same(loaded: Loaded | None, config: RunConfig, located: Located) -> Loaded | None:
    """What is loaded, where a run's model is the same: another one goes before the next is loaded, for there may be room for one only."""
    if loaded is None:
        return None
    there, asked = loaded.checkpoint.located, (located.folder, located.weights_sha256, config.dtype, config.device, config.device_map)
    same = (there.folder, there.weights_sha256, loaded.config.dtype, loaded.config.device, loaded.config.device_map) == asked
    return loaded if same else None


def check_room(config: RunConfig, located: Located, out: Path, shards: int) -> None:
    """Refuse where the disk has no room for so many shards of the run. Raises EnvironmentRefusal, and what `open_checkpoint` raises."""
    check_space(out, room(config, located, shards) + to_publish(out))


def room(config: RunConfig, located: Located, shards: int, files: bool = False) -> int:
    """Bytes that so many more shards of a run may take; with `files`, those that workers leave are on the same disk."""
    from extract.checkpoint import shape_of

    shape = shape_of(located)
    heads = shape.layers * shape.heads
    file = FILE_BYTES + FILE_EXAMPLE_BYTES * config.examples
    return space(config, heads, shards) + (file * heads * shards if files else 0)


def space(config: RunConfig, heads: int, shards: int) -> int:
    """Bytes that so many more shards of a run may take on the disk while it lasts: at least what they do, and at most a few times that."""
    from extract.reservoir import KEPT, KINDS

    # Of each kind a shard brings as many of the examples as its share of the text so far.
    examples = KEPT * len(KINDS) * sum(1 / (1 + shard) for shard in range(config.shards - shards, config.shards)) if config.examples else 0
    return EMPTY_BYTES + int(heads * (BYTES * shards + EXAMPLE_BYTES * examples))


def _cut(config: RunConfig, checkpoint: "extract.checkpoint.Checkpoint", text: corpus.Corpus, held_out: int) -> Cut:
    size = {"window": config.window, "windows": config.windows, "held_out": held_out, "seed": config.seed}
    windows = cut(text.documents, checkpoint.tokenizer, corpus=text.name, **size)
    for kind, count in text.cleaned.items():
        say(f"warning: {count} {kind} left out of {text.name}")
    if windows.special:
        say(f"warning: {windows.special} places in {text.name} equal a special token; they are read as plain text")
    return windows


def save_windows(config: RunConfig, out: Path) -> None:
    """Write the run's token windows, int64 [windows, window], as a .npy file. Raises a Refusal as `measure` does."""
    from extract.checkpoint import open_checkpoint

    check_writable(out)
    checkpoint = open_checkpoint(locate(config.model, config.revision, config.weights_sha256), config.window)
    windows = _cut(config, checkpoint, corpus.read(config.corpus, config.max_line_bytes), 0).windows
    content, part = io.BytesIO(), out.with_name(out.name + ".part")
    # Not straight to the file: NumPy keeps silent where the last bytes do not fit on the disk.
    np.save(content, windows)
    try:
        part.write_bytes(content.getbuffer())
        part.replace(out)
    except OSError as error:
        raise EnvironmentRefusal(
            f"cannot be written: {error.strerror or error}", out.name, "free some space, or choose another --out"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    say(f"{len(windows)} windows of {config.window} tokens: {out}")


def to_tensor(windows: Windows) -> "torch.Tensor":
    """The same tokens as a tensor."""
    import torch

    return torch.from_numpy(windows)
