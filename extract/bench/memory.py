"""How much memory a large model takes while it is measured: counted on the meta device, part by part, and by GPU.

`python -m extract.bench.memory` counts and prints the tables; with `--check`, a model small enough for this machine is measured too,
and what became resident is set against what is counted."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from extract import blocked, families, measures
from extract.attention import Receiver, visit_layers
from extract.bench.live_bytes import LiveBytes
from extract.errors import EnvironmentRefusal
from extract.examples import Examples
from extract.layer_heads import LayerHeads
from extract.layer_weights import LayerWeights, model_weights
from extract.placement import ROOM, spread
from extract.reservoir import KEPT, KINDS, Reservoirs
from extract.tally import Tally

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DATA = Path("docs/data/memory.json")
GPU_BYTES = 80 * 10**9
GPUS = (1, 2, 4, 8)
BATCHES = (1, 8)
WINDOW = 1024
Bytes = dict[str, int]


@dataclass(frozen=True)
class Shape:
    """A Llama's sizes; weights stand in `dtype`."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    d_model: int
    feed_forward: int
    vocabulary: int
    dtype: str

    def build(self, device: str, layers: int | None = None) -> "PreTrainedModel":
        """A model of this shape with new weights, on the meta device without any."""
        config = LlamaConfig(
            num_hidden_layers=self.layers if layers is None else layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            head_dim=self.head_dim,
            hidden_size=self.d_model,
            intermediate_size=self.feed_forward,
            vocab_size=self.vocabulary,
            max_position_embeddings=8192,
            tie_word_embeddings=False,
        )
        with torch.device(device):
            return LlamaForCausalLM(config).to(getattr(torch, self.dtype)).eval()


LLAMA_70B = Shape(80, 64, 8, 128, 8192, 28672, 128256, "bfloat16")
SMALL = Shape(4, 32, 8, 64, 2048, 8192, 32768, "float32")


class Work:
    """What a run does with a model, a step at a time; each step is worth a figure."""

    def __init__(self, model: "PreTrainedModel", batch: int) -> None:
        shape = families.shape(model.config)
        self.model, self.weights = model, list[LayerWeights]()
        self.tally: Tally | None = None
        # A pair of positions in a hundred holds equal tokens.
        self.tokens = torch.randint(0, 100, (batch, WINDOW), generator=torch.Generator().manual_seed(batch))
        self.means = torch.zeros(shape.layers, shape.heads, shape.head_dim, dtype=torch.float64)
        self.examples = Examples(0, Reservoirs.empty(shape.layers, shape.heads, "cpu"))

    def factorise(self) -> None:
        """Factors of every head's output projection, and folded biases."""
        self.weights = model_weights(self.model, families.find(self.model.config))

    def circuit(self) -> None:
        """The circuit from token to token."""
        self.weights[0].token_circuit()

    def copying(self) -> None:
        """Every layer's circuits, from that one."""
        for weights in self.weights:
            _ = weights.ov_copying

    def forward(self) -> None:
        """One forward over the text: what every shard does again and again."""
        self._visit(self.tokens, (measures.NATURAL, measures.WEIGHTS), also=self.examples.taking(0))

    def held_out(self) -> None:
        """One forward over a held-out window."""
        self._visit(self.tokens[:1], (measures.HELD_OUT,))

    def _visit(self, tokens: torch.Tensor, conditions: tuple[str, ...], also: Receiver | None = None) -> None:
        self.tally = tally = Tally(measures.discover(*conditions))

        def receive(heads: LayerHeads) -> None:
            tally.take(heads)
            if also is not None:
                also(heads)

        visit_layers(self.model, tokens, receive, mean_outputs=self.means)


STEPS = ("factorise", "circuit", "copying", "forward", "held_out")


