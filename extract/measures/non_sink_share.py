"""Non-sink share: 1 − p_i0 f_0 / Σ_j p_ij f_j, f_j = ‖ṽ_j W̃_O‖: what the first position does not give of the summed norms.

Share in [0, 1]; 0 where the head could write nothing whatever it saw. Leaves out query 0. Source: arXiv 2004.10102."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import Measure

MEASURE = Measure(
    id="non_sink_share",
    title="Share not written from the first position",
    unit="share",
    low=0.0,
    high=1.0,
    definition="Of the norms of what a head takes from each position, weighted by its attention, the share that does not come from the"
    " first position; the first token of a window is left out.",
    source="Norm-based attention analysis of Kobayashi et al., arXiv 2004.10102; constant parts folded out, centred where the weights are.",
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """One minus the first position's share of the weighted norms, per scored query."""
    return 1 - heads.first_key_norm_share
