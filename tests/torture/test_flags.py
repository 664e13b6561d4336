"""Text that attacks through every flag and argument of both command lines: it means itself, or is refused in one line."""

import hashlib
import http.client
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import workplace
from browsing import served
from planting import figures_of
from typer.main import get_command

from extract.__main__ import app as extract_app
from extract.__main__ import main as extract_main
from report.__main__ import app as report_app
from report.__main__ import main as report_main

TITLE = "Text that attacks, through every flag of both command lines"
Record = Callable[[str, str], None]
Fixed = dict[tuple[str, str], list[str]]
# SQL, a shell, a template, a path out of the folder, marks of direction, the end of a C string, a formula.
ATTACKS = (
    "'; drop table run; attach 'evil.db' as e; --", '"; copy run to \'evil.csv\'; --', "$(touch evil)`touch evil`", "{{ 7*7 }}{run_id}%s",
    "../outside/../../evil", "\u202ex", "x\0y", "=cmd|' /C evil'!A0", "..%2f..%2fevil", "x' as y, \"z", "\n", "1e999", "-1", "nan",
)  # fmt: skip
_COUNTS = ["--title", "T", "--source", "s"]
_HEADS = ["--run", "r", "--measure", "m", "--unit", "tokens", "--source", "s"]
_TOY = ["toy.toml", "--model", "toy", "--corpus", "texts"]
# What is given beside the flag that is tried; a flag given twice means its last value.
SOUND: Fixed = {
    ("extract", "run"): [*_TOY, "--out", "c.duckdb"],
    ("extract", "windows"): [*_TOY, "--out", "c.npy"],
    ("extract", "calibrate"): ["toy.toml", "--out", "done.duckdb", "--name", "nobody"],
    ("extract", "import-heads"): ["heads.csv", "--into", "c.duckdb", *_HEADS],
    ("extract", "import-counts"): ["counts.csv", "--into", "c.duckdb", *_COUNTS],
    ("extract", "bench"): ["--page", "nothing.json"],
    ("extract", "bench-scale"): ["--page", "nothing.json"],
    ("extract", "acceptance"): ["--only", "small", "--small", "nowhere"],
    ("report", "check"): ["planted.duckdb", "nowhere"],
    ("report", "diff"): ["done.duckdb", "Toy", "Toy"],
    ("report", "serve"): ["nowhere"],
}
# The build is tried with all of them at once: see the test below it.
BUILT = {"counters", "out", "publish", "figures", "site_url"}
# What a file is written to before minutes of work; the name is used as that of --out of run is.
LEFT_OUT = {("extract", "prove", "into")}


def flags() -> Iterator[tuple[str, str, Any]]:
    """Every command and parameter that takes a text, a path or a number."""
    for room, app in (("extract", extract_app), ("report", report_app)):
        for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
            for parameter in command.params:
                if not getattr(parameter, "is_flag", False):
                    yield room, name, parameter


def test_every_flag_is_tried() -> None:
    missed = [
        (room, command, parameter.name)
        for room, command, parameter in flags()
        if (room, command) not in SOUND and (room, command, parameter.name) not in LEFT_OUT
        and not ((room, command) == ("report", "build") and parameter.name in BUILT)
    ]  # fmt: skip
    assert missed == [], "a new command or flag: add it to SOUND, or to what the build is tried with"
    assert len(list(flags())) > 50


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place") / "work"
    folder.mkdir()
    workplace.main(str(folder))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, room: str, arguments: list[str]) -> int:
    """The exit code of `python -m ROOM ARGUMENTS`, in this process."""
    monkeypatch.setattr("sys.argv", [room, *arguments])
    # A command ends on the signals in a way of its own, which a test's process must not keep.
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return extract_main() if room == "extract" else report_main() or 0
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command_line(room: str, command: str, parameter: Any, attack: str) -> list[str]:
    """The command with the attack in the place of one parameter."""
    fixed = SOUND[room, command]
    if parameter.param_type_name == "option":
        return [command, *fixed, f"{parameter.opts[0]}={attack}"]
    arguments = [one.name for other, name, one in flags() if (other, name) == (room, command) and one.param_type_name == "argument"]
    at = arguments.index(parameter.name)
    return [command, *fixed[len(arguments) :], "--", *fixed[:at], attack, *fixed[at + 1 : len(arguments)]]


