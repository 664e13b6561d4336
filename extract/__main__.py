"""The command line: `python -m extract`. Builds a RunConfig or reads a table's options, and calls.

Every refusal is one line on stderr, `error: what (where); fix: remedy`, with the exit code of its class; --debug shows the traceback."""

import re
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from extract import config
from extract.acceptance.command import acceptance
from extract.bench.command import bench
from extract.bench.scale.command import bench_scale
from extract.calibration.command import calibrate
from extract.errors import EnvironmentRefusal, Refusal, UsageRefusal, disk_full
from extract.interrupt import Interrupted, Stop, hit_a_query
from extract.next_command import typed

# Stopped where there was nothing to keep; a run says more.
_STOPPED = Interrupted("interrupted", "command line", "run the same command again")

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

RunFile = Annotated[Path, typer.Argument(metavar="RUN.toml", help="The run file, such as runs/embedded.toml.")]
RunFiles = Annotated[list[Path], typer.Argument(metavar="RUN.toml", help="Run files, such as runs/embedded.toml.")]
Table = Annotated[Path, typer.Argument(metavar="TABLE.csv", help="The published table.")]
Into = Annotated[Path, typer.Option("--into", metavar="COUNTERS", help="The counters database, made where it is missing.")]
Source = Annotated[str, typer.Option("--source", metavar="S", help="Where the table comes from, as text.")]
Model = Annotated[str | None, typer.Option("--model", metavar="M", help="Hub name, folder, or embedded.")]
Corpus = Annotated[str | None, typer.Option("--corpus", metavar="C", help="Folder, pattern, .txt, .jsonl, .parquet, or embedded.")]
Window = Annotated[int | None, typer.Option("--window", metavar="T", help="Tokens per window, the start token included.")]
Longest = Annotated[int | None, typer.Option("--max-line-bytes", metavar="N", help="Longest line of the corpus; 64 MiB if not given.")]
Windows = Annotated[int | None, typer.Option("--windows", metavar="N", help="Number of windows.")]


@app.callback()
def about(debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False) -> None:
    """Measure every attention head of a language model over a text, or import a table that somebody published."""


@app.command()
def run(
    run_files: RunFiles,
    out: Annotated[Path, typer.Option(metavar="COUNTERS", help="The counters database.")] = Path("results/counters.duckdb"),
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The run's name, and the title of its charts.")] = None,
    model: Model = None,
    corpus: Corpus = None,
    device: Annotated[str | None, typer.Option(metavar="D", help="auto, cpu or cuda.")] = None,
    device_map: Annotated[str | None, typer.Option(metavar="M", help="auto: one model over all GPUs of the machine.")] = None,
    dtype: Annotated[str | None, typer.Option(metavar="D", help="float32, bfloat16 or float64.")] = None,
    window: Window = None,
    windows: Windows = None,
    max_line_bytes: Longest = None,
    resume: Annotated[bool, typer.Option("--resume", help="Insist that the run has begun already.")] = False,
    retry_quarantined: Annotated[bool, typer.Option("--retry-quarantined", help="Measure quarantined shards again.")] = False,
    salvage: Annotated[bool, typer.Option("--salvage", help="Set aside a log (WAL) that cannot be replayed, and go on without.")] = False,
    workers: Annotated[int | None, typer.Option("--workers", min=1, metavar="N", help="Measure in so many processes, through Ray.")] = None,
    ray: Annotated[str | None, typer.Option("--ray", metavar="ADDRESS", help="A Ray cluster that is up, such as auto.")] = None,
    shards: Annotated[str | None, typer.Option("--shards", metavar="PLACE", help="Folder or bucket that workers share.")] = None,
) -> None:
    """Measure a model, or go on with a run of the same name and configuration; several run files are measured in one pass."""
    texts: dict[str, config.Setting] = {"name": name, "model": model, "corpus": corpus, "device": device, "dtype": dtype}
    given = texts | {"device_map": device_map, "window": window, "windows": windows, "max_line_bytes": max_line_bytes}
    if name is not None and len(run_files) > 1:
        raise UsageRefusal(f"--name {name!r} is one name for {len(run_files)} runs", "command line", "name each in its run file")
    if shards is not None and workers is None and ray is None:
        raise UsageRefusal("--shards is where workers leave their shards", "command line", "add --workers N or --ray auto")
    if ray is not None and not re.fullmatch(r"auto|([\w.-]+|\[[0-9a-fA-F:.]+\]):\d{1,5}", ray):
        raise UsageRefusal(f"{ray!r} is no address of a Ray cluster", "--ray", "give auto, or host:port")
    chosen = [config.read(run_file, **given) for run_file in run_files]
    from extract.cluster import Cluster
    from extract.run import measure

    on: dict[str, config.Setting] = {"workers": workers, "ray": ray, "shards": shards}
    flags = [part for key, value in (given | on).items() if value is not None for part in (f"--{key.replace('_', '-')}", str(value))]
    flags += ["--retry-quarantined"] if retry_quarantined else []
    command = typed("extract", "run", *map(str, run_files), "--out", str(out), *flags)
    cluster = Cluster(workers, ray, shards) if workers is not None or ray is not None else None
    if cluster is not None and any(one.device_map is not None for one in chosen):
        what = "device_map spreads one model over the GPUs of a machine, and each worker has one GPU"
        raise UsageRefusal(what, "command line", "leave --workers and --ray out, or device_map")
    measure(chosen, out, must_resume=resume, retry_quarantined=retry_quarantined, salvage=salvage, cluster=cluster, command=command)


