"""What a page of a head must say: its cells, links and picture, worked out from the file's answers without the renderer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from report.check.head_page import Cell, Rows, Table
from report.check.heads_data import decimals_of, written
from report.check.spelling import spelling

Answer = Callable[[str, str], list[dict[str, Any]]]
Row = dict[str, Any]
Place = tuple[int, int]
QUESTIONS = ("head_profile", "head_examples", "head_standing", "head_histogram", "head_similar")
# Rows of the profile by their first column, which says whether the row is there.
PROFILE = (
    ("label",),
    ("looks_at",),
    ("excess_points", "excess_low_points", "excess_high_points"),
    ("labels_passed",),
    ("sink",),
    ("effect_millinats", "effect_low_millinats", "effect_high_millinats"),
)
PROFILE_NAMES = {
    "Label",
    "Looks at",
    "Excess over chance, percentage points",
    "All labels it passes for",
    "Rests on the first position (sink)",
    "Predicted price of replacing its output by its mean, thousandths of a nat per prediction",
}
TICKED = ("0.00391", "0.0625", "0.5", "1", "4")
# Line breaks and tabulators have shapes of their own on a page; other control characters are shown as unknown.
UNSEEN = {code: "\ufffd" for span in ((0, 32), (127, 160), (8232, 8234)) for code in range(*span)} | {10: "\u23ce", 9: "\u21e5"}


@dataclass
class Expected:
    """The answers about one home; `runs` are its own run and the others on its pages, as rows of head_homes."""

    runs: list[Row]
    rows: dict[tuple[str, str], dict[Place, list[Row]]] = field(default_factory=dict)

    @property
    def run_id(self) -> str:
        """The home's own run."""
        return str(self.runs[0]["run_id"])

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Questions and runs behind the pages."""
        return [(name, self.run_id) for name in QUESTIONS] + [("head_standing", run["run_id"]) for run in self.runs[1:]]

    def of(self, question: str, place: Place, run_id: str | None = None) -> list[Row]:
        """The rows about one head."""
        return self.rows[question, run_id or self.run_id].get(place, [])

    @property
    def heads(self) -> list[Place]:
        """The heads of the home."""
        return list(self.rows["head_profile", self.run_id])

    def title(self, place: Place) -> str:
        """Title and heading of a head's page."""
        return f"{name_of(place)} – {self.runs[0]['title']}"

    def line(self, place: Place) -> str:
        """Its description and line in the search index."""
        words = [f"Attention head {name_of(place)} of {self.runs[0]['title']}"]
        label = self.of("head_profile", place)[0]["label"]
        if label is not None:
            words.append("unclassified" if label == "unclassified" else f"labelled {label}")
        words += [
            f"active on {row['mean']:.1f} % of tokens" for row in self.of("head_standing", place) if row["measure"] == "activation_pct"
        ]
        return ", ".join(words) + "."

    def tables(self, place: Place) -> tuple[Table, ...]:
        """The tables of a head's page, in order."""
        run, examples = self.run_id, self.of("head_examples", place)
        largest = tuple(example(row) for row in examples if row["kind"] == "largest")
        drawn = tuple(example(row) for row in examples if row["kind"] != "largest")
        bins = self.of("head_histogram", place)
        parts: list[Table] = [
            ("head_profile", run, "", (("", profile(self.of("head_profile", place)[0])),)),
            ("head_examples", run, "largest", largest),
            ("head_examples", run, "drawn", drawn),
            ("head_standing", run, "", self.standing(place)),
            ("head_histogram", run, "", tuple((str(row["step"]), cells(row, "r_from", "tokens", "pct")) for row in bins)),
            (
                "head_similar",
                run,
                "",
                tuple((str(row["place"]), cells(row, "similar_name", "distance_value")) for row in self.similar(place)),
            ),
        ]
        if self.runs[0]["corpus"] is not None:
            parts.append(("head_homes", "", "", ((run, cells(self.runs[0], "corpus")),)))
        # A table without rows is not there, but for that of the measures.
        return tuple(part for part in parts if part[3] or part[0] == "head_standing")

    def similar(self, place: Place) -> list[Row]:
        """The rows about the heads like it."""
        return self.of("head_similar", place)

    def standing(self, place: Place) -> Rows:
        """The rows of the measures, each with the same head's values on the other runs."""
        others = [{row["measure"]: row for row in self.of("head_standing", place, run["run_id"])} for run in self.runs[1:]]
        return tuple(
            (
                row["measure"],
                (
                    *cells(row, "title", "unit"),
                    *measured(row),
                    *cells(row, "rank", "layer_rank"),
                    *(cell for other in others if row["measure"] in other for cell in measured(other[row["measure"]])),
                ),
            )
            for row in self.of("head_standing", place)
        )

    def links(self, place: Place, slug: str) -> tuple[tuple[str, str], ...]:
        """The links of a head's article, in order."""
        at = self.heads.index(place)
        steps = self.heads[max(0, at - 1) : at] + self.heads[at + 1 : at + 2]
        layer = [other for other in self.heads if other[0] == place[0] and other != place]
        like = [row["similar_name"] for row in self.similar(place)]

        def heads(names: list[str]) -> list[tuple[str, str]]:
            return [(name, f"../{name}/") for name in names]

        whole = [*heads([name_of(other) for other in steps]), ("all heads", "../"), ("map", f"../../../maps/{slug}/")]
        whole += [("measures", "../../../measures/"), *heads(like), *heads([name_of(other) for other in layer])]
        return (*whole, ("queries", "../#queries"), ("published file", "../../../data/"))


def expect(answer: Answer, runs: list[Row], parameters: Callable[[str], str]) -> Expected:
    """The answers about one home; `parameters` makes the JSON of a question's parameters from a run."""
    expected = Expected(runs)
    for name, run_id in expected.asked:
        found = expected.rows.setdefault((name, run_id), {})
        for row in answer(name, parameters(run_id)):
            found.setdefault((row["layer"], row["head"]), []).append(row)
    return expected


def name_of(place: Place) -> str:
    """A head's name."""
    return f"L{place[0]}H{place[1]}"


def seen(text: str) -> str:
    """A text from the file as a page shows it."""
    return text.translate(UNSEEN)


def cells(row: Row, *columns: str) -> tuple[Cell, ...]:
    """Cells of a row; names have no value beside their text."""
    return tuple(
        (name, None, seen(value) if isinstance(value, str) else "n/a")
        if (value := row[name]) is None or isinstance(value, str)
        else (name, str(value), spelling(name, value))
        for name in columns
    )


def measured(row: Row) -> tuple[Cell, ...]:
    """Value and interval of a measure."""
    decimals = decimals_of(row["measure"], row["unit"])
    ends = tuple((name, None, written(row[name], decimals) or "n/a") for name in ("low", "high"))
    mean = row["mean"]
    return (("mean", None if mean is None else str(mean), written(mean, decimals) or "n/a"), *ends)


def profile(row: Row) -> tuple[Cell, ...]:
    """The cells of the profile that have a value."""
    return tuple(cell for columns in PROFILE if row[columns[0]] is not None for cell in cells(row, *columns))


def example(row: Row) -> tuple[str, tuple[Cell, ...]]:
    """One example."""
    band = [name for name in ("r_from", "r_to") if row[name] is not None]
    titled = ["document_title"] if row["document_title"] is not None else []
    columns = [*band, "relative_norm", "text_before", "token", "text_after", *titled]
    return f"{row['kind']}/{row['rank']}", cells(row, *columns, "source_before", "source_token", "source_after", "source_pct")
