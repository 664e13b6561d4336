"""Attention kernels: fused and plain agree in every type and shape, and the plain one is the definition."""

import pytest
import torch

from extract import kernels


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("heads", "kv_heads", "dim", "window"), [(2, 2, 64, 300), (6, 2, 12, 129), (3, 1, 4, 128), (1, 1, 5, 1)])
def test_the_fused_kernel_is_equal_to_the_plain_reference(dtype: torch.dtype, heads: int, kv_heads: int, dim: int, window: int) -> None:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, heads, window, dim, generator=generator).to(dtype)
    k, v = (torch.randn(2, kv_heads, window, dim, generator=generator).to(dtype) for _ in range(2))
    kernel = kernels.choose("cpu", dtype, dim)
    assert kernel.name == "flash_attention_for_cpu"
    (z, lse), (plain_z, plain_lse) = kernel.attend(q, k, v, 0.3), kernels.blockwise(q, k, v, 0.3)
    assert z.dtype == plain_z.dtype == dtype and lse.dtype == plain_lse.dtype == torch.promote_types(dtype, torch.float32)
    exact = dtype == torch.float64
    assert torch.allclose(lse, plain_lse, rtol=0, atol=1e-14 if exact else 2e-6)
    assert (z.double() - plain_z.double()).abs().max() <= (1e-14 if exact else max(4e-6, 4 * torch.finfo(dtype).eps))


def test_the_plain_reference_is_softmax_over_earlier_keys() -> None:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 6, 200, 8, generator=generator, dtype=torch.float64)
    k, v = (torch.randn(2, 2, 200, 8, generator=generator, dtype=torch.float64) for _ in range(2))
    scores = 0.7 * q @ k.repeat_interleave(3, 1).mT
    scores = scores.masked_fill(torch.ones(200, 200).triu(1).bool(), -torch.inf)
    z, lse = kernels.blockwise(q, k, v, 0.7)
    assert torch.allclose(lse, scores.logsumexp(-1), rtol=0, atol=1e-13)
    assert torch.allclose(z, scores.softmax(-1) @ v.repeat_interleave(3, 1), rtol=0, atol=1e-14)


def test_a_type_without_a_fused_kernel_gets_the_plain_one() -> None:
    assert kernels.choose("cpu", torch.complex64, 8) == kernels.Kernel("blockwise", kernels.blockwise)


@pytest.mark.parametrize(("dtype", "name"), [(torch.float32, "efficient_attention"), (torch.bfloat16, "flash_attention")])
def test_the_cuda_kernels_take_what_they_are_given(dtype: torch.dtype, name: str) -> None:
    """Shapes only, on the meta device, which needs no accelerator: grouped heads, a head size and a window that kernels pad."""
    q, k = torch.empty(2, 6, 50, 12, device="meta", dtype=dtype), torch.empty(2, 2, 50, 12, device="meta", dtype=dtype)
    kernel = kernels.choose("meta", dtype, 12)
    z, lse = kernel.attend(q, k, k, 0.3)
    assert kernel.name == name and z.shape == q.shape and lse.shape == q.shape[:3] and lse.dtype == torch.float32
