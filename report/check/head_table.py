"""The page with the table of all heads: its rows, its columns, and the queries that stand below it."""

from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from report import queries
from report.check.head_answers import Expected, Place, cells, measured, name_of
from report.check.head_page import Cell, cell_of
from report.check.page import Page, attribute, text_of


def compare_table(page: Page, expected: Expected) -> Iterator[str]:
    """What is wrong with a table of heads."""
    tree = LexborHTMLParser(page.html)
    if page.heading != f"Heads of {expected.runs[0]['title']}":
        yield f"“{page.heading}” is not its heading"
    yield from compare_rows(tree, expected)
    wanted = {"head_homes": set[str]()}
    for name, run_id in expected.asked:
        wanted.setdefault(name, set()).add(run_id)
    shown = [(attribute(node, "data-asked"), node) for node in tree.css("[data-asked]")]
    if sorted(name for name, _ in shown) != sorted(wanted):
        yield "the queries below it are not those that were asked"
        return
    for name, node in shown:
        code = node.css_first("pre code")
        if code is None or code.text().strip() != queries.question(name).sql.strip():
            yield f"query {name} is not shown as it is"
        last = node.css("p")
        named = {piece.text() for piece in last[-1].css("code")} - {"$run_id"} if last and wanted[name] else set()
        if named != wanted[name]:
            yield f"query {name} is shown with other parameters than were asked"


def compare_rows(tree: LexborHTMLParser, expected: Expected) -> Iterator[str]:
    """The rows and columns of the table itself."""
    table = tree.css_first("table[data-heads-table]")
    if table is None or attribute(table, "data-run") != expected.run_id:
        yield "there is no table of the heads of its run"
        return
    columns = [attribute(node, "data-column") for node in table.css("thead th[data-column]")]
    intervals = [attribute(node, "data-interval") for node in table.css("thead th[data-interval]")]
    measures = columns[3:]
    known = {row["measure"]: row for place in expected.heads[:1] for row in expected.of("head_standing", place)}
    if columns[:3] != ["head", "layer", "label"] or not set(measures) <= known.keys() or intervals != measures[:1]:
        yield "its columns are not those of the measures"
        return
    titles = [f"{known[name]['title']}, {known[name]['unit']}" for name in measures]
    if [text_of(node) for node in table.css("thead th[data-column]")] != ["Head", "Layer", "Label", *titles]:
        yield "its columns are not called as their measures"
    rows = table.css("tbody tr")
    if [attribute(row, "data-row") for row in rows] != [name_of(place) for place in expected.heads]:
        yield "its rows are not the heads of the file, in order"
        return
    for place, row in zip(expected.heads, rows, strict=True):
        name, links = name_of(place), [attribute(link, "href") for link in row.css("a")]
        found = tuple(cell_of(cell) for cell in row.css("[data-cell]"))
        if found != row_of(place, expected, measures) or links != [f"{name}/"]:
            yield f"the row of {name} is not what the file says of it"
        elif columns_of(row) != columns_for(place, expected, measures):
            yield f"the row of {name} has its values in other columns, or something beside them"


def columns_of(row: LexborNode) -> list[tuple[str, ...]]:
    """What stands in each column of a row: the names of its cells, and the text around them."""
    found = []
    for column in row.css("th, td"):
        named = tuple(attribute(cell, "data-cell") for cell in column.css("[data-cell]"))
        for cell in column.css("[data-cell]"):
            cell.decompose()
        found.append((*named, text_of(column)))
    return found


def columns_for(place: Place, expected: Expected, measures: list[str]) -> list[tuple[str, ...]]:
    """What must stand in each column: a dash where a head has no value or label; the first measure has its interval beside it."""
    values = {row["measure"] for row in expected.of("head_standing", place)}
    labelled = expected.of("head_profile", place)[0]["label"] is not None
    found: list[tuple[str, ...]] = [("head_name", ""), ("layer", ""), ("label", "") if labelled else ("–",)]
    for number, name in enumerate(measures):
        found.append(("mean", "") if name in values else ("–",))
        if number == 0:
            found.append(("low", "high", "to") if name in values else ("–",))
    return found


def row_of(place: Place, expected: Expected, measures: list[str]) -> tuple[Cell, ...]:
    """The cells of one head's row."""
    profile = expected.of("head_profile", place)[0]
    values = {row["measure"]: row for row in expected.of("head_standing", place)}
    found = [*cells(profile, "head_name", "layer")]
    if profile["label"] is not None:
        found += cells(profile, "label")
    for number, name in enumerate(measures):
        if name in values:
            found += measured(values[name]) if number == 0 else measured(values[name])[:1]
    return tuple(found)
