"""Fingerprints: an unchanged file is read once, and a long reading is announced."""

from pathlib import Path

import pytest

from extract import fingerprint


def test_large_files_are_hashed_once_and_with_a_word_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"abc")
    first = fingerprint.of_files([file])
    assert first == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(fingerprint, "LARGE", 2)
    assert fingerprint.of_files([file]) == first
    assert capsys.readouterr().err == ""
    file.write_bytes(b"abcd")
    assert fingerprint.of_files([file]) != first
    assert capsys.readouterr().err == "hashing 0.0 GiB, once ...\nhashing 0.0 GiB, once: 0 s\n"


@pytest.mark.parametrize("variable", ["LOGNAME", "USER"])
def test_a_folder_that_is_called_as_its_user_is_has_no_name_of_its_own(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOGNAME", raising=False)
    monkeypatch.setenv(variable, "ada")
    assert fingerprint.own_name(Path("/scratch/Ada")) == "home folder"
    assert fingerprint.own_name(Path("/scratch/ada/texts/..")) == "home folder"
    assert fingerprint.own_name(Path("/scratch/ada/texts")) == "texts"
    assert fingerprint.own_name(Path("/scratch/adage")) == "adage"
