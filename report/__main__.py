"""The command line of the report: build a site from a counters file, check a built one against its file, set two runs side by side."""

import errno
import io
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from report import __version__
from report.errors import EnvironmentRefusal, Refusal, disk_full

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False, help=__doc__)
INTERRUPTED = 130
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a refusal.")]


@app.command()
def build(
    counters: Annotated[Path, typer.Argument(help="The counters file that extract wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the site; replaced as a whole.")] = Path("site"),
    publish: Annotated[Path, typer.Option(help="The published DuckDB file to write.")] = Path("results/headcount.duckdb"),
    figures: Annotated[Path | None, typer.Option(help="Folder of figure files, instead of the package's own.")] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Report on unfinished runs, with a banner.")] = False,
    site_url: Annotated[str, typer.Option(help="Where the site will lie, such as https://example.org/headcount/; it works without.")] = "",
    console: Annotated[bool, typer.Option("--console", help="Add a page that queries the file in the reader's browser.")] = False,
    debug: Debug = False,
) -> None:
    """Publish a counters file and build the site from it."""
    del debug
    from report import site_address
    from report.build import Options
    from report.build import build as build_site

    site_address.refuse_other(site_url)
    built = build_site(counters, out, publish, figures, Options(allow_partial, site_url, console))
    # The environment of `make report` is not on the PATH: say what can be typed as it stands.
    python = ".venv/bin/python" if Path(".venv/bin/python").exists() else "python"
    for run in built.runs:
        print(run)
    how = "all checked" if built.fresh else "built already from the same inputs, all checked again"
    print(f"{out / 'index.html'}: {built.pages} pages, {built.facts:,} facts, {how} against {publish}")
    print(f'next: {python} -m report serve {out}, or: duckdb {publish} "from band_counts"')


@app.command()
def check(
    published: Annotated[Path, typer.Argument(help="The published DuckDB file.")],
    site: Annotated[Path, typer.Argument(help="The site built from it.")],
    debug: Debug = False,
) -> None:
    """Ask the published file every question behind the site again; ends with 1 at the first difference."""
    del debug
    from report.check import check as check_site
    from report.publish import open_counters, refuse_older

    open_counters(published).close()
    refuse_older(published)
    differences = check_site(published, site)
    for difference in differences[:20]:
        print(difference, file=sys.stderr)
    if differences:
        print(f"{len(differences)} differences between {site} and {published}", file=sys.stderr)
        raise typer.Exit(1)
    print(f"{site} says what {published} holds")


@app.command()
def diff(
    database: Annotated[Path, typer.Argument(help="A counters file, or a published one.")],
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="The first run.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="The second run; differences are second minus first.")],
    figure: Annotated[str | None, typer.Option(help="Figure to show head by head; activation where it is not given.")] = None,
    debug: Debug = False,
) -> None:
    """Compare two runs of one file head by head: what they share, in what they differ, and which heads do."""
    del debug
    from report.comparisons.diff import diff as compare

    print(compare(database, run_a, run_b, figure), end="")


@app.command()
def serve(
    site: Annotated[Path, typer.Argument(help="The built site.")] = Path("site"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 8000,
    debug: Debug = False,
) -> None:
    """Show a built site on this machine."""
    del debug
    from report.serve import serve as serve_site

    serve_site(site, port)


@app.command()
def version() -> None:
    """Print the version."""
    print(__version__)


def interrupt(signal_number: int, frame: FrameType | None) -> None:
    """SIGTERM ends as Ctrl-C does, so temporary folders are removed; later signals change nothing, so that the removal is not torn."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def heed() -> list[signal.Signals]:
    """Take over both signals and give back which: one that is ignored from the start, as by a script's job in the background, stays so."""
    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    for number in heeded:
        signal.signal(number, interrupt)
    return heeded


# typer carries its own copy of click and exports the base of its exceptions under no name of its own.
USAGE_ERROR: type[BaseException] = typer.BadParameter.__mro__[2]


def unforeseen(error: Exception) -> Refusal:
    """An error that nobody turned into a refusal: a package that is missing, too little memory or room, or else a bug."""
    # A package that is there and cannot be loaded has words of its own, and installing it again may not help.
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "report":
        return EnvironmentRefusal(f"{error.name} is not installed", "environment", "pip install 'headcount[report]'")
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "Out of Memory" in said:
        return EnvironmentRefusal("not enough memory", "this machine", "close other programs, or build on a machine with more")
    if full := disk_full(error):
        return full
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EnvironmentRefusal(f"cannot be written: {error.strerror}", "disk", "free some space and run the same command again")
    if "Could not write file" in said:
        # DuckDB's words, whose last ones are the system's.
        what = f"cannot be written: {said.rpartition(': ')[2]}"
        return EnvironmentRefusal(what, "disk", "free some space and run the same command again")
    if isinstance(error, FileNotFoundError) and "temporary directory" in said:
        return EnvironmentRefusal("no folder for temporary files can be written", "TMPDIR", "set TMPDIR to one that can")
    last = traceback.extract_tb(error.__traceback__)[-1]
    fix = "a bug: run again with --debug and report what it shows"
    return Refusal(f"{type(error).__name__}: {said}", f"{Path(last.filename).name}, line {last.lineno}", fix)


def main() -> None:
    """Run the command line: refusals and usage errors are one line on stderr with their exit code."""
    heeded = heed()
    debug = "--debug" in sys.argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without the sign for an arrow is no reason to say nothing.
        sys.stdout.reconfigure(errors="replace")
    try:
        # typer turns an interruption into this code, without a word.
        code = app(standalone_mode=False) or 0
    except Refusal as refusal:
        if debug:
            traceback.print_exc()
        print(refusal, file=sys.stderr)
        sys.exit(refusal.exit_code)
    except USAGE_ERROR as error:
        message = getattr(error, "format_message", error.__str__)
        what = " ".join(message().split()).rstrip(".")
        print(f"error: {what} (command line); fix: see python -m report --help", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if debug:
            traceback.print_exc()
        # Whatever has a query running turns an interruption into an error of its own.
        asked_to_stop = any(signal.getsignal(number) is signal.SIG_IGN for number in heeded)
        told = unforeseen(error)
        if not asked_to_stop:
            print(told, file=sys.stderr)
        code = INTERRUPTED if asked_to_stop else told.exit_code
    if code == INTERRUPTED:
        what = "interrupted; the last good site stands"
        print(f"error: {what} (command line); fix: run the same command again", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