def counted(shape: Shape, batch: int, block_bytes: int, layers: int) -> Bytes:
    """Bytes that each step takes at its largest moment beyond the weights and what earlier steps have kept, and what it keeps."""
    with _blocks_of(block_bytes), LiveBytes(rows=len(KINDS) * KEPT * shape.heads // shape.kv_heads) as bytes_:
        model, found = shape.build("meta", layers), dict[str, int]()
        work = Work(model, batch)
        for step in STEPS:
            before = bytes_.live
            bytes_.forget_peak()
            with torch.inference_mode():
                getattr(work, step)()
            # Sums go to the host when a forward ends.
            with_sums, work.tally = bytes_.live, None
            found[step], found[f"{step} keeps"] = bytes_.peak - before, bytes_.live - before
            found[f"{step} sums"] = with_sums - bytes_.live
    return found


@contextmanager
def _blocks_of(size: int) -> Iterator[None]:
    """Blocks of rows on the meta device are as on the device that is meant."""
    blocked.BLOCK_BYTES["meta"] = size
    try:
        yield
    finally:
        del blocked.BLOCK_BYTES["meta"]


def parts(shape: Shape, batch: int) -> Bytes:
    """What a GPU holds of a model of many layers, by what it is for; counted on a first, a last and one between, which stands for all."""
    three = counted(shape, batch, blocked.BLOCK_BYTES["cuda"], 3)
    number = partial(_bytes, dtype=getattr(torch, shape.dtype))
    rows = batch * shape.heads * WINDOW
    return {
        "factors of a layer, kept": three["factorise keeps"] // 3,
        "factorising a layer": three["factorise"] - three["factorise keeps"] * 2 // 3,
        "token circuit, kept": three["circuit keeps"],
        "working out the token circuit": three["circuit"],
        "circuits of a layer, kept": three["copying keeps"] // 3,
        "working out the circuits of a layer": three["copying"] - three["copying keeps"] * 2 // 3,
        "examples of a layer, kept": three["forward keeps"] // 3,
        "q, k and v of a layer": number(rows * shape.head_dim) + 2 * number(batch * shape.kv_heads * WINDOW * shape.head_dim),
        "two blocks of rows": 2 * min(blocked.BLOCK_BYTES["cuda"], _bytes(rows * WINDOW, torch.float32)),
        "what a layer's heads write": _bytes(rows * shape.head_dim, torch.float32),
        "sums and histograms of a layer": three["forward sums"] // 3,
        "a forward over text": three["forward"],
        "a forward over a held-out window": three["held_out"],
    }


def _bytes(count: int, dtype: torch.dtype) -> int:
    return count * dtype.itemsize


def placed(shape: Shape, gpus: int, found: Bytes) -> list[Bytes] | str:
    """What every GPU holds: weights, what is kept beside them, sums of a forward with it, and what the largest step takes for a while.

    Or why it cannot be."""
    model = shape.build("meta")
    try:
        where = spread(model, {number: int(GPU_BYTES * (1 - ROOM)) for number in range(gpus)}, f"{gpus} GPUs")
    except EnvironmentRefusal as refusal:
        return refusal.what
    kept = sum(found[f"{name} of a layer, kept"] for name in ("factors", "circuits", "examples")) + found["sums and histograms of a layer"]
    # Any layer's circuits need the token circuit beside them: a copy, where it lies on another GPU.
    work = found["token circuit, kept"] + max(found[name] for name in found if "kept" not in name)
    devices = []
    for number in range(gpus):
        here = [part for part, device in where.items() if device == number]
        weights = sum(w.nbytes for name, w in model.named_parameters() if any(name.startswith(f"{part}.") for part in here))
        layers = sum(".layers." in part for part in here)
        devices.append({"layers": layers, "weights": weights, "kept": layers * kept, "work": work})
    return devices


def count(shape: Shape = LLAMA_70B) -> dict[str, object]:
    """All that is counted, as in docs/data/memory.json."""
    by_batch = {str(batch): parts(shape, batch) for batch in BATCHES}
    spread_over = {str(gpus): {batch: placed(shape, gpus, found) for batch, found in by_batch.items()} for gpus in GPUS}
    weights = sum(weight.nbytes for weight in shape.build("meta").parameters())
    return {"shape": asdict(shape), "window": WINDOW, "gpu_bytes": GPU_BYTES, "weights": weights, "parts": by_batch, "gpus": spread_over}


def main(arguments: list[str]) -> None:
    """Write what is counted, and with --check what was measured beside it; print the tables."""
    from extract.bench import memory_check, memory_page

    before = json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else {}
    checked = memory_check.check() if "--check" in arguments else before.get("checked")
    DATA.write_text(json.dumps(count() | {"checked": checked}, indent=1) + "\n", encoding="utf-8")
    print(memory_page.render(json.loads(DATA.read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
