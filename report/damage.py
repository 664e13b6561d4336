"""What DuckDB's errors about a damaged file mean to a user."""

import re
from pathlib import Path

import duckdb

from report.errors import DatabaseRefusal

# DuckDB's file opens with three headers of 4 KiB; then come blocks of 256 KiB, counted from 0.
HEADERS, BLOCK = 3 * 4096, 2**18


def told(error: duckdb.Error, path: Path) -> DatabaseRefusal:
    """The refusal of a file that DuckDB cannot read."""
    said = str(error).splitlines()[0].replace(str(path.absolute()), path.name)
    block = re.search(r"in block at location (\d+)", said)
    if block:
        number = (int(block[1]) - HEADERS) // BLOCK
        where = f"block {number}" if number >= 0 else "its header"
        what = f"damaged at {where} (its checksum is wrong)"
        return DatabaseRefusal(what, path.name, "restore the file from a backup, or measure again")
    fix = "pip install -U duckdb" if "version number" in said else "restore the file from a backup, or measure again"
    return DatabaseRefusal(f"DuckDB cannot read it: {said}", path.name, fix)
