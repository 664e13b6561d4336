"""`python -m extract calibrate`: its options. Nothing here loads torch."""

from pathlib import Path
from typing import Annotated

import typer

from extract import config
from extract.calibration.calibrate import Asked
from extract.calibration.calibrate import calibrate as calibrate_run
from extract.next_command import typed


def calibrate(
    run_file: Annotated[Path, typer.Argument(metavar="RUN.toml", help="The run file of a run that is measured.")],
    out: Annotated[Path, typer.Option(metavar="COUNTERS", help="The counters database that holds it.")] = Path("results/counters.duckdb"),
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The run's name, where it is not the run file's.")] = None,
    device: Annotated[str | None, typer.Option(metavar="D", help="auto, cpu or cuda.")] = None,
    windows: Annotated[int | None, typer.Option(metavar="N", help="Windows to calibrate on, which the run did not measure.")] = None,
    tokens: Annotated[int | None, typer.Option(metavar="T", help="Tokens of each window that are read; by default all of them.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Short windows and few interventions: two minutes for a small model.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Calibrate anew, with other options, beside what is there.")] = False,
) -> None:
    """What a model loses when heads are silenced wherever they write less than a threshold, beside random controls."""
    chosen = config.read(run_file, name=name, device=device)
    told = {"--name": name, "--device": device, "--windows": windows, "--tokens": tokens}
    flags = [part for flag, value in told.items() if value is not None for part in (flag, str(value))]
    flags += [flag for flag, value in {"--quick": quick, "--again": again}.items() if value]
    shared = (str(run_file), "--out", str(out))
    calibrate_run(
        chosen,
        out,
        Asked(quick, windows, tokens, again),
        command=typed("extract", "calibrate", *shared, *flags),
        run_command=typed("extract", "run", *shared, *(["--name", name] if name else [])),
    )
