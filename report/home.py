"""The home page: the finding of one run, what the other pages add to it, and the doors to figures, heads and file."""

from report import labels, price, queries, theme
from report.comparisons.page import PairDrawing
from report.facts import Ledger
from report.head_homes import homes
from report.pages import PRIMARY, Drawing, Pages

FLAGSHIP = "GPT-2 xl"
REFERENCE = "reference"
OBSERVATIONS = 3


def write(pages: Pages, drawings: list[Drawing], pairs: list[PairDrawing]) -> None:
    """The home page: the primary figure of one measured run – the flagship where it is there – and the published reference figure."""
    measured = [
        drawing for drawing in drawings if drawing.figure == PRIMARY and drawing.reading and drawing.coverage["kind"].value == "measured"
    ]
    primary = next((drawing for drawing in measured if drawing.run_id == FLAGSHIP), measured[0] if measured else None)
    published = next((drawing for drawing in drawings if drawing.figure == REFERENCE and drawing.reading), None)
    worked = pages.ledger.ask("worked_token", run_id=primary.run_id, figure=PRIMARY) if primary else []
    findings = findings_of(pages.ledger, primary.run_id, pairs) if primary else []
    line = f"from band_counts where figure = '{PRIMARY}'" if primary else "from band_counts"
    pages.write(
        "index.md",
        "home.md.j2",
        run=pages.ledger.one("run_summary", run_id=primary.run_id) if primary else None,
        primary=primary,
        observations=primary.reading.observations[:OBSERVATIONS] if primary and primary.reading else (),
        chart=pages.chart(primary.chart, "", height=theme.HOME_HEIGHT) if primary else "",
        loudest=worked[0] if worked else None,
        quietest=worked[-1] if worked else None,
        reference=published,
        reference_chart=pages.chart(published.chart, "") if published else "",
        query_line=f'duckdb headcount.duckdb "{line}"',
        query_output=queries.printed(pages.ledger.connection, line),
        findings=findings,
        priced=any(finding["page"] == "price.md" for finding in findings),
        compared=bool(pairs),
        home=homes(pages.ledger.connection).get(primary.run_id) if primary else None,
        console=pages.console,
        flagship=any(drawing.run_id == FLAGSHIP for drawing in measured),
    )


def findings_of(ledger: Ledger, run_id: str, pairs: list[PairDrawing]) -> list[dict[str, str]]:
    """What the other pages say first of the run on the home page."""
    found = []
    if ledger.connection.execute("select 1 from head_label where run_id = $1", [run_id]).fetchone():
        found.append({"title": "What do heads attend to?", "text": labels.lead_of(ledger, run_id), "page": "labels.md", "link": "Labels"})
    if ledger.connection.execute("select 1 from calibrations where run_id = $1", [run_id]).fetchone():
        summary = ledger.one("price_summary", run_id=run_id)
        text = price.lead_of(ledger, run_id, summary)
        found.append({"title": "What do the quiet pairs cost?", "text": text, "page": "price.md", "link": "The price"})
    for pair in pairs:
        text = f"**{pair.reading.lead}** {pair.reading.summary}"
        found.append({"title": "What changes on another text?", "text": text, "page": pair.page, "link": "Side by side"})
    return found
