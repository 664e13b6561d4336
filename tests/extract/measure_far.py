"""A program: measures a toy of every listed type that accelerate has spread over far devices, and prints what came of it as JSON."""

import json
import sys

import accelerate
import far_devices
import numpy as np
import pyarrow as pa
import torch
from family_toys import TOYS, VOCABULARY
from transformers import PreTrainedModel

from extract import blocked, families, measures, placement
from extract.attention import mean_outputs, measure_windows
from extract.examples import Examples
from extract.reservoir import Reservoirs
from extract.self_test import self_test
from extract.sums import ShardSums

TOKENS = torch.randint(0, VOCABULARY, (2, 96), generator=torch.Generator().manual_seed(3))


def measured(model: PreTrainedModel) -> tuple[ShardSums, pa.Table]:
    """All that a run measures of a forward, after the self-test: the sums of every measure, and the examples."""
    shape = families.shape(model.config)
    sums, examples = ShardSums(shape.layers, shape.heads), Examples(0, Reservoirs.empty(shape.layers, shape.heads, "cpu"))
    self_test(model, TOKENS[:1])
    modules = measures.discover(measures.NATURAL, measures.HELD_OUT, measures.WEIGHTS)
    # Twice, for examples that are there already, and for sums that are.
    for first in (0, len(TOKENS)):
        measure_windows(model, TOKENS, sums, modules, mean_outputs=mean_outputs(model, TOKENS), also=[examples.taking(first)])
    return sums, examples.to_table("far", 0)


def spread(model: PreTrainedModel, at: str) -> PreTrainedModel:
    """Over four devices: by what accelerate finds room for, or with the two ends of the model on devices of their own."""
    if at == "by room":
        room = int(1.5 * sum(weight.nbytes for weight in model.parameters()) / 3)
        numbered = placement.spread(model, dict.fromkeys(range(4), room), "toy")
    else:
        numbered = by_layer(model)
    where = {name: f"{far_devices.NAME}:{number}" for name, number in numbered.items()}
    return accelerate.dispatch_model(model, device_map=where)


def by_layer(model: PreTrainedModel) -> placement.Placement:
    """Each of the three layers on a device of its own; the unembedding on a fourth, where it is not the embedding itself."""
    blocks = {id(block): number for number, block in enumerate(families.find(model.config).blocks(model))}
    names = {name: blocks[id(part)] for name, part in model.named_modules() if id(part) in blocks}
    layers, _, _ = next(iter(names)).rpartition(".")
    stem, _, _ = layers.rpartition(".")
    within = {f"{stem}.{name}": 0 for name, _ in model.get_submodule(stem).named_children() if f"{stem}.{name}" != layers}
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    without = {name: 0 if tied else 3 for name, _ in model.named_children() if name != stem.partition(".")[0]}
    return within | names | without


def compared(name: str, at: str) -> dict[str, object]:
    plain, table = measured(TOYS[name].make())
    model = spread(TOYS[name].make(), at)
    sums, examples = measured(model)
    other = [key for key in plain.stats if not all(map(np.array_equal, plain.stats[key], sums.stats[key]))]
    other += [kind for kind in plain.histograms if not np.array_equal(plain.histograms[kind], sums.histograms[kind])]
    other += [] if examples.equals(table) else ["examples"]
    devices = sorted({str(weight.device) for weight in model.parameters()})
    return {"kinds": len(sums.stats) + len(sums.histograms), "examples": len(examples), "devices": devices, "other": other}


def main() -> None:
    far_devices.install()
    blocked.BLOCK_BYTES[far_devices.NAME] = blocked.BLOCK_BYTES["cpu"]
    found: dict[str, object] = {}
    with far_devices.far_devices():
        for name in sys.argv[1:] or TOYS:
            for at in ("by room", "by layer"):
                try:
                    found[f"{name}, {at}"] = compared(name, at)
                except Exception as error:
                    found[f"{name}, {at}"] = {"error": f"{type(error).__name__}: {error}"[:300]}
        try:
            torch.ones(2, device="far:0") + torch.ones(2, device="far:1")
        except far_devices.TwoDevices as error:
            found["two devices"] = str(error)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