def fingerprints(folder: Path) -> dict[str, str]:
    """Every file around the folder that may not change."""
    files = [path for path in folder.parent.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path): digest(path) for path in files}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_no_text_in_a_flag_is_obeyed(
    place: Path, record: Record, whole: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    before, wrong = fingerprints(place), []
    for number, (room, command, parameter) in enumerate(flags()):
        if (room, command) not in SOUND:
            continue
        for attack in ATTACKS if whole else (ATTACKS[number % len(ATTACKS)],):
            arguments = command_line(room, command, parameter, attack)
            code = run(monkeypatch, room, arguments)
            said = capsys.readouterr().err
            errors = [line for line in said.splitlines() if line.startswith("error: ")]
            new = {name: path for name, path in fingerprints(place).items() if before.get(name) != path}
            # It may write the file that it was told to, by its whole name, and what DuckDB and the program put beside that.
            named = os.path.normpath(attack) if "\0" not in attack else attack
            strays = [name for name in new if not name.startswith(("c.duckdb", "c.npy", named, f"{place.parent}/evil"))]
            refused = 2 <= code <= 7 and len(errors) == 1 and "; fix: " in errors[0]
            outcome = "refused in one line" if refused else "taken as it stands" if code == 0 else "LET IN: neither refused nor taken"
            outcome = "LET IN: another file is written" if strays or [name for name in new if name in before] else outcome
            record(f"Text given to python -m {room} {command}", outcome)
            if outcome.startswith("LET IN"):
                wrong.append((arguments, code, said[-300:], strays))
            for name in new:
                if name.endswith("c.duckdb"):
                    assert_sound(place / name, wrong, arguments)
                (place / name).unlink()
    assert wrong == [], "\n".join(map(repr, wrong))


def assert_sound(counters: Path, wrong: list[Any], arguments: list[str]) -> None:
    """A counters file that a command has written has its tables and one run."""
    with duckdb.connect(str(counters), read_only=True) as connection:
        if connection.execute("select count(*) from run").fetchall() != [(1,)]:
            wrong.append((arguments, "not one run"))


def test_a_build_of_hostile_names_stays_in_its_places_and_is_checked_and_compared(
    place: Path, tmp_path: Path, record: Record, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = "it's \"; drop table run; --<b>{{ 7 }}$(touch evil)"
    figures_of(tmp_path)
    (tmp_path / "figures" / "activation.toml").rename(tmp_path / "figures" / f"{odd}.toml")
    (tmp_path / "figures").rename(tmp_path / f"f {odd}")
    (tmp_path / f"{odd}.duckdb").write_bytes((place / "planted.duckdb").read_bytes())
    out = ["--out", f"s {odd}", "--publish", f"{odd}/p {odd}.duckdb", "--figures", f"f {odd}"]
    assert run(monkeypatch, "report", ["build", f"{odd}.duckdb", *out]) == 0, capsys.readouterr().err
    assert run(monkeypatch, "report", ["check", f"{odd}/p {odd}.duckdb", f"s {odd}"]) == 0, capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == sorted(
        [odd, f"{odd}.duckdb", f"f {odd}", f"s {odd}"]
    )
    record("A site built, checked and compared under names that are SQL, HTML, Jinja and a shell's", "as any other")
    for address in ('https://x.example/"><script>alert(1)</script>/', "javascript:alert(1)//", "https://x.example/\n<b>", "//x.example"):
        assert run(monkeypatch, "report", ["build", f"{odd}.duckdb", *out, "--site-url", address]) == 2, address
        assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]) == 1
        record("An address for --site-url that is markup or none", "refused in one line")
    for name in ("a\nb", "\u202ex", "a\x1bb"):
        (tmp_path / "odd").mkdir()
        (tmp_path / "odd" / f"{name}.toml").write_bytes((tmp_path / f"f {odd}" / f"{odd}.toml").read_bytes())
        assert run(monkeypatch, "report", ["build", f"{odd}.duckdb", "--out", "t", "--publish", "t.duckdb", "--figures", "odd"]) == 2
        assert len([line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]) == 1
        (tmp_path / "odd" / f"{name}.toml").unlink()
        (tmp_path / "odd").rmdir()
        record("A figure file with a control character in its name", "refused in one line")
    for path in (tmp_path / f"s {odd}").rglob("*"):
        assert not path.is_symlink() and path.resolve().is_relative_to(tmp_path / f"s {odd}")
    for address in served(tmp_path / f"s {odd}"):
        wire = http.client.HTTPConnection("127.0.0.1", int(address.rstrip("/").rpartition(":")[2]), timeout=20)
        wire.request("GET", "/")
        assert wire.getresponse().status == 200
        wire.close()
