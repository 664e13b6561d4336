"""The standard library as a text: what is read of it, and what is not."""

import ast
import sysconfig
from pathlib import Path

import pytest

from extract import corpus, standard_library
from extract.errors import EnvironmentRefusal


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of the test's own in the place of Python's."""
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    return tmp_path


def test_the_library_at_hand_gives_a_passage_of_code_per_module() -> None:
    read = corpus.read("python")
    assert read.name == standard_library.title()
    assert read.licence == "PSF-2.0"
    # Enough for the windows of runs/gpt2-code.toml, at two and a half characters a token.
    assert sum(map(len, read.documents)) > 208 * 1024 * 2.5
    assert {len(document) for document in read.documents} <= set(range(standard_library.PASSAGE - 100, standard_library.PASSAGE + 1))
    assert "argparse.py" in read.titles and "asyncio/base_events.py" in read.titles
    assert not [title for title in read.titles if title and title.startswith(("test/", "idlelib/", "site-packages/"))]
    assert corpus.identify("python") == read.sha256


def test_a_passage_is_the_middle_of_its_module_from_the_beginning_of_a_line_on(library: Path) -> None:
    lines = [f"value_{number:04} = {number}\n" for number in range(1000)]
    (library / "long.py").write_text("".join(lines), encoding="utf-8")
    (library / "short.py").write_text("".join(lines[:50]), encoding="utf-8")
    (library / "latin.py").write_bytes("é".encode("latin-1") * 9000)
    (library / "test").mkdir()
    (library / "test" / "left_out.py").write_text("".join(lines), encoding="utf-8")
    read = corpus.read("python")
    assert read.titles == ("long.py",)
    assert ast.parse(read.documents[0].rpartition("\n")[0]).body[0].targets[0].id in ("value_0444", "value_0445", "value_0446")  # type: ignore[attr-defined]
    assert read.documents[0].startswith("value_")


def test_a_python_without_its_library_as_source_is_named(library: Path) -> None:
    with pytest.raises(EnvironmentRefusal, match=r"no module is there as source .*fix: use a Python that has"):
        corpus.read("python")
