"""LayerWeights: what the measures need of a model's weights, worked out once per model."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor, nn

from extract import families, placement
from extract.errors import ModelRefusal
from extract.families import Family

if TYPE_CHECKING:
    # The driver of workers knows the measures, and no model: without transformers it takes 120 MB less.
    from transformers import PreTrainedModel

# Rows of the vocabulary that are multiplied at a time.
_VOCABULARY = 8192


@dataclass(frozen=True)
class BeforeNorm:
    """The sum of what a layer's heads write, where a norm stands between it and the stream: its projection, its bias, the norm's eps.

    The norm divides every head's part of the sum by the same root mean square, another for each token."""

    projection: Float[Tensor, "all_head_dims d_model"]
    bias: Float[Tensor, " d_model"]
    eps: float

    def factor(self, z: Float[Tensor, "batch head query head_dim"]) -> Float[Tensor, "batch query"]:
        """One over the root mean square of the sum, from the heads' outputs."""
        total = z.transpose(1, 2).flatten(2) @ self.projection.to(z.dtype) + self.bias.to(z.dtype)
        return (total.square().mean(-1) + self.eps).rsqrt()


@dataclass(frozen=True)
class LayerWeights:
    """One layer's weights as the measures need them.

    norm_factor: R_h with ‖R_h z‖ = ‖z W̃_O^h‖, W̃_O^h the head's output projection, each row centred where the stream feeds LayerNorms.
    value_bias: the constant part of every value, per query head; rows of attention sum to one, so it is the constant part of z too.
    output_projection: W_O^h as the model keeps it, not centred. token_circuit: see `_token_circuit`, asked for only by who needs it.
    before_norm: of a layer whose sum passes a norm before it joins the stream; that norm's weight is then in W_O^h and in R_h."""

    norm_factor: Float[Tensor, "head rank head_dim"]
    value_bias: Float[Tensor, "head head_dim"]
    centred: bool
    output_projection: Float[Tensor, "head head_dim d_model"]
    value_projection: Float[Tensor, "kv_head d_model head_dim"]
    norm_weight: Float[Tensor, " d_model"]
    token_circuit: Callable[[], Float[Tensor, "d_model d_model"]]
    before_norm: BeforeNorm | None = None

    def written(self, z: Float[Tensor, "batch head some head_dim"]) -> Float[Tensor, "batch head some rank"]:
        """What the heads write for these outputs, without its constant part, in coordinates of each head's own that keep every length."""
        # In place: the constant part is taken out of the product, not out of a copy of z.
        return (z.to(self.norm_factor.dtype) @ self.norm_factor.mT).sub_(self._constant)

    @cached_property
    def _constant(self) -> Float[Tensor, "head 1 rank"]:
        return self.value_bias[:, None] @ self.norm_factor.mT

    @cached_property
    def ov_circuits(self) -> Float[Tensor, "head head_dim head_dim"]:
        """W_O^h (unembedding · embedding) W_V^h, which has the eigenvalues ≠ 0 of the head's circuit from token to token; in float32 or
        more, norms' weights folded in, and what only rescales a token's row (norms, softmax) left out."""
        circuit = self.token_circuit().to(self.output_projection.device)
        values = self.norm_weight.to(circuit.dtype)[:, None] * self.value_projection.to(circuit.dtype)
        output = self.output_projection.to(circuit.dtype)
        group = output.shape[0] // values.shape[0]
        circuits = output @ (circuit @ values).repeat_interleave(group, 0)
        # A circuit in which everything cancels is nothing; what rounding leaves of it has eigenvalues all the same.
        norms = [torch.linalg.matrix_norm(part) for part in (output, circuit, values.repeat_interleave(group, 0))]
        noise = 8 * torch.finfo(circuit.dtype).eps * norms[0] * norms[1] * norms[2]
        return torch.where(torch.linalg.matrix_norm(circuits)[:, None, None] > noise[:, None, None], circuits, 0.0)

    @cached_property
    def ov_copying(self) -> Float[Tensor, " head"]:
        """Σλ / Σ|λ| over the eigenvalues of each head's circuit, on the device of the weights; 0 where all are 0."""
        # Eigenvalues of a matrix that is not symmetric are for the host.
        eigenvalues = torch.linalg.eigvals(self.ov_circuits.double().cpu())
        size = eigenvalues.abs().sum(-1)
        score: Tensor = eigenvalues.real.sum(-1) / torch.where(size > 0, size, 1.0)
        return score.clamp(-1, 1).to(self.norm_factor.device)


