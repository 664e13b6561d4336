"""The whole benchmark: every case, type and window timed in turns, memory in processes of their own, linearity, and the breakdown.

bench.json has a header and flat lists of records: `results` (times, ratios, memory; case "linear" for linearity) and `breakdown`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import torch
from transformers import PreTrainedModel

from extract.bench import alone, breakdown, cases, machine, methods, result_file, tables, timing
from extract.bench.cases import Case
from extract.errors import EnvironmentRefusal
from extract.progress import say, waiting

TOKENS_PER_FORWARD = {"cpu": 1024, "cuda": 8192}
# Ten times the windows may cost so many times as much.
LINEAR_BOUND = 10.3
# So much more memory than one window is still called the same.
MEMORY_BOUND = 1.02
_SINGLES, _MANY = 3, 10

Record = dict[str, object]


@dataclass(frozen=True)
class Options:
    """What is to be timed. `layers`: of xl; `per_forward`: tokens per forward, in as many windows as that makes; quick: fewer lines."""

    cases: tuple[str, ...]
    tokens: tuple[int, ...]
    dtypes: tuple[str, ...]
    methods: tuple[str, ...]
    rounds: int
    device: str
    per_forward: int
    layers: int | None = None
    memory: bool = True
    quick: bool = False


def run(options: Options, out: Path) -> None:
    """Time everything, write the file, print its tables. Raises EnvironmentRefusal where the file or the device is not to be had."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentRefusal("asked for cuda, but PyTorch finds no GPU that it can use", "device", "DEVICE=cpu, or check the driver")
    here = machine.describe(options.device)
    if here["busy"]:
        say("warning: this machine is busy with something else; times are not to be trusted")
    if methods.LENS in options.methods and not methods.lens_is_here():
        say(methods.INSTALL_LENS)
    results: list[Record] = []
    parts: list[Record] = []
    found: Record = {"machine": here, "versions": machine.versions(), "results": results, "breakdown": parts}
    for record in _times(options):
        results.append(record)
        # After every step, so that an interruption leaves what was timed.
        result_file.write(found, out)
    if options.device == "cpu" and options.memory:
        _add_memory(results, options)
        results += _linearity(options)
        result_file.write(found, out)
    if options.device == "cpu" and "xl" in options.cases:
        parts += _breakdown(options)
        result_file.write(found, out)
    print(tables.text(found))
    say(f"written: {out}")


