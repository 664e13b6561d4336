"""`python -m extract bench`: its options. Nothing here loads torch before the environment is set for it."""

from pathlib import Path
from typing import Annotated

import typer

from extract import config
from extract.bench import machine
from extract.errors import UsageRefusal
from extract.progress import say

CASES = ("gpt2", "xl", "embedded")
TOKENS, QUICK_TOKENS = (128, 512, 1024), (128,)
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
        from extract.bench.page import read, render

        print(render(read(page), page.as_posix()), end="")
        return
    machine.prepare()
    from extract.bench import benchmark, methods

    chosen = tuple(method or methods.METHODS)
    _check(chosen, methods.METHODS, "--method")
    _check(case or (), CASES, "--case")
    _check(dtype or (), DTYPES, "--dtype")
    _check((device,), config.DEVICES[1:], "--device")
    windows = tuple(sorted(tokens or (QUICK_TOKENS if quick else TOKENS)))
    count = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    if min(*windows, 1024) < config.LEAST_WINDOW or max(windows) > 1024:
        raise UsageRefusal(f"windows of {windows[0]} to {windows[-1]} tokens", "--tokens", f"{config.LEAST_WINDOW} to 1024")
    if count < 1 or (layers is not None and layers < 1):
        raise UsageRefusal("nothing to time", "--rounds and --layers", "1 or more")
    per_forward = max(windows) if quick else benchmark.TOKENS_PER_FORWARD[device]
    options = benchmark.Options(
        cases=tuple(case or CASES),
        tokens=windows,
        dtypes=tuple(dtype or DTYPES),
        methods=tuple(name for name in methods.METHODS if name in {*chosen, methods.PLAIN}),
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


def _check(names: tuple[str, ...] | list[str], known: tuple[str, ...], where: str) -> None:
    for name in names:
        if name not in known:
            raise UsageRefusal(f"{name} is unknown", where, f"one of {', '.join(known)}")
