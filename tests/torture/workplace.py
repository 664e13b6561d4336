"""The folder in which every case begins: toy models, texts, a run file, tables, a finished run and a planted counters file."""

import json
import random
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
from toy_checkpoint import KINDS, save_checkpoint, save_tokenizer

_TEXT = "the of and in to was is for on as with by he that at from his it an were river city music century war king author"
WORDS = _TEXT.split()
SIZES = {"name": "Toy", "model": "./toy", "corpus": "texts", "window": 16, "windows": 4, "shards": 2, "calibration_windows": 1}
SMALL = {"repeated_windows": 2, "repeated_tokens": 4, "dtype": "float32", "device": "cpu"}
HEADS = "layer,head,value\n0,0,.1\n0,1,.9\n1,0,.5\n1,1,.7\n"


def main(where: str) -> None:
    """Make the folder afresh."""
    folder = Path(where)
    with TemporaryDirectory() as beside:
        tokenizer_file = save_tokenizer(Path(beside) / "tokenizer.json", WORDS)
        for kind in KINDS:
            save_checkpoint(folder / ("toy" if kind == "gpt2" else kind), tokenizer_file, kind)
    (folder / "texts").mkdir()
    choose = random.Random(0)
    for number in range(2):
        (folder / "texts" / f"{number}.txt").write_text(" ".join(choose.choices(WORDS, k=150)) + ".\n", encoding="utf-8")
    write_run(folder)
    (folder / "heads.csv").write_text(HEADS, encoding="utf-8")
    root = Path(__file__).parents[2]
    shutil.copy(root / "runs" / "gpt2-xl-published-counts.csv", folder / "counts.csv")
    (folder / "figures").mkdir()
    shutil.copy(root / "report" / "figures" / "activation.toml", folder / "figures")
    _planted(folder / "planted.duckdb")
    from extract.__main__ import main as extract

    if extract(
        [
            "run",
            str(folder / "toy.toml"),
            "--model",
            str(folder / "toy"),
            "--corpus",
            str(folder / "texts"),
            "--name",
            "Toy",
            "--out",
            str(folder / "done.duckdb"),
        ]
    ):
        raise RuntimeError("the workplace's own run failed")


def write_run(folder: Path, **settings: object) -> None:
    """The run file, with settings of its own; None leaves one out."""
    given = SIZES | SMALL | settings
    # A text, a number, true and false are written alike in JSON and in TOML.
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in given.items() if value is not None)
    (folder / "toy.toml").write_text(text, encoding="utf-8")


def _planted(path: Path) -> None:
    import sys

    sys.path.append(str(Path(__file__).parents[1] / "report"))
    from planting import add_published_counts, write_counters

    write_counters(path, np.array([[10, 90, 95], [30, 90, 90], [50, 88, 100], [70, 85, 90]]), shards=4)
    add_published_counts(path)


def sql(path: Path, *statements: str) -> None:
    """Change a database file as a stranger would."""
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
