"""docs/families.md, from what the proofs show: the listed types with the bounds they keep, and what is refused in which words."""

from family_proofs import WINDOW, Proof, prove
from family_refusals import REFUSED_OPTIONS, REFUSED_TYPES
from family_toys import TOYS, Toy
from transformers import AutoConfig, PreTrainedConfig

from extract import families
from extract.errors import ModelRefusal

COMMAND = "HEADCOUNT_WRITE_FAMILIES=1 python -m pytest -n 0 tests/extract/test_family_proofs.py"
# Far apart, so that another machine's rounding prints the same: float64 stays below the first, float32 below the second.
FLOAT32 = 2**-24
_BOUNDS = {1e-12: "10⁻¹²", 1e-5: "10⁻⁵"}

_INTRODUCTION = f"""# Families

Every type of model in the first table can be measured. A small random model of each – three layers, with weights, norms and
biases that all matter, sharp attention, windows of {WINDOW} tokens – is held against its own eager attention in float64, and the
table says what came out. Differences are the greatest over all layers, heads and tokens, relative to the greatest value compared,
and given as bounds.

- **attention** – the whole pattern, against the softmax of the queries and keys that the model's own code hands to its attention.
- **eager** – that softmax against the weights that the model's eager attention returns. Most round them to float32, and GPT-Neo
  and GPT-J the scores too.
- **values** – the value projection of each key-value head and its constant part, against the values that the model's own code
  makes.
- **written** – what each head writes (lengths, products, energy by dimension, length over the stream's), against the model's own
  output projection of that head's numbers alone.
- **sum** – the heads' sum and the output bias, against what the output projection gives; behind a norm also against what the norm
  gives, which is rounded to float32.
- **stream** – what leaves the last layer of the measured forward, against the model's own forward, in whichever attention
  transformers chooses.

Each also passes the start-up self-test in float64 and float32, and, but for those marked *routed*, in bfloat16: there rounding
may send a token to another expert, and the self-test refuses a stream that is not the model's own. It runs before every
measurement, so that a checkpoint whose attention is not what its family file says is refused, and never measured wrongly.

| type | layout | attention | eager | values | written | sum | stream |
|---|---|---|---|---|---|---|---|
"""

_NORMS = """
*Norm behind*: a second norm stands between what the attention writes and the stream. It divides every head's part of the sum by
the same number, another for each token, so that what a head writes is still its own: it is measured as it joins the stream, the
norm's weight and that number included.

## What is refused

An option or a type whose numbers would be wrong is refused with one line. A model type that is not listed needs a family file:
one small file in `extract/families/` and one toy in `tests/extract/family_toys.py`.

| refused | the line |
|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = [_row(toy, prove(name)) for name, toy in TOYS.items()]
    configs = [config for config, _ in REFUSED_TYPES] + [AutoConfig.for_model(model_type) for model_type in families.WHY_NOT]
    refused = [f"| `{config.model_type}` | {_sentence(config)} |" for config in configs + [config for config, _ in REFUSED_OPTIONS]]
    first = f"<!-- Generated from the tests; do not edit. Again: {COMMAND} -->\n"
    return first + _INTRODUCTION + "\n".join(rows) + "\n" + _NORMS + "\n".join(refused) + "\n"


def _row(toy: Toy, proof: Proof) -> str:
    differences = (proof.pattern, max(proof.eager, proof.mixed), proof.values, proof.written, max(proof.total, proof.joined))
    cells = [f"`{toy.name.split(',')[0]}`" + toy.name[len(toy.name.split(",")[0]) :], "; ".join(_layout(toy)) or "plain"]
    # Norms that work in float32 make the stream's last digits a matter of chance.
    return f"| {' | '.join(cells + [_bound(difference) for difference in differences] + [_bound(max(proof.stream, FLOAT32))])} |"


def _layout(toy: Toy) -> list[str]:
    """What is special about this layout, from the account that the proof was made with."""
    told = [f"{toy.kv_heads} key-value head{'s' if toy.kv_heads > 1 else ''} for 6"] if toy.kv_heads < 6 else []
    if toy.windows != (None,) * len(toy.windows):
        told.append(f"sliding window in {'all' if None not in toy.windows else 'some'} layers")
    told += ["soft cap"] if toy.softcap is not None else []
    told += ["ALiBi"] if toy.alibi else []
    told += ["norm behind"] if toy.post_norm else []
    told += ["biases"] if toy.biases else []
    return told + (["routed"] if toy.routed else []) + list(toy.features)


def _bound(difference: float) -> str:
    return next(f"< {shown}" for bound, shown in _BOUNDS.items() if difference < bound)


def _sentence(config: PreTrainedConfig) -> str:
    """The refusal up to its remedy, which is this page."""
    try:
        families.find(config)
    except ModelRefusal as refusal:
        return str(refusal).removeprefix("error: ").split(";")[0]
    raise AssertionError(f"{config.model_type} is not refused")
