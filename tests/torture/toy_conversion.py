"""The conversion of the embedded model with a toy in place of the model: its folders, its manifest and its renames are the real ones.

Not the reading of GGUF, which would cost half a gigabyte and a minute per trial."""

import shutil
from pathlib import Path
from typing import Any

from extract import assets


def convert(toy: Path) -> int:
    """Make the embedded model's folder in the cache out of the toy checkpoint, where it is not there; gives the exit code."""

    def fetch(package: assets.Package, into: Path) -> Path:
        shutil.copy(toy / "model.safetensors", into / Path(package.file).name)
        return into

    def files(folder: Path, gguf: str) -> None:
        for file in sorted(toy.iterdir()):
            shutil.copy(file, folder)

    real: Any = assets
    real.fetch, real._convert_files = fetch, files
    assets.fetch_model()
    return 0
