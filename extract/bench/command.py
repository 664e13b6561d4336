"""`python -m extract bench`: its options. Nothing here loads torch before the environment is set for it."""

from pathlib import Path
from typing import Annotated

import typer

from extract import config
from extract.bench import machine, result_file
from extract.errors import UsageRefusal
from extract.progress import say

CASES = ("gpt2", "xl", "embedded")
TOKENS, QUICK_TOKENS = (128, 512, 1024), (128,)
LONGEST = 1024
DTYPES = ("float32", "bfloat16")
ROUNDS, QUICK_ROUNDS = 5, 2

Several = list[str] | None


def bench(
    case: Annotated[Several, typer.Option(metavar="C", help="gpt2, xl or embedded; may be given several times.")] = None,
    tokens: Annotated[list[int] | None, typer.Option(metavar="T", help="Tokens per window.")] = None,
    dtype: Annotated[Several, typer.Option(metavar="D", help="float32 or bfloat16.")] = None,
    method: Annotated[Several, typer.Option(metavar="M", help="plain, headcount, eager, transformer_lens, …; plain is always run.")] = None,
    rounds: Annotated[int | None, typer.Option(metavar="N", help="Rounds that count, after one that does not.")] = None,
    layers: Annotated[int | None, typer.Option(metavar="N", help="Layers of the case xl.")] = None,
    device: Annotated[str, typer.Option(metavar="D", help="cpu or cuda.")] = "cpu",
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Run each method once more in a process of its own.")] = True,
    quick: Annotated[bool, typer.Option("--quick", help="Short windows, few rounds: rough, in two minutes.")] = False,
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where the results go.")] = Path("build/bench.json"),
    page: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Print the page of these results; time nothing.")] = None,
) -> None:
    """Time measuring beside a plain forward pass and beside other ways to the same numbers."""
    if page is not None:
        from extract.bench.page import KEYS, render

        result_file.print_page(page, KEYS, "make bench", render)
        return
    machine.prepare()
    from extract.bench import benchmark, methods

    windows = tuple(sorted(tokens or (QUICK_TOKENS if quick else TOKENS)))
    count = (QUICK_ROUNDS if quick else ROUNDS) if rounds is None else rounds
    named = {
        "--method": (method, methods.METHODS),
        "--case": (case, CASES),
        "--dtype": (dtype, DTYPES),
        "--device": ([device], config.DEVICES[1:]),
    }
    for where, (names, known) in named.items():
        _check(names or [], known, where)
    _check_sizes(windows, count, layers)
    per_forward = max(windows) if quick else benchmark.TOKENS_PER_FORWARD[device]
    options = benchmark.Options(
        cases=tuple(case or CASES),
        tokens=windows,
        dtypes=tuple(dtype or DTYPES),
        methods=tuple(name for name in methods.METHODS if not method or name in {*method, methods.PLAIN}),
        rounds=count,
        device=device,
        per_forward=per_forward,
        layers=layers,
        memory=memory,
        quick=quick,
    )
    if quick:
        say("quick: short windows and few rounds; the ratios are rough")
    benchmark.run(options, out)


def _check(names: list[str], known: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in known:
            raise UsageRefusal(f"{name} is unknown", where, f"one of {', '.join(known)}")


def _check_sizes(windows: tuple[int, ...], rounds: int, layers: int | None) -> None:
    if windows[0] < config.LEAST_WINDOW or windows[-1] > LONGEST:
        raise UsageRefusal(f"windows of {windows[0]} to {windows[-1]} tokens", "--tokens", f"{config.LEAST_WINDOW} to {LONGEST}")
    if rounds < 1 or (layers is not None and layers < 1):
        raise UsageRefusal("nothing to time", "--rounds and --layers", "1 or more")
