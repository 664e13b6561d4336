"""OV copying: Σλ / Σ|λ| over the eigenvalues λ of a head's circuit from embedding to unembedding. In [−1, 1], from the weights alone.

1: seeing a token raises that token's own logits, however tokens are mixed; −1: it lowers them. Worked out as the head_dim² matrix with
the same eigenvalues ≠ 0. Leaves out the layers between, the norms' scales and the biases; 0 where all eigenvalues are. One value per
window, the same in all."""

from jaxtyping import Float
from torch import Tensor

from extract.layer_heads import LayerHeads
from extract.measures import WEIGHTS, Measure

MEASURE = Measure(
    id="ov_copying",
    title="Copying through the output circuit",
    unit="1",
    low=-1.0,
    high=1.0,
    definition="Sum of the eigenvalues over the sum of their absolute values of a head's circuit from token embedding through values "
    "and output projection to token logits; from the weights alone.",
    source="Copying score of Elhage et al., A Mathematical Framework for Transformer Circuits (2021), norms' weights folded in.",
    condition=WEIGHTS,
)


def compute(heads: LayerHeads) -> Float[Tensor, "batch head unit"]:
    """The head's copying score, once per window."""
    return heads.weights.ov_copying[None, :, None].expand(heads.q.shape[0], -1, -1)
