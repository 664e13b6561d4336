"""Several devices on a machine that has none: tensors that lie on `far:0`, `far:1`, … and are worked out by the processor all the same.

Every operation is real and its values are the processor's; tensors of two devices that meet in one operation are an error, as they are on
GPUs. What PyTorch lets meet there – a number without a dimension, or indices, on the host – may meet here."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "far"
# The host's memory and the devices', which an operation may join.
_CROSSING = ("aten._to_copy.", "aten.to.", "aten.copy_.")
# In these, everything but the first argument may be indices on the host.
_INDEXED = ("aten.index.", "aten.index_put")


class Far(Tensor):
    """A tensor on a far device; `value` is the same on the host."""

    value: Tensor

    @staticmethod
    def __new__(cls, value: Tensor, device: torch.device) -> "Far":
        sizes = {"strides": value.stride(), "storage_offset": value.storage_offset(), "dtype": value.dtype}
        # A view of a weight is no inference tensor either.
        with torch.inference_mode(False):
            made = Tensor._make_wrapper_subclass(cls, value.shape, device=device, **sizes)
        made.value = value
        return made

    @classmethod
    def __torch_function__(cls, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (Tensor.tolist, Tensor.data_ptr):
            return function(args[0].value)
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


@contextmanager
def far_devices() -> Iterator[None]:
    """While open, there are far devices."""
    with _Made(), _Dispatched():
        yield


class _Dispatched(TorchDispatchMode):
    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(function, args, kwargs or {})


class _Made(TorchFunctionMode):
    """Tensors made of numbers: PyTorch makes them on the host and moves them where no mode sees it."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            made = args[0] if isinstance(args[0], Tensor) else function(*args, **kwargs | {"device": "cpu"})
            return made.to(kwargs["device"])
        if function is Tensor.__getitem__ and isinstance(args[1], tuple):
            args = (args[0], tuple(torch.tensor(part) if isinstance(part, list) else part for part in args[1]))
        return function(*args, **kwargs)


class TwoDevices(RuntimeError):
    """Tensors of two devices have met in one operation."""


def _run(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, leaves = str(function), tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    asked = next((leaf for leaf in leaves if isinstance(leaf, torch.device)), None)
    where = {tensor.device for tensor in tensors if tensor.device.type == NAME}
    if not name.startswith(_CROSSING):
        strict = tensors[:1] if name.startswith(_INDEXED) else [tensor for tensor in tensors if tensor.dim()]
        met = where | {tensor.device for tensor in strict}
        if len(met) > 1:
            raise TwoDevices(f"{name}: {', '.join(sorted(map(str, met)))}")
    given, options = tree_map(_on_host, (args, kwargs))
    out = function(*given, **options)
    if name.startswith("aten.copy_."):
        return args[0]
    device = asked or next(iter(where), torch.device("cpu"))
    if device.type != NAME:
        return out
    # What an operation changes in place is the tensor that it was given.
    known = {id(tensor.value): tensor for tensor in tensors if isinstance(tensor, Far) and tensor.device == device}
    return tree_map(lambda leaf: known[id(leaf)] if id(leaf) in known else Far(leaf, device) if isinstance(leaf, Tensor) else leaf, out)


def _on_host(leaf: object) -> object:
    if isinstance(leaf, Far):
        return leaf.value
    return torch.device("cpu") if isinstance(leaf, torch.device) and leaf.type == NAME else leaf


class _Backend(_DummyBackendModule):
    def device_count(self) -> int:
        return 8


def install() -> None:
    """Register the devices, for this process and for good: a process of its own is best."""
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Backend())
