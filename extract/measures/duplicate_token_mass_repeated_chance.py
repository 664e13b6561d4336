"""Chance level of duplicate_token_mass_repeated: the number of such positions over i + 1. Share in [0, 1]. The same for all heads."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import REPEATED, Measure

MEASURE = Measure(
    id="duplicate_token_mass_repeated_chance",
    title="Chance level of attention on earlier copies of the token, repeated random tokens",
    unit="share",
    low=0.0,
    high=1.0,
    definition="What a head with uniform attention would pay to earlier copies of the token; the start token and the first copy are "
    "left out.",
    source="This project: the same queries, uniform attention over all keys that they see.",
    condition=REPEATED,
    chance_of="duplicate_token_mass_repeated",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """Such positions over the positions that the query sees."""
    counts = heads.tokens.same.counts(heads.scoring.window)[:, 1:]
    return heads.uniform(counts)[..., heads.tokens.first_repeat - 1 :]