def layer_weights(family: Family, block: nn.Module, token_circuit: Callable[[], Tensor]) -> LayerWeights:
    """Factorise one layer's output projection and fold its biases, in float64; kept in the type of the measures.

    Raises ModelRefusal where the attention's weights are stored in a type that is not a floating-point one."""
    quantised = [p.dtype for p in family.attention(block).parameters() if not p.is_floating_point()]
    if quantised:
        raise ModelRefusal(f"attention weights stored as {quantised[0]}", type(block).__name__, "load the model without quantisation")
    projection = family.output_projection(block)
    working = torch.promote_types(projection.dtype, torch.float32)
    norm, before_norm = family.post_norm(block), None
    if norm is not None:
        before_norm = BeforeNorm(projection.flatten(0, 1), family.output_bias(block), norm.eps)
        projection = projection.to(working) * norm.weight.to(working)
    rows = projection.double()
    if family.CENTRED:
        rows = rows - rows.mean(-1, keepdim=True)
    # A Gram matrix would give the same norm with the square of the condition number.
    factor = torch.linalg.qr(rows.mT, mode="r").R
    values = family.value_projection(block)
    bias = families.value_bias(family, block)
    bias = bias.repeat_interleave(projection.shape[0] // bias.shape[0], 0)
    return LayerWeights(
        factor.to(working), bias.to(working), family.CENTRED, projection, values, family.norm_weight(block), token_circuit, before_norm
    )


_weights: "WeakKeyDictionary[nn.Module, tuple[tuple[int, ...], list[LayerWeights]]]" = WeakKeyDictionary()


def model_weights(model: "PreTrainedModel", family: Family) -> list[LayerWeights]:
    """Each layer's weights for the measures, worked out once per model, and again when its weights have changed."""
    state = tuple(number for p in model.parameters() for number in (p.data_ptr(), 0 if p.is_inference() else p._version))
    if model not in _weights or _weights[model][0] != state:
        with torch.inference_mode():
            circuit = cache(_circuit_of(model, family))
            _weights[model] = state, [_materialised_weights(family, block, circuit) for block in family.blocks(model)]
    return _weights[model][1]


def _materialised_weights(family: Family, block: nn.Module, token_circuit: Callable[[], Tensor]) -> LayerWeights:
    """As `layer_weights`, of a layer whose weights may be offloaded: what the measures keep of them is then kept beside them."""
    with placement.materialised(block):
        return layer_weights(family, block, token_circuit)


def _circuit_of(model: "PreTrainedModel", family: Family) -> Callable[[], Float[Tensor, "d_model d_model"]]:
    """What works out a model's token circuit when it is asked for.

    Of modules and tensors, not of the model: a model that its own weights referred to would never be freed."""
    embeddings = model.get_input_embeddings(), model.get_output_embeddings()
    layers = {part for block in family.blocks(model) for part in block.modules()}
    with placement.materialised(*(part for part in model.modules() if part not in layers), within=False):
        norms = family.final_norm_weight(model), family.embedding_norm_weight(model)

    def work_out() -> Float[Tensor, "d_model d_model"]:
        with torch.no_grad(), placement.materialised(*embeddings):
            embedding, unembedding = (cast(Tensor, module.weight) for module in embeddings)
            return _token_circuit(embedding, unembedding, *norms, family.CENTRED)

    return work_out


def _token_circuit(
    embedding: Float[Tensor, "vocabulary d_model"],
    unembedding: Float[Tensor, "vocabulary d_model"],
    final_norm_weight: Float[Tensor, " d_model"],
    embedding_norm_weight: Float[Tensor, " d_model"] | None,
    centred: bool,
) -> Float[Tensor, "d_model d_model"]:
    """W_Uᵀ W_E: how much writing along one direction raises the logits of the tokens that are embedded along another.

    The final norm's weight is folded into the unembedding, that of a norm of the embedding, where there is one, into the embedding; where
    the stream feeds LayerNorms, both sides are centred."""
    working = torch.promote_types(embedding.dtype, torch.float32)
    circuit = embedding.new_zeros(unembedding.shape[1], embedding.shape[1], dtype=working)
    for start in range(0, embedding.shape[0], _VOCABULARY):
        rows = slice(start, start + _VOCABULARY)
        # The two may lie on different devices: a piece at a time comes to the embedding's.
        circuit += unembedding[rows].to(circuit).T @ embedding[rows].to(working)
    circuit *= final_norm_weight.to(circuit)[:, None]
    if embedding_norm_weight is not None:
        # Such a norm is a LayerNorm: it centres what it multiplies.
        circuit = (circuit - circuit.mean(1, keepdim=True)) * embedding_norm_weight.to(circuit)
    if centred:
        circuit -= circuit.mean(0, keepdim=True)
        circuit -= circuit.mean(1, keepdim=True)
    return circuit
