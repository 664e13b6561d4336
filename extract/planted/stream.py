"""The residual stream of a planted model: which of its numbers hold what.

A channel holds one code. Code 0 has a number of its own, every other number serves two codes, one with + and one with −: two codes agree
(1), have nothing in common (0), or are opposites (−1). The last number of a channel is minus the sum of the others. So every code sums to
zero, and has the squared length 2: the mean and the length of the stream are the same at every position, and a norm only rescales it."""

import itertools
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from transformers import PreTrainedModel

from extract.planted import FIRST_TOKEN, KINDS, NOT_FIRST, NOTHING, TOKEN, TRIGGER, TRIGGERED

# Nats between the score of what a head looks at and the best of all others: e^-60 is nothing, in float64 too.
GAP = 60.0


def codes(count: int) -> Float64[Tensor, "count size"]:
    """The codes of `count` tokens or positions."""
    table = torch.zeros(count, size(count), dtype=torch.float64)
    number = torch.arange(count)
    table[number, (number + 1) // 2] = torch.where((number % 2 == 1) | (number == 0), 1.0, -1.0).double()
    return table


def size(count: int) -> int:
    """Numbers in a code, the balance left out."""
    return count // 2 + 1


@dataclass(frozen=True)
class Channel:
    """`length` numbers of the stream from `start` on that hold a code, and one more that balances them."""

    start: int
    length: int

    @property
    def end(self) -> int:
        """The number after the balance."""
        return self.start + self.length + 1

    @property
    def code(self) -> slice:
        """Where the code stands."""
        return slice(self.start, self.start + self.length)

    def balanced(self, code: Float64[Tensor, "some length"], width: int) -> Float64[Tensor, "some width"]:
        """Codes written into a stream of so many numbers."""
        stream = torch.zeros(len(code), width, dtype=torch.float64)
        stream[:, self.code] = code
        stream[:, self.end - 1] = -code.sum(-1)
        return stream


@dataclass(frozen=True)
class Stream:
    """The channels of a model for windows of `window` tokens; `positions` only where positions are learned.

    token: the token here; before: the token before, once the first layer has written it; scratch: what nobody reads; flag: (the trigger,
    any other); mark: one number that some heads write; here, behind: this position and the one before."""

    window: int
    positions: bool

    @property
    def channels(self) -> dict[str, Channel]:
        """Every channel, by name."""
        whole = size(self.window)
        lengths = {"token": whole, "before": whole, "scratch": whole, "flag": 2, "mark": 1}
        lengths |= {"here": whole, "behind": whole} if self.positions else {}
        starts = itertools.accumulate((length + 1 for length in lengths.values()), initial=0)
        return {name: Channel(start, length) for (name, length), start in zip(lengths.items(), starts, strict=False)}

    @property
    def used(self) -> int:
        """Numbers that the channels take."""
        return max(channel.end for channel in self.channels.values())

    def token_embedding(self, width: int) -> Float64[Tensor, "token width"]:
        """Each token's code, and the flag that says whether it is the trigger."""
        flags = torch.zeros(self.window, 2, dtype=torch.float64)
        flags[:, 1] = 1
        flags[TRIGGER] = torch.tensor([1.0, 0.0])
        token, flag = (self.channels[name] for name in ("token", "flag"))
        return token.balanced(codes(self.window), width) + flag.balanced(flags, width)

    def position_embedding(self, width: int) -> Float64[Tensor, "position width"]:
        """Each position's code, and that of the position before; before the first stands itself."""
        code = codes(self.window)
        here, behind = (self.channels[name] for name in ("here", "behind"))
        return here.balanced(code, width) + behind.balanced(code[[0, *range(self.window - 1)]], width)

    def constant(self, width: int) -> Float64[Tensor, " width"]:
        """What gives 1 at every token: a token is the trigger, or it is not."""
        reading = torch.zeros(width, dtype=torch.float64)
        reading[self.channels["flag"].code] = 1
        return reading

    def values(self, width: int) -> Float64[Tensor, "number width"]:
        """What every head's value holds: the token's code, 1 for any but token 0, and 1 for the trigger."""
        code = torch.eye(width, dtype=torch.float64)[self.channels["token"].code]
        trigger = torch.eye(width, dtype=torch.float64)[self.channels["flag"].start]
        return torch.cat([code, (self.constant(width) - code[0])[None], trigger[None]])

    def keys_after_same(self, width: int) -> Float64[Tensor, "number width"]:
        """What a head that looks after the same token finds in a key: the code of the token before, and one half where the token is 0.

        A query asks for its own code, and for that last number: the key of token 0 scores one half where nothing matches. Where the query
        is token 0 itself that half is taken back: the window's first key, before which stands only itself, scores 1 as its equals do."""
        code = torch.eye(width, dtype=torch.float64)[self.channels["before"].code]
        half = torch.eye(width, dtype=torch.float64)[self.channels["token"].start] / 2
        code[0] -= half
        return torch.cat([code, half[None]])

    def written(self, kind: str, width: int) -> Float64[Tensor, "number width"]:
        """What a head of this kind writes for each number of its value."""
        does, length = KINDS[kind], size(self.window)
        read = {TOKEN: (0, length), FIRST_TOKEN: (0, 1), NOT_FIRST: (length, 1), TRIGGERED: (length + 1, 1), NOTHING: (0, 0)}
        start, count = read[does.reads]
        out = torch.zeros(length + 2, width, dtype=torch.float64)
        code = torch.eye(count, self.channels[does.channel].length, dtype=torch.float64)
        out[start : start + count] = does.sign * self.channels[does.channel].balanced(code, width)
        return out


def entering(model: PreTrainedModel, layer: int) -> Float64[Tensor, " width"]:
    """The stream that enters a layer at the first position, once the layers before it are set."""
    with torch.no_grad():
        states = model.base_model(input_ids=torch.zeros(1, 1, dtype=torch.long), output_hidden_states=True, use_cache=False).hidden_states
    entered: Tensor = states[layer][0, 0]
    return entered


def gain(norm: nn.Module, bias: Float64[Tensor, " width"] | float, stream: Float64[Tensor, " width"]) -> Float64[Tensor, " width"]:
    """What a norm multiplies each number of the stream by: the same at every position, for all streams are equally long."""
    weight, place = cast(Tensor, norm.weight), int(stream.abs().argmax())
    with torch.no_grad():
        normed: Tensor = norm(stream[None, None])[0, 0]
    factor = ((normed - bias) / (weight * stream))[place]
    return torch.mul(weight.detach(), factor)
