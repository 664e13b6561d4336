"""Causal attention that also returns the log-sum-exp of every score row, without a T×T matrix: fused kernels, and a plain one.

The fused kernels are private functions of PyTorch, so each is tried before it is used and proved against the plain one at start-up."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

# Fused kernels on CUDA want rows of 16 bytes.
_CUDA_MULTIPLE = 8
_BLOCK = 128

Queries = Float[Tensor, "batch head query dim"]
Keys = Float[Tensor, "batch kv_head query dim"]
LogSumExp = Float[Tensor, "batch head query"]

Attend = Callable[[Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor]]


class Kernel(NamedTuple):
    """A causal attention: `attend(q, k, v, scale)` gives the outputs in q's type and the natural-log LSE, scale included, in ≥ float32."""

    name: str
    attend: Attend


def attend(q: Queries, k: Keys, v: Keys, scale: float) -> tuple[Queries, LogSumExp]:
    """Causal attention with the kernel chosen for this device, type and head size. q, k and v share `dim`; kv heads divide heads."""
    return choose(q.device.type, q.dtype, q.shape[-1]).attend(q, k, v, scale)


@cache
def choose(device: str, dtype: torch.dtype, dim: int) -> Kernel:
    """The fused kernel where it runs at all on this device, otherwise the plain one."""
    fused = _fused(device, dtype)
    probe = torch.ones(1, 1, 2, dim, device=device, dtype=dtype)
    try:
        fused.attend(probe, probe, probe, 1.0)
    except (AttributeError, NotImplementedError, RuntimeError):
        return Kernel("blockwise", blockwise)
    return fused


def blockwise(q: Queries, k: Keys, v: Keys, scale: float) -> tuple[Queries, LogSumExp]:
    """The plain reference: a block of query rows at a time, in at least float32, any device."""
    working = torch.promote_types(q.dtype, torch.float32)
    k, v = (_repeat(x, q).to(working) for x in (k, v))
    outputs, sums = [], []
    for start in range(0, q.shape[2], _BLOCK):
        rows = q[:, :, start : start + _BLOCK].to(working)
        end = start + rows.shape[2]
        scores = rows @ k[:, :, :end].mT * scale
        later = torch.ones(rows.shape[2], end, dtype=torch.bool, device=q.device).triu(start + 1)
        scores = scores.masked_fill(later, -torch.inf)
        sums.append(scores.logsumexp(-1))
        outputs.append((scores.softmax(-1) @ v[:, :, :end]).to(q.dtype))
    return torch.cat(outputs, 2), torch.cat(sums, 2)


def _fused(device: str, dtype: torch.dtype) -> Kernel:
    if device == "cpu":
        return Kernel("flash_attention_for_cpu", _cpu)
    return Kernel("efficient_attention" if dtype == torch.float32 else "flash_attention", _cuda)


def _cpu(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    # Half-precision kernels on a CPU are no faster, and their log-sum-exp is 6e-5 off.
    rows, keys, values = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (q, k, v))
    z, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(rows, keys, values, 0.0, True, scale=scale)
    return z.to(q.dtype), lse


def _cuda(q: Tensor, k: Tensor, v: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    window, dim = q.shape[2:]
    q, k, v = (F.pad(_repeat(x, q), (0, -dim % _CUDA_MULTIPLE)) for x in (q, k, v))
    if q.dtype == torch.float32:
        z, lse, *_ = torch.ops.aten._scaled_dot_product_efficient_attention(q, k, v, None, True, 0.0, True, scale=scale)
    else:
        z, lse, *_ = torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, True, scale=scale)
    return z[..., :dim], lse[..., :window]


def _repeat(x: Tensor, q: Tensor) -> Tensor:
    """Key-value heads once per query head that reads them."""
    return x.repeat_interleave(q.shape[1] // x.shape[1], 1)