def _times(options: Options) -> Iterable[Record]:
    for case in cases.choose(options.cases, options.layers):
        for dtype in options.dtypes:
            model = cases.build(case, getattr(torch, dtype), options.device)
            for tokens in options.tokens:
                batch = max(1, options.per_forward // tokens)
                with waiting(f"timing {case.name}, {dtype}, {batch} x {tokens} tokens"):
                    yield from _time_methods(options, case, dtype, tokens, batch, model)
            del model


def _time_methods(options: Options, case: Case, dtype: str, tokens: int, batch: int, model: PreTrainedModel) -> Iterable[Record]:
    windows = cases.windows(case, tokens, batch + 1)
    forwards = {name: methods.prepare(name, model, case, windows[batch:]) for name in _chosen(options, case, dtype, tokens)}
    runs: dict[str, timing.Run] = {name: partial(forward, windows[:batch]) for name, forward in forwards.items()}
    samples = timing.in_rounds(runs, _rounds(options, tokens), options.device)
    what = _what(case, dtype, tokens, batch)
    for name, taken in samples.items():
        yield what | {"method": name} | timing.record(taken, samples.get(methods.PLAIN), options.device)


def _rounds(options: Options, tokens: int) -> int:
    """Three fifths of the rounds for windows that are not the longest."""
    return options.rounds if tokens == max(options.tokens) else (3 * options.rounds + 4) // 5


def _chosen(options: Options, case: Case, dtype: str, tokens: int) -> tuple[str, ...]:
    """Every method at the longest window in the first type, elsewhere those that answer the main question; quick: in full for one case."""
    here = [name for name in options.methods if name != methods.LENS or methods.lens_is_here()]
    full = tokens == max(options.tokens) and dtype == options.dtypes[0] and not (options.quick and case.name != options.cases[-1])
    return tuple(name for name in here if full or name in methods.BRIEF)


def _what(case: Case, dtype: str, tokens: int, batch: int) -> Record:
    sizes: Record = {"case": case.name, "layers": case.layers, "heads": case.heads, "width": case.width, "cut_short": case.cut_short}
    return sizes | {"dtype": dtype, "tokens": tokens, "batch": batch}


def _add_memory(results: list[Record], options: Options) -> None:
    """peak_bytes and loaded_bytes at the longest window in the first type, of one line of headcount with everything and the main methods;
    null elsewhere. Quick: of two methods of one case."""
    tokens, dtype = max(options.tokens), options.dtypes[0]
    batch = max(1, options.per_forward // tokens)
    for record in results:
        record["loaded_bytes"] = None
        wanted = (methods.PLAIN, "headcount") if options.quick else (*methods.BRIEF, "headcount, all")
        here = record["method"] in wanted and not (options.quick and record["case"] != options.cases[-1])
        if (record["tokens"], record["dtype"]) == (tokens, dtype) and here:
            name, layers, method = str(record["case"]), int(str(record["layers"])), str(record["method"])
            with waiting(f"memory of {name}, {method}"):
                found = alone.run(alone.Task(name, layers, dtype, tokens, batch, method))
            record |= {"peak_bytes": found.peak_bytes, "loaded_bytes": found.loaded_bytes}


def _linearity(options: Options) -> list[Record]:
    """The memory of one window and of fourteen in processes of their own; the time of one window and, after it, of ten more."""
    case = cases.choose(options.cases[:1], options.layers)[0]
    tokens, dtype = max(options.tokens), options.dtypes[0]
    task = alone.Task(case.name, case.layers, dtype, tokens, 1, "headcount")
    with waiting(f"one window and ten of {case.name}"):
        few, many = alone.run(task), alone.run(replace(task, passes=_SINGLES + _MANY, warm=True))
    what = _what(case, dtype, tokens, 1) | {"case": "linear", "model": case.name, "method": "headcount"}
    return [what | record for record in judged(few, many)]


def judged(few: alone.Found, many: alone.Found) -> list[Record]:
    """Of a process that saw one window and one that saw three, then ten: a record for one window and one for ten."""
    one, ten = median(many.cpu_s[:_SINGLES]), sum(many.cpu_s[_SINGLES:])
    empty: Record = {"wall_s": None, "ratio_to_plain": None}
    bound = {"ratio_to_one": ten / one, "bound": LINEAR_BOUND, "holds": ten <= LINEAR_BOUND * one}
    # One window in a new process is the strict comparison; the process's own first windows tell growth from warming up.
    memory = {"peak_to_one": many.peak_bytes / few.peak_bytes, "peak_to_first_windows": many.peak_bytes / many.peaks[_SINGLES - 1]}
    memory_bound = {"memory_bound": MEMORY_BOUND, "memory_holds": many.peak_bytes <= MEMORY_BOUND * few.peak_bytes}
    return [
        empty | {"windows": 1, "cpu_s": one, "peak_bytes": few.peak_bytes, "loaded_bytes": few.loaded_bytes},
        empty
        | {"windows": _MANY, "cpu_s": ten, "peak_bytes": many.peak_bytes, "loaded_bytes": many.loaded_bytes}
        | bound
        | memory
        | memory_bound,
    ]


def _breakdown(options: Options) -> Iterable[Record]:
    case = cases.choose(("xl",), options.layers)[0]
    tokens = max(options.tokens)
    for dtype in options.dtypes:
        model = cases.build(case, getattr(torch, dtype), "cpu")
        with waiting(f"milliseconds of {case.name}, {dtype}"):
            for part in breakdown.break_down(model, cases.windows(case, tokens, 1), options.rounds):
                yield {"case": case.name, "dtype": dtype, "tokens": tokens} | part
