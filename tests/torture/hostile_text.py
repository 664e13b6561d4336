"""Text that attacks, and a database with it in every column, name, file and comment that takes one."""

import re
from pathlib import Path

import duckdb
import numpy as np
from labelled_heads import add_detectors
from planted_examples import add_examples
from planted_heads import add_planted_heads
from planting import ROOT, add_published_counts, write_counters

from extract import imports

# HTML, Markdown, Jinja, SQL, Vega, entities, comments and a spreadsheet's formula, all at once.
PRINTED = (
    "=1+1</script></template><img src=x onerror=alert(1)> [x](javascript:alert(2))![x](//evil.example/p) {{ 7*7 }}{% raw %}"
    '`{: onclick=alert(3)}|$run_id\'; drop table t;-- {"expr":"datum.x"} &lt;b&#62;<!-- c -->--> ]]> **b** _i_ #h; Layers: 9; Band: x '
    '\\"+(1+1)+\\"'
)
# Controls of terminals, line ends of three kinds, the end of a C string, marks of direction, codes that XML has not; then a backslash.
CONTROLS = "a\x00b\x07c\x1b[31md\x7fe\x85f\u2028g\u2029h\u202ei\u2066j\ufffek\U0001ffffl\tm\nn\ro\\"
SEEN = "a\u2400b\u2407c\u241b[31md\u2421e\u2424f\u2424g\u2424h\ufffdi\ufffdj\ufffdk\ufffdl\u2409m\u240an\u240do\\"
HOSTILE = f"{PRINTED} {CONTROLS}"
# As it is published; tokens keep their own line ends and tabulators, and no title has a backslash.
SHOWN = f"{PRINTED} {SEEN}"
TOKEN_SHOWN = SHOWN.replace("\u2409", "\t").replace("\u240a", "\n").replace("\u240d", "\r")
TITLE_SHOWN = SHOWN.replace("\\", "\u2216")
# A user may give this name to a run and to a measure that is imported: neither a slash nor a backslash, a hundred characters.
NAME = 'zz">&lt;<img src=x onerror=alert(1)>{{ 7*7 }}[x](javascript:1)`{: id=y}| "\'; drop table t;-- *[a-z]'
# What a user's own figure file may say: no controls, no backslash, and no digit in its words.
TOLD = PRINTED.replace("\\", "")
WORDS = re.sub(r"\d", "x", TOLD)

COLUMNS = {
    "run": ("title", "model", "corpus", "corpus_licence", "hardware", "source", "quantisation", "attention_kernel"),
    "published_count": ("title", "source", "range_label", "band_colour"),
    "measure": ("title", "unit", "definition", "source", "condition"),
    "worked_token": ("text_before", "token", "text_after"),
    "window_document": ("title",),
    "example_token": ("token",),
}
TITLES = {("run", "title"), ("measure", "title"), ("measure", "unit"), ("published_count", "title")}
TOKENS = {"worked_token", "example_token"}
# What stands before the text keeps apart what must be, in both sites alike.
KEYS = {"measure": "id || ' ' || ", "range_label": "range_label || ", "band_colour": "band_colour || "}


def harmless(text: str) -> str:
    """A text of the same length and words that means nothing to anybody."""
    return "".join(" " if letter == " " else "x" for letter in text)


def shown(table: str, column: str) -> str:
    """HOSTILE as the published file has it in a column."""
    return TITLE_SHOWN if (table, column) in TITLES else TOKEN_SHOWN if table in TOKENS else SHOWN


def counters_of(folder: Path, attacks: bool) -> Path:
    """A counters file with HOSTILE, or its harmless twin, in every place."""
    text, name = (HOSTILE, NAME) if attacks else (harmless(HOSTILE), "zz" + harmless(NAME)[2:])
    path = write_counters(folder / "c.duckdb", np.array([[10, 90, 95], [50, 88, 100]]), shards=4)
    add_detectors(add_planted_heads(add_published_counts(path)))
    add_examples(path, kept=1)
    values = "".join(f"{layer},{head},{layer + head}\n" for layer in range(2) for head in range(2))
    (folder / "t.csv").write_text(f"layer,head,value\n{values}", encoding="utf-8")
    imports.import_heads(folder / "t.csv", path, run=name, measure=name, unit="tokens", source=name)
    literal = text.replace("\0", "").replace("'", "''")
    quoted = literal.replace("''", "'").replace('"', '""')
    with duckdb.connect(str(path)) as connection:
        # Two bands are enough; every cell of a table of theirs has the whole text twice.
        connection.execute("delete from published_count where band_ordinal > 1")
        for table, columns in COLUMNS.items():
            for column in columns:
                before = KEYS.get(column, KEYS.get(table, ""))
                connection.execute(f"update {table} set {column} = {before}$1", [text])
        # A stranger's additions: comments, tables, views and macros of their own.
        connection.execute(f"comment on column run.title is '{literal}'")
        connection.execute(f"comment on table run is '{literal}'")
        connection.execute(f'create table "{quoted}" ("{quoted}" varchar)')
        connection.execute(f'create view "v{quoted}" as select \'{literal}\' as "{quoted}"')
    return path


def figures_with(folder: Path, attacks: bool) -> Path:
    """A folder with one figure of the package's, whose texts are TOLD or its harmless twin."""
    text = (ROOT / "report" / "figures" / "activation.toml").read_text(encoding="utf-8")
    for key in ("title", "legend", "high", "low", "counts", "misreading"):
        lines = [line for line in text.splitlines() if line.startswith(f"{key} = ")]
        assert len(lines) == 1, key
        told = TOLD if key in ("title", "legend") else WORDS
        told = told if attacks else harmless(told)
        text = text.replace(lines[0], f"{key} = {toml(f'{key} {told}')}")
    (folder / "figures").mkdir()
    (folder / "figures" / "activation.toml").write_text(text, encoding="utf-8")
    return folder / "figures"


def toml(text: str) -> str:
    """A text as TOML writes it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
