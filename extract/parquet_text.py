"""Documents of a Parquet file: its columns `text` and `title`, as dictionaries, so that a small file does not become a large text."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from extract.errors import CorpusRefusal

if TYPE_CHECKING:
    from pyarrow.parquet import FileMetaData


def documents(file: Path, largest: int) -> Iterator[tuple[str, object]]:
    """Every text with its title, as read: anything, for a title that is no text is left out. No piece of it may say that it is of more
    than `largest` bytes when it is unpacked.

    Raises CorpusRefusal for a file that cannot be used, OSError for one that cannot be read."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as told_of:
            schema, metadata = told_of.schema_arrow, told_of.metadata
        # A title that is no text is left out anyway.
        columns = [name for name in ("text", "title") if schema.names.count(name) == 1 and pyarrow.types.is_string(schema.field(name).type)]
        if "text" not in columns:
            raise CorpusRefusal('no column "text" of strings', file.name, "name the column text")
        _check_unpacked(metadata, file, largest)
        # As dictionaries: a text that is named a million times is held once.
        with parquet.ParquetFile(file, read_dictionary=columns) as table:
            for batch in table.iter_batches(batch_size=1024, columns=columns):
                titles = batch["title"] if "title" in columns else itertools.repeat(pyarrow.scalar(None))
                yield from ((text.as_py(), title.as_py()) for text, title in zip(batch["text"], titles, strict=False) if text.is_valid)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        # What the system says of a file has a number; what Arrow says of its content has none.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        told = next(iter(str(error).splitlines()), type(error).__name__)
        raise CorpusRefusal(f"not a Parquet file: {told}", file.name, "write it again") from error


def _check_unpacked(metadata: "FileMetaData", file: Path, largest: int) -> None:
    """Refuse a file that says itself that a piece of it is larger than any text when it is unpacked."""
    # Of a row group as a whole: what Arrow keeps of its columns ends the process where it is damaged.
    for group in map(metadata.row_group, range(metadata.num_row_groups)):
        if group.total_byte_size > largest:
            what = f"a row group of more than {largest // 2**20} MiB when it is unpacked"
            raise CorpusRefusal(what, file.name, "write it in smaller row groups, or give a part of it")
