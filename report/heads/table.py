"""The table of all heads of a home: a page of the navigation whose rows are put in after MkDocs ran.

Markdown would take long over a thousand rows, and the search index would hold every number of them."""

from pathlib import Path

from report import queries
from report.facts import inert
from report.heads import page
from report.heads.answers import STANDING, HomeAnswers, Place
from report.heads.cells import Row, cell
from report.pages import Pages, indented

# The measures that are there without a script; those that the run has not are left out.
CHOSEN = ("activation_pct", "previous_token_mass", "induction_mass", "sink_mass", "entropy")
PLACEHOLDER = "<tbody data-cells></tbody>"


def document_of(answers: HomeAnswers) -> str:
    """Its document, from the root of the documents."""
    return f"{answers.home.table.removesuffix('/')}.md"


def title_of(answers: HomeAnswers) -> str:
    """Its title, as on the page and in the navigation."""
    return f"Heads of {answers.title}"


def write(pages: Pages, answers: HomeAnswers) -> None:
    """The page without its rows: what it says, its head of columns, and the queries behind every page of a head."""
    asked = pages.ledger.heads[answers.home.slug]["questions"]
    names = list(dict.fromkeys(["head_homes", *(str(entry["question"]) for entry in asked)]))
    parameters = {
        name: ", ".join(f"<code>{inert(entry['parameters']['run_id'])}</code>" for entry in asked if entry["question"] == name)
        for name in names
    }
    pages.write(
        document_of(answers),
        "head_table.md.j2",
        title=inert(title_of(answers)),
        run=inert(answers.home.run_id),
        slug=answers.home.slug,
        quarantined=any(pages.ledger.ask("quarantined", run_id=str(run["run_id"])) for run in answers.runs),
        measures=[{name: inert(str(row[name]), "_") for name in ("measure", "title", "unit")} for row in chosen(answers)],
        placeholder=PLACEHOLDER,
        labelled=bool(pages.ledger.connection.execute("select 1 from head_label where run_id = $1", [answers.home.run_id]).fetchone()),
        questions=[
            {
                "id": name,
                "question": queries.question(name).question,
                "indented_sql": indented(queries.question(name).sql),
                "parameters": parameters[name],
            }
            for name in names
        ],
    )


def chosen(answers: HomeAnswers) -> list[Row]:
    """A row of each measure that stands in the table, in order; none where the run has none."""
    rows = {row["measure"]: row for place in answers.heads[:1] for row in answers.of(STANDING, place)}
    return [rows[name] for name in CHOSEN if name in rows]


def fill(answers: HomeAnswers, site: Path) -> None:
    """Put the rows of the table into its page."""
    path = site / answers.home.table / "index.html"
    measures = [str(row["measure"]) for row in chosen(answers)]
    rows = "\n".join(row_of(answers, place, measures) for place in answers.heads)
    html = path.read_text(encoding="utf-8")
    path.write_text(html.replace(PLACEHOLDER, f"<tbody data-cells>\n{rows}\n</tbody>", 1), encoding="utf-8")


def row_of(answers: HomeAnswers, place: Place, measures: list[str]) -> str:
    """One head: its link, layer and label, and its value – with an interval for the first measure – of each measure."""
    profile = answers.of("head_profile", place)[0]
    values = {str(row["measure"]): row for row in answers.of(STANDING, place)}
    name = page.name_of(place)
    label = cell(profile, "label") if profile["label"] is not None else "–"
    cells = [
        f'<th scope="row"><a href="{name}/">{cell(profile, "head_name")}</a></th>',
        f"<td>{cell(profile, 'layer')}</td><td>{label}</td>",
    ]
    for number, measure in enumerate(measures):
        row = values.get(measure)
        shown = cell(row, "mean") if row else "–"
        cells.append(f"<td>{shown}</td>")
        if number == 0:
            ends = f"{cell(row, 'low')} to {cell(row, 'high')}" if row else "–"
            cells.append(f"<td>{ends}</td>")
    return f'<tr data-row="{name}">{"".join(cells)}</tr>'
