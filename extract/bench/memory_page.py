"""The section on large models, from docs/data/memory.json: prose, and tables in which every figure is one of that file."""

from typing import cast

Record = dict[str, object]

_TOP = """## A model over several GPUs

`python -m extract run RUN.toml --device-map auto` spreads one model over all GPUs of a machine, whole layers as accelerate balances them.
What is measured stays the same, so a run may be begun with it and continued without. Each layer is measured on its own GPU: its factors,
its mean outputs, where windows repeat a token, its examples. Sums come to the host when a forward has ended. The hardware of the run names
every GPU that is used, such as `2 x NVIDIA H100`.

- On a machine without a GPU everything goes to the processor, and the tables are equal, value for value, to those without the option.
- Weights are not offloaded. A layer that is fetched for its own forward is measured to the same values – a test does so, from the host's
  memory and from the disk – but every forward would fetch the whole model again, and what the measures keep of a layer would stay on the
  GPU. What does not fit is refused before anything is loaded, with how much it is.
- A calibration edits a model that lies on one device, and leaves the option out.
- No machine with two GPUs was at hand: that tensors of different devices never meet is tested with devices that are played by the
  processor, for a model of every listed type. GPT-Neo's own forward fails where its two embeddings lie on different devices. Speed over
  several GPUs was not measured. GPUs take turns: only one of them works at a time.

## Memory of a model of Llama-3-70B's shape

{layers} layers, {heads} query heads and {kv_heads} key-value heads of {head_dim} numbers, a stream of {d_model:,}, a feed-forward width of
{feed_forward:,}, a vocabulary of {vocabulary:,}, in {dtype}; windows of {window:,} tokens. The weights take {weights} GB. No such model
was measured: the measuring code was run on the meta device, where tensors have sizes and no values, and the bytes of its own tensors were
counted as they came and went. Figures are in MB (10⁶ bytes) for one window per forward and for eight, which is what a GPU gets by default.

{parts}

*Kept* stays until the run ends; sums and histograms of every layer stay until the end of a forward, and go with it below. A *forward* is
the most that one takes beside the weights and what is kept, when a run begins and every example is new: with q, k and v, blocks of rows,
what heads write, all measures, examples, and the feed-forward part.

How that lies on GPUs of {gpu} GB, of which {room} % are left free of weights; each figure is that of the fullest GPU, in GB (10⁹ bytes):

{gpus}

*For a while* is the largest step that a GPU takes, with a copy of the token circuit beside it. CUDA's own context and gaps between
tensors are not counted. A forward that does not fit is tried again with half the windows.

"""

_CHECK = """### Is the count right?

A model small enough for a processor – {layers} layers, {heads} query heads and {kv_heads} key-value heads of {head_dim}, a stream
of {d_model:,}, float32 – took the same steps in a process of its own; what became resident in each is set against what is counted, in MB.

{checked}

Factorising takes more than is counted: LAPACK's QR has a copy of its input inside one operation, which no count of tensors sees. On a GPU
the libraries' own working space was not measured.

"""

_TENSOR = """### Tensor parallelism

Not supported, and not tested; this is from reading transformers 5.23.0. With a tensor-parallel plan each process holds a slice of every
layer: the projections to queries, keys and values are cut by columns, so by heads, and the output projection by rows, so by the same
heads. The attention function is then called with a process's own heads.

- What is of one head alone would hold as it is: rows of attention, masses, entropy, distance, and norms by the head's factor, since each
  head's slice of the output projection is whole. Weights are then DTensors: the family files would have to take the local part, and
  heads would need their numbers in the whole layer.
- What is of a whole layer would not: the mean norm that activation is relative to, and with it activation, histograms and examples, and
  the share of the loudest. One sum over processes per layer would mend it. A norm between heads and stream needs the sum of all heads.
- The residual stream is whole in every process; the unembedding is cut by tokens, so that the token circuit is a sum over processes.
- The check that heads' outputs add up to the layer's needs all heads too.
"""

_STEPS = {
    "factorise": "factorising",
    "circuit": "token circuit",
    "copying": "circuits of all layers",
    "forward": "a forward over text",
    "held_out": "a forward over a held-out window",
}


def render(found: Record) -> str:
    """The section in Markdown, from the record in docs/data/memory.json."""
    from extract.bench.memory import SMALL
    from extract.placement import ROOM

    shape = cast(Record, found["shape"])
    figures = {"window": found["window"], "weights": _giga(found["weights"]), "gpu": f"{_number(found['gpu_bytes']) / 1e9:.0f}"}
    tables = {"parts": parts(found), "gpus": gpus(found), "room": f"{100 * ROOM:.0f}"}
    text = _TOP.format(**shape, **figures, **tables)
    if found.get("checked"):
        text += _CHECK.format(**vars(SMALL), checked=checked(found))
    return text + _TENSOR


def parts(found: Record) -> str:
    """A row per part, a column per batch."""
    batches = cast(dict[str, Record], found["parts"])
    rows = [[name, *(f"{_number(batch[name]) / 1e6:,.1f}" for batch in batches.values())] for name in next(iter(batches.values()))]
    return _table(["Part", *(f"{batch} window{'s' if batch != '1' else ''}" for batch in batches)], "Part", rows)


def gpus(found: Record) -> str:
    """A row per number of GPUs and batch."""
    rows = []
    for number, batches in cast(dict[str, Record], found["gpus"]).items():
        for batch, devices in batches.items():
            if isinstance(devices, str):
                rows.append([number, batch, f"refused: {devices}", "", "", "", ""])
                continue
            fullest = max(cast(list[Record], devices), key=lambda gpu: sum(_number(gpu[name]) for name in ("weights", "kept", "work")))
            layers = " + ".join(str(gpu["layers"]) for gpu in cast(list[Record], devices))
            each = [fullest[name] for name in ("weights", "kept", "work")]
            rows.append([number, batch, layers, *map(_giga, each), _giga(sum(map(_number, each)))])
    return _table(["GPUs", "Windows", "Layers on each", "Weights", "Kept", "For a while", "Together"], "Layers on each", rows)


def checked(found: Record) -> str:
    """A row per batch and step."""
    rows = []
    for record in cast(list[Record], found["checked"]):
        counted, resident = _number(record["counted"]), _number(record["resident"])
        measured = [f"{counted / 1e6:,.1f}", f"{resident / 1e6:,.1f}", f"{resident / counted:.2f}"]
        rows.append([str(record["batch"]), _STEPS[str(record["step"])], *measured])
    return _table(["Windows", "Step", "Counted", "Resident", "Ratio"], "Step", rows)


def _table(heads: list[str], words: str, rows: list[list[str]]) -> str:
    """In Markdown; every column holds figures, set to the right, but that of `words`."""
    sides = ["---" if head == words else "--:" for head in heads]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, sides, *rows])


def _number(value: object) -> int:
    return cast(int, value)


def _giga(value: object) -> str:
    return f"{_number(value) / 1e9:.1f}"
