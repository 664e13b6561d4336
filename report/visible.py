"""Text of the counters as readers may be shown it: what is not seen, but changes what is, becomes a symbol that is seen.

A token, a title or an imported table may hold control characters, ends of lines that only some programs know, and marks that turn the
direction of all that follows. The published file has a symbol in the place of each, so that pages, pictures, downloads and the console, and
the check of them, have one text; the counters keep what was there. Tokens keep their line ends and tabulators, which pages show as ⏎ and
⇥."""

import duckdb

from report.database import identifier
from report.errors import DatabaseRefusal

UNKNOWN, LINE_END = "\ufffd", "\u2424"
CONTROLS = {chr(code): chr(0x2400 + code) for code in range(32)} | {"\x7f": "\u2421"}
LINE_ENDS = dict.fromkeys("\x85\u2028\u2029", LINE_END)
# The other control characters; marks of direction that reach beyond themselves; codes that Unicode never gives a character.
NAMELESS = [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), *range(0xFDD0, 0xFDF0)]
NAMELESS += [plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)]
SYMBOLS = {chr(code): UNKNOWN for code in NAMELESS} | CONTROLS | LINE_ENDS
# Vega takes a backslash in the name of an axis or of a tooltip for the beginning of a code, and with a quotation mark for the end of it.
BACKSLASH = {"\\": "\u2216"}
TITLES = {("run", "title"), ("measure", "title"), ("measure", "unit"), ("published_count", "title")}
TOKENS = {("example_token", "token"), *(("worked_token", column) for column in ("text_before", "token", "text_after"))}
KEYS = {"run_id", "id", "measure", "figure", "band_colour", "range_label"}


def hidden(connection: duckdb.DuckDBPyConnection, database: str) -> dict[tuple[str, str], dict[str, str]]:
    """The columns of an attached database that hold what is not seen, each with the characters to be replaced and their symbols."""
    columns = connection.execute(
        "select table_name, column_name from duckdb_columns() join duckdb_tables() using (database_name, table_name) "
        "where database_name = $1 and data_type = 'VARCHAR' and not duckdb_tables.internal order by table_name, column_index",
        [database],
    ).fetchall()
    found = {}
    for table, column in columns:
        symbols = symbols_for(table, column)
        texts = f"select distinct {identifier(column)} as text from {database}.{identifier(table)}"
        if connection.execute(f"select 1 from ({texts}) where regexp_matches(text, $1) limit 1", [pattern(symbols)]).fetchall():
            found[table, column] = symbols
    return found


def hiding_comments(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, str]:
    """The comments of an attached database that hold what is not seen, by what they are on, in the words of SQL."""
    own = "where database_name = $1 and not internal and regexp_matches(comment, $2)"
    rows = connection.execute(
        f"select table_name, null, comment from duckdb_tables() {own} union all "
        f"select table_name, column_name, comment from duckdb_columns() {own}",
        [database, pattern(SYMBOLS)],
    ).fetchall()
    found = {}
    for table, column, comment in rows:
        place = f"{database}.{identifier(table)}"
        found[f"table {place}" if column is None else f"column {place}.{identifier(column)}"] = comment
    return found


def hides(connection: duckdb.DuckDBPyConnection, database: str) -> bool:
    """True where an attached database holds anything that is not seen."""
    return bool(hidden(connection, database) or hiding_comments(connection, database))


def show(connection: duckdb.DuckDBPyConnection, database: str, file: str) -> None:
    """Put symbols in the place of all that is not seen; `file` is its name, in a refusal.

    Raises:
        DatabaseRefusal: two names of runs, measures, figures, ranges or bands would then be one.
    """
    for (table, column), symbols in hidden(connection, database).items():
        place, name = f"{database}.{identifier(table)}", identifier(column)
        count = f"select count(distinct {name}) from {place}"
        before = connection.execute(count).fetchall()
        connection.execute(
            f"update {place} set {name} = translate({name}, $1, $2) where regexp_matches({name}, $3)",
            ["".join(symbols), "".join(symbols.values()), pattern(symbols)],
        )
        if column in KEYS and connection.execute(count).fetchall() != before:
            what = f"two names in {table}.{column} differ in control characters alone"
            raise DatabaseRefusal(what, file, "give one of them another name where it was measured or imported")
    for thing, comment in hiding_comments(connection, database).items():
        # COMMENT takes no parameters.
        shown = comment.translate({ord(character): symbol for character, symbol in SYMBOLS.items()}).replace("'", "''")
        connection.execute(f"comment on {thing} is '{shown}'")


def symbols_for(table: str, column: str) -> dict[str, str]:
    """The characters that a column may not show, with their symbols."""
    if (table, column) in TOKENS:
        return {character: symbol for character, symbol in SYMBOLS.items() if character not in "\t\n\r"}
    return SYMBOLS | BACKSLASH if (table, column) in TITLES else SYMBOLS


def pattern(symbols: dict[str, str]) -> str:
    """A regular expression of DuckDB's that finds one of the characters."""
    return "[" + "".join(f"\\x{{{ord(character):x}}}" for character in symbols) + "]"
