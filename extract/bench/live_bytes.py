"""LiveBytes: how much memory a piece of work takes at its largest moment, told on the meta device, where tensors have sizes and no values.

The code is run as it is, and its own tensors are counted. Where it asks for a value, it gets one that leads to as much memory as any
would: every row in range, every example new, every pair of equal tokens in reach; one pair of positions in a hundred holds equal tokens."""

import weakref
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakIdKeyDictionary

from extract.reservoir import KEPT, KINDS

# One pair of positions in so many holds equal tokens, in text.
PAIRS = 100


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While open, `live` is what the tensors take that were made on the meta device and are still there, `peak` the most that it was.

    What views share is counted once, what was there before not at all; `rows` is what a number is taken for that only values would tell."""

    def __init__(self, rows: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rows = rows
        self._seen: Any = WeakIdKeyDictionary()
        self.live = self.peak = 0

    def forget_peak(self) -> None:
        """Begin a new `peak` with what is there now."""
        self.peak = self.live

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation, and count what it has made."""
        if torch._C._dispatch_has_kernel_for_dispatch_key(function.name(), "CompositeImplicitAutograd"):
            # Made of other operations, which inference mode would hide.
            with self:
                return function.decompose(*args, **(kwargs or {}))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        for tensor in given:
            self._see(tensor, 0)
        out = self._answer(function, args, kwargs or {}) if any(tensor.is_meta for tensor in given) else None
        out = function(*args, **(kwargs or {})) if out is None else out
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor) and tensor.is_meta:
                self._see(tensor, tensor.untyped_storage().nbytes())
        return out

    def _see(self, tensor: Tensor, size: int) -> None:
        storage = tensor.untyped_storage()
        if storage not in self._seen:
            self._seen[storage] = size
            weakref.finalize(storage, self._free, size)
            self.live += size
            self.peak = max(self.peak, self.live)

    def _free(self, size: int) -> None:
        self.live -= size

    def _answer(self, function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """What an operation gives that asks for values; None for every other one."""
        name = function.overloadpacket.__name__
        if name == "nonzero":
            flags = args[0]
            all_of_it = flags.dim() != 3 or flags.shape[1:] == (len(KINDS), KEPT)
            return torch.empty(flags.numel() // (1 if all_of_it else PAIRS), flags.dim(), dtype=torch.int64, device="meta")
        if name == "_local_scalar_dense":
            return True if args[0].dtype == torch.bool else self._rows if not args[0].is_floating_point() else 1.0
        if name == "bincount":
            count, least = len(args[0]), args[2] if len(args) > 2 else kwargs["minlength"]
            # The later a query, the more keys it has; to the host, which asks for them.
            return torch.linspace(0, count**0.5, least + 1, dtype=torch.float64).square().round().long().diff()
        if name == "index" and any(isinstance(at, Tensor) and at.dtype == torch.bool for at in args[1]):
            return function(args[0], tree_map(_everywhere, args[1]))
        if name == "_to_copy" and torch.device(kwargs.get("device") or "meta").type == "cpu":
            return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
        return None


def _everywhere(at: object) -> object:
    """The indices of a mask that leaves nothing out."""
    return torch.arange(len(at), device=at.device) if isinstance(at, Tensor) and at.dtype == torch.bool and at.dim() == 1 else at
