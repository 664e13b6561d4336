"""The report's command line: one line per mistake, its exit code, and nothing lost."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from planting import PLANTED, ROOT, figures_of, write_counters

from report.build import Built


def report(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "report", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    )


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["biuld"], 2, "Did you mean 'build'"),
        (["build"], 2, "Missing argument 'counters'"),
        (["build", "nowhere.duckdb"], 7, "no such file"),
        (["build", "README.md"], 7, "not a DuckDB file"),
        (["build", "site/mine.duckdb"], 2, "the counters would be lost with the old site (mine.duckdb)"),
        (["build", "README.md", "--publish", "site/data/h.duckdb"], 2, "the published file would be lost with the old site (h.duckdb)"),
        (["check", "README.md", "site"], 7, "not a DuckDB file"),
        (["serve", "nowhere"], 5, "no site there"),
        (["serve", "--port", "99999"], 2, "'--port'"),
    ],
)
def test_a_mistake_gets_one_line_and_its_exit_code(arguments: list[str], code: int, words: str) -> None:
    done = report(*arguments)
    assert done.returncode == code, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert "; fix: " in done.stderr
    assert words in done.stderr


def test_an_unfinished_run_says_how_far_it_got(tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "c.duckdb", PLANTED, shards_done=3)
    done = report("build", counters, "--out", tmp_path / "site", "--publish", tmp_path / "h.duckdb")
    assert done.returncode == 7
    assert "3 of 8 shards" in done.stderr
    assert "--allow-partial" in done.stderr
    assert not (tmp_path / "site").exists()


@pytest.mark.slow
def test_an_unfinished_run_that_is_allowed_wears_a_banner(tmp_path: Path) -> None:
    counters = write_counters(tmp_path / "c.duckdb", PLANTED, shards_done=3)
    done = report(
        "build",
        counters,
        "--out",
        tmp_path / "site",
        "--publish",
        tmp_path / "h.duckdb",
        "--allow-partial",
        "--figures",
        figures_of(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "The run is unfinished" in (tmp_path / "site" / "figures" / "toy" / "activation" / "index.html").read_text()


def test_the_check_ends_with_0_on_a_true_site_and_1_on_a_false_one(copy_of_built: tuple[Path, Path], built: Built) -> None:
    published, site = copy_of_built
    assert report("check", published, site).returncode == 0
    page = site / "index.html"
    page.write_text(page.read_text().replace(">45.8<", ">45.7<", 1))
    done = report("check", published, site)
    assert done.returncode == 1
    assert "45.7" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serving_ends_well_when_it_is_asked_to(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "index.html").write_text("a site")
    command = [sys.executable, "-u", "-m", "report", "serve", str(tmp_path), "--port", str(free_port())]
    serving = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert serving.stdout is not None
    assert serving.stdout.readline().endswith("Ctrl-C ends it\n")
    serving.send_signal(number)
    assert serving.communicate(timeout=60)[1] == ""
    assert serving.returncode == 0


# What a shell does that starts a job in the background.
IGNORING = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh"]


def test_ctrl_c_for_another_program_ends_nothing_in_the_background(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("a site")
    command = [*IGNORING, sys.executable, "-u", "-m", "report", "serve", str(tmp_path), "--port", str(free_port())]
    serving = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None
        address = serving.stdout.readline().split()[0]
        serving.send_signal(signal.SIGINT)
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
            assert answer.read() == b"a site"
        serving.send_signal(signal.SIGTERM)
        assert serving.communicate(timeout=60)[1] == ""
        assert serving.returncode == 0
    finally:
        serving.kill()


A_BUG = "fix: a bug: run again with --debug and report what it shows"


def build_with(package: str, tmp_path: Path, *under: str) -> subprocess.CompletedProcess[str]:
    """A build that finds this in the place of DuckDB's package."""
    (tmp_path / "duckdb.py").write_text(package)
    command = [*under, sys.executable, "-m", "report", "build", "README.md"]
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=path)


def test_an_error_in_the_background_is_not_told_as_an_interruption(tmp_path: Path) -> None:
    done = build_with("raise RuntimeError('broken')", tmp_path, *IGNORING)
    assert (done.returncode, done.stderr) == (1, f"error: RuntimeError: broken (duckdb.py, line 1); {A_BUG}\n")


@pytest.mark.parametrize(
    ("package", "code", "told"),
    [
        ("import numpy_of_mine", 5, "error: numpy_of_mine is not installed (environment); fix: pip install 'headcount[report]'"),
        ("raise ImportError('libc.so.9: no such file')", 1, f"error: ImportError: libc.so.9: no such file (duckdb.py, line 1); {A_BUG}"),
        (
            "from math import mine",
            1,
            f"error: ImportError: cannot import name 'mine' from 'math' (PATH) (duckdb.py, line 1); {A_BUG}",
        ),
        ("import report.of_mine", 1, f"error: ModuleNotFoundError: No module named 'report.of_mine' (duckdb.py, line 1); {A_BUG}"),
    ],
    ids=["a package that is missing", "a library that does not load", "a package of another version", "a module of our own"],
)
def test_only_a_package_that_is_missing_is_told_as_not_installed(tmp_path: Path, package: str, code: int, told: str) -> None:
    done = build_with(package, tmp_path)
    assert (done.returncode, re.sub(r"\((/\S+|unknown location)\)", "(PATH)", done.stderr)) == (code, f"{told}\n")


def test_a_port_in_use_is_named_with_the_next_one(built: Built) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = report("serve", built.site, "--port", port)
    assert done.returncode == 5
    assert f"try --port {port + 1}" in done.stderr
