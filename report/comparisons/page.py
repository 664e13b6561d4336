"""The pages of pairs: one model on two texts, head by head; one page per pair that the file puts side by side."""

from dataclasses import dataclass

from report import comparison_chart, definitions
from report.comparisons.wording import PairAuthor, phrases, titled
from report.facts import Fact, Ledger, inert
from report.figures import Figure
from report.pages import PRIMARY, Chart, Pages, distinct_slugs, summary_of
from report.wording import Reading, Row

NO_WORDS = {"counts": "the figure's measure", "high": "highest", "low": "lowest", "misreading": ""}


@dataclass(frozen=True)
class PairDrawing:
    """The chart and text of a pair: its title as plain text, the address of its page from the root of the documents, and its chart."""

    title: str
    page: str
    reading: Reading
    chart: Chart


def write(pages: Pages, shown: tuple[Figure, ...]) -> list[PairDrawing]:
    """Write the page and the chart of every pair of texts; gives what was drawn, in the order of the navigation."""
    pairs = [row for row in pages.ledger.ask("compare_pairs") if row["kind"].value == "texts"]
    words = {figure.id: figure.words for figure in (*shown, *definitions.imported_figures(pages.ledger.connection, shown))}
    names = {(str(row["run_a"].value), str(row["run_b"].value)): f"{row['run_a'].value} {row['run_b'].value}" for row in pairs}
    slugs = distinct_slugs(list(names.values()))
    drawings = []
    for (run_a, run_b), name in names.items():
        figure = main_figure(pages.ledger, run_a, run_b)
        author = PairAuthor(pages.ledger, run_a, run_b, figure, words.get(figure, NO_WORDS))
        drawing = draw(pages.ledger, author, f"comparisons/{slugs[name]}")
        pages.write_chart(drawing.chart)
        write_page(pages, drawing, author)
        drawings.append(drawing)
    return drawings


def main_figure(ledger: Ledger, run_a: str, run_b: str) -> str:
    """The figure that a pair's page shows head by head: the primary one where both runs have it, else the first."""
    figures = [str(row["figure"].value) for row in ledger.ask("compare_figures", run_a=run_a, run_b=run_b)]
    return PRIMARY if PRIMARY in figures else figures[0]


def draw(ledger: Ledger, author: PairAuthor, slug: str) -> PairDrawing:
    """The chart of a pair: every head a point."""
    reading = author.reading()
    cells = ledger.draw(slug, "compare_all_heads", **author.keys)
    runs, title = author.runs, str(author.whole["figure_title"].value)
    names = (str(runs["a_title"].value), str(runs["b_title"].value))
    description = summary_of(reading)
    spec = comparison_chart.scatter(title, author.words["counts"], names, cells, description)
    return PairDrawing(titled(runs), f"{slug}.md", reading, Chart(slug, spec, description, cells))


def write_page(pages: Pages, drawing: PairDrawing, author: PairAuthor) -> None:
    """The page of one pair."""
    pages.write(
        drawing.page,
        "comparison.md.j2",
        plain_title=inert(drawing.title),
        description=inert(drawing.chart.description),
        reading=drawing.reading,
        runs=author.runs,
        quarantined=[
            author.runs[f"{side}_title"] for side in ("a", "b") if pages.ledger.ask("quarantined", run_id=author.pair[f"run_{side}"])
        ],
        whole=author.whole,
        figures=author.figures,
        matrix=matrix(author.cells),
        columns=[cell for cell in author.cells if cell["a_ordinal"].value == 0],
        ranges=author.ranges,
        heads=author.heads,
        asleep=author.asleep,
        sleepers=author.sleepers,
        words=phrases(author.words),
        tested=bool(author.whole["tested_heads"].value),
        paired=author.runs["sampling"].value == "paired",
        chart=pages.chart(drawing.chart, "../../"),
    )


def matrix(cells: list[Row]) -> list[tuple[Fact, list[Row]]]:
    """Cells of the table of bands, one row per band in the first run."""
    rows: dict[int, list[Row]] = {}
    for cell in cells:
        rows.setdefault(int(str(cell["a_ordinal"].value)), []).append(cell)
    return [(row[0]["a_label"], row) for row in rows.values()]