@app.command("import-heads")
def import_heads(
    table: Table,
    into: Into,
    run: Annotated[str, typer.Option("--run", metavar="NAME", help="Name of the run that the table becomes.")],
    measure: Annotated[str, typer.Option("--measure", metavar="M", help="Name of the measure, such as induction_mass_repeated.")],
    unit: Annotated[str, typer.Option("--unit", metavar="U", help="share, %, tokens or another unit.")],
    source: Source,
    bands: Annotated[str | None, typer.Option("--bands", metavar="EDGES", help="Edges such as 0,.2,.4,.6,.8,1.")] = None,
) -> None:
    """Import a table of heads: columns layer, head, value."""
    from extract import imports

    fresh = imports.import_heads(table, into, run=run, measure=measure, unit=unit, source=source, bands=bands)
    _done(fresh, into)


@app.command("import-counts")
def import_counts(
    table: Table,
    into: Into,
    title: Annotated[str, typer.Option("--title", metavar="T", help="Title of the chart.")],
    source: Source,
    model_heads: Annotated[int | None, typer.Option("--model-heads", metavar="N", help="Heads of the whole model.")] = None,
) -> None:
    """Import counts of heads per layer range and band, as a published figure shows them."""
    from extract import imports

    _done(imports.import_counts(table, into, title=title, source=source, model_heads=model_heads), into)


@app.command()
def windows(
    run_file: RunFile,
    out: Annotated[Path, typer.Option(metavar="FILE.npy", help="Where the windows go.")],
    model: Model = None,
    corpus: Corpus = None,
    window: Window = None,
    windows: Windows = None,
    max_line_bytes: Longest = None,
) -> None:
    """Write the run's token windows, int64, windows x tokens, so that another program can measure the same tokens."""
    # Windows have no title: any name will do.
    given: dict[str, config.Setting] = {"model": model, "corpus": corpus, "window": window, "windows": windows}
    chosen = config.read(run_file, name="windows", max_line_bytes=max_line_bytes, **given)
    from extract.loading import save_windows

    save_windows(chosen, out)


app.command("calibrate")(calibrate)
app.command("bench")(bench)
app.command("bench-scale")(bench_scale)
app.command("acceptance")(acceptance)


@app.command()
def prove(into: Into) -> None:
    """Measure heads that were planted in models set by hand, on prose, code, JSON and repeated tokens: what detectors mistake."""
    from extract import proving

    _done(proving.prove(into), into, "planted heads measured into")


@app.command()
def choose() -> None:
    """Print the run file that `make report` uses here, and why (on stderr)."""
    from extract.device import default_run

    run_file, why = default_run()
    print(run_file)
    print(why, file=sys.stderr)


def _done(fresh: bool, into: Path, how: str = "imported into") -> None:
    print(f"{how if fresh else 'already in'} {into}; next: {typed('report', 'build', str(into))}", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and give its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments
    # --debug belongs to every command: people add it at the end of the line that failed.
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        code = app(args=arguments, prog_name="python -m extract", standalone_mode=False)
    except Exception as error:
        if debug:
            traceback.print_exc()
        refusal = _as_refusal(error)
        print(refusal, file=sys.stderr)
        return refusal.exit_code
    if code == Interrupted.exit_code:
        print(_STOPPED, file=sys.stderr)
    return code if isinstance(code, int) else 0


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal | typer.Abort) or hit_a_query(error):
        return error if isinstance(error, Refusal) else _STOPPED
    # The exceptions of click, which typer does not export under one name in all its versions.
    told = getattr(error, "format_message", None)
    if callable(told):
        return UsageRefusal(" ".join(str(told()).split()).rstrip("."), "command line", "see python -m extract --help")
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "extract":
        return EnvironmentRefusal(f"{error.name} is not installed", "Python environment", "pip install -e '.[extract]'")
    full = disk_full(error)
    if full is not None:
        return full
    # torch and DuckDB have words of their own for it.
    if isinstance(error, MemoryError) or re.search("can't allocate memory|Out of Memory|failed to map segment", str(error)):
        fix = "--window lower, a lower batch, a smaller text, or a machine with more; committed shards are kept"
        return EnvironmentRefusal("not enough memory", "this machine", fix)
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return Refusal(
        f"{type(error).__name__}: {' '.join(str(error).split())}", where, "a bug: run again with --debug and report what it shows"
    )


def program() -> NoReturn:
    """As a program of its own: the first Ctrl-C or SIGTERM ends it in order whatever it does, and later ones change nothing."""
    # Never left: Python's own end is not to be torn either.
    Stop().__enter__()
    try:
        code = main()
    except KeyboardInterrupt:
        print(_STOPPED, file=sys.stderr)
        code = _STOPPED.exit_code
    sys.exit(code)


if __name__ == "__main__":
    program()
