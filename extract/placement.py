"""Where the parts of a model lie: on one device; on several GPUs of one machine, as accelerate spreads them; or off them until they run.

Weights that accelerate has offloaded stand on the meta device but for their own forward. Nothing here makes a hook: accelerate's are
asked."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from extract.errors import EnvironmentRefusal
from extract.progress import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

Free = dict[int | str, int]
Placement = dict[str, int | str | torch.device]

# What a device keeps free of weights: what one layer takes while it is measured. See docs/scale.md for what that is.
ROOM = 0.05


def plan(config: "PreTrainedConfig", dtype: torch.dtype, device: str, name: str) -> Placement:
    """Which part of the model goes to which device of this machine, as accelerate balances them; read from the configuration alone.

    Raises EnvironmentRefusal where the weights do not fit on the devices asked for: none is offloaded."""
    from transformers import AutoModelForCausalLM

    with quiet_transformers(), torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, trust_remote_code=False)
    return spread(model, free_memory(device), name)


def free_memory(device: str) -> Free:
    """Bytes that weights may take on each GPU, or in the host's memory."""
    if device == "cuda":
        return {number: int(torch.cuda.mem_get_info(number)[0] * (1 - ROOM)) for number in range(torch.cuda.device_count())}
    from accelerate.utils import get_max_memory

    return {"cpu": int(get_max_memory()["cpu"] * (1 - ROOM))}


def spread(model: "PreTrainedModel", free: Free, name: str) -> Placement:
    """As `plan`, for a model whose weights need not be there, over devices with so many bytes free."""
    from accelerate import infer_auto_device_map
    from accelerate.utils import get_balanced_memory

    model.tie_weights()
    whole = list(model._no_split_modules or ())
    balanced = get_balanced_memory(model, dict(free), no_split_module_classes=whole)
    placed: Placement = infer_auto_device_map(model, {**balanced}, no_split_module_classes=whole)
    # Where parts are left over, accelerate means to read them from the disk at every forward.
    left = [part for part, where in placed.items() if where not in free]
    if left:
        total, over = _bytes(model, [""]), _bytes(model, left)
        where = "GPU" if "cpu" not in free else "host"
        what = f"{over / 1e9:.3g} of {total / 1e9:.3g} GB of weights do not fit in the {where} memory that is free"
        fix = "--dtype bfloat16, a smaller model, or more memory; weights are not offloaded"
        raise EnvironmentRefusal(what, name, fix)
    return placed


def _bytes(model: nn.Module, parts: list[str]) -> int:
    """What the weights of these parts take, a tied one once."""
    named = {
        id(weight): weight
        for part in parts
        for name, weight in model.named_parameters()
        if part in ("", name) or name.startswith(part + ".")
    }
    return sum(weight.nbytes for weight in named.values())


def entrance(model: "PreTrainedModel") -> torch.device:
    """Where the model takes its tokens: the device on which its embedding runs."""
    embedding = cast(nn.Module, model.get_input_embeddings())
    with materialised(embedding):
        return next(embedding.parameters()).device


def is_offloaded(*modules: nn.Module) -> bool:
    """Whether a weight of these is not there."""
    return any(weight.is_meta for module in modules for weight in module.parameters())


@contextmanager
def materialised(*modules: nn.Module, within: bool = True) -> Iterator[None]:
    """While open, the weights that these modules hold are there, and those of all modules within them."""
    with ExitStack() as stack:
        if is_offloaded(*modules):
            from accelerate.utils import align_module_device

            # accelerate's hooks stand at the modules that hold weights themselves.
            for part in {part: None for module in modules for part in (module.modules() if within else (module,))}:
                stack.enter_context(align_module_device(part))
        yield


def together(parts: Sequence[Tensor]) -> Tensor:
    """One tensor of what lies on several devices, on the first one's."""
    return torch.stack([part.to(parts[0].device) for part in parts])
