"""Pages: Markdown for MkDocs from templates, readings and charts.

Templates hold no arithmetic and no digits; everything that varies is a fact, a claim or a chart. Autoescape is off because facts escape
themselves: anything else that comes from the database passes through `inert`."""

import html
import json
import re
import unicodedata
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2

from report import charts, published_wording, queries, theme
from report.downloads import answers, measures
from report.facts import Fact, Ledger, inert, script_safe
from report.heads_wording import HeadsAuthor
from report.wording import Reading, Row

FOLDER = Path(__file__).parent
PRIMARY = "activation"
# What a cell begins with that a spreadsheet takes for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Figures that stand side by side: the primary one, and its twin that can be compared over depth.
TWINS = {PRIMARY: "residual_activation", "residual_activation": PRIMARY}
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 – pages are Markdown; facts and `inert` escape what comes from the data
)


@dataclass(frozen=True)
class Chart:
    """One chart: its place among the site's files, its text alternative, and the rows that it shows."""

    slug: str
    spec: dict[str, Any]
    description: str
    rows: list[Row]


@dataclass(frozen=True)
class Drawing:
    """One figure of one run: its text, chart and place on the site."""

    run_id: str
    figure: str
    kind: str
    slug: str
    title: str
    words: dict[str, str]
    coverage: Row
    cells: list[Row]
    ranges: list[Row]
    bands: list[Row]
    reading: Reading | None
    spec: dict[str, Any]

    @property
    def page(self) -> str:
        """Address of its page, from the root of the documents."""
        return f"figures/{self.slug}.md"

    @property
    def plain_title(self) -> str:
        """Run and figure in one line."""
        return f"{self.coverage['run_title'].value}: {self.title}"

    @property
    def description(self) -> str:
        """Its lead and summary as plain text: for assistive technology, search engines and llms.txt."""
        return summary_of(self.reading)

    @property
    def chart(self) -> Chart:
        """Its chart."""
        return Chart(self.slug, self.spec, self.description, self.cells)


@dataclass
class Pages:
    """Writes the generated pages of one published file into a folder of documents; `console`: whether they may link to a console's page."""

    ledger: Ledger
    documents: Path
    console: bool = False
    written: set[str] = field(default_factory=set)

    def draw(self, run_id: str, figure: str, kind: str, words: dict[str, str], folder: str) -> Drawing:
        """Read and draw one figure of one run; its page lies in the run's folder."""
        keys = {"run_id": run_id, "figure": figure}
        author = published_wording.PublishedAuthor if kind == "published" else HeadsAuthor
        reading = author(self.ledger, run_id, figure, words).read(TWINS.get(figure))
        coverage, cells = self.ledger.one("coverage", **keys), self.ledger.ask("band_counts", **keys)
        title = "Published counts" if kind == "published" else str(coverage["figure_title"].value)
        return Drawing(
            run_id=run_id,
            figure=figure,
            kind=kind,
            slug=f"{folder}/{slug(title if kind == 'published' else figure)}",
            title=title,
            words=words,
            coverage=coverage,
            cells=cells,
            ranges=self.ledger.ask("range_totals", **keys),
            bands=self.ledger.ask("band_totals", **keys),
            reading=reading,
            spec=charts.stacked_bars(str(coverage["run_title"].value), str(coverage["legend"].value), cells, summary_of(reading)),
        )

    def chart(self, chart: Chart, base: str, caption: str = "", height: int | None = None, controls: str = "") -> str:
        """The chart as HTML: pictures for all, the specification for readers with JavaScript, and its files for all to download."""
        shown = {**self.pictured(chart, base), "controls": controls, "caption": caption, "height": height}
        return self.render("chart.html.j2", **shown, spec=html.escape(script_safe(chart.spec)))

    def pictured(self, chart: Chart, base: str) -> dict[str, object]:
        """What the templates of pictures and downloads need to know of a chart, whose files are written where they are not yet."""
        self.write_chart(chart)
        across, up = charts.size(chart.spec)
        named = [(label, f"charts/{chart.slug}{ending}") for label, ending in answers.FILES]
        files = [measures.sized(self.documents, path, label) for label, path in named if (self.documents / path).is_file()]
        return {"slug": chart.slug, "base": base, "alt": inert(chart.description), "across": across, "up": up, "files": files}

    def write_chart(self, chart: Chart) -> None:
        """The chart's files: SVG in both schemes, PNG, specification, and the answer as CSV, Parquet and SQL; written once."""
        if chart.slug in self.written:
            return
        self.written.add(chart.slug)
        folder = self.documents / "charts"
        (folder / chart.slug).parent.mkdir(parents=True, exist_ok=True)
        for scheme in ("light", "dark"):
            (folder / f"{chart.slug}-{scheme}.svg").write_text(charts.svg(chart.spec, scheme), encoding="utf-8")
        (folder / f"{chart.slug}.png").write_bytes(charts.png(chart.spec))
        whole = {**chart.spec, "config": theme.vega_config("light")}
        (folder / f"{chart.slug}.vl.json").write_text(
            json.dumps(whole, indent=1, ensure_ascii=True, allow_nan=False) + "\n", encoding="utf-8"
        )
        (folder / f"{chart.slug}.csv").write_text(csv_of(chart.rows), encoding="utf-8")
        answers.write(self.ledger.connection, folder / chart.slug, chart.rows)

    def render(self, template: str, **context: object) -> str:
        """One template, with its queries appended where it asks for them."""
        return ENVIRONMENT.get_template(template).render(**context)

    def write(self, name: str, template: str, **context: object) -> str:
        """Render a page, add the queries behind its facts, and write it; returns the Markdown."""
        text = self.render(template, **context, queries="")
        used = {match: self.parameters_in(text, match) for match in dict.fromkeys(re.findall(r'href="#query-(\w+)"', text))}
        entries = [
            {
                "id": name,
                "question": query.question[0].upper() + query.question[1:],
                "indented_sql": indented(query.sql),
                "parameters": used[name],
            }
            for name, query in queries.questions().items()
            if name in used
        ]
        appended = self.render("queries.md.j2", queries=entries, data="../" * name.count("/") + "data.md") if entries else ""
        self.ledger.said |= {html.unescape(claim) for claim in re.findall(r'data-claim="([^"]*)"', text)}
        path = self.documents / name
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self.render(template, **context, queries=appended)
        path.write_text(whole, encoding="utf-8")
        return whole

    def parameters_in(self, text: str, question: str) -> dict[str, list[str]]:
        """Values with which a question was asked for the facts in a text, as inert code."""
        values: dict[str, set[str]] = {}
        for name in re.findall(r'data-fact="([^"]*)"', text):
            fact = self.ledger.facts.get(html.unescape(name))
            if fact and fact.question == question:
                for parameter, value in fact.parameters:
                    values.setdefault(parameter, set()).add(f"<code>{inert(value)}</code>")
        return {name: sorted(found) for name, found in sorted(values.items())}


def summary_of(reading: Reading | None) -> str:
    """Lead and summary as plain text."""
    return f"{plain(reading.lead)} {plain(reading.summary)}" if reading else "No data."


def indented(text: str) -> str:
    """A text set four spaces in, as a code block inside an admonition needs it."""
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())


def plain(markup: str) -> str:
    """Generated Markdown as plain text: tags and emphasis gone, then entities, which may stand for either."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup).replace("*", ""))


def slug(name: str) -> str:
    """A name for addresses: ASCII letters, digits and hyphens; a short hash where something was lost."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    short = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-")[:60]
    lossless = re.fullmatch(r"[A-Za-z0-9 ._-]+", name) is not None and len(name) <= 60
    return short if short and lossless else f"{short or 'run'}-{sha256(name.encode()).hexdigest()[:8]}"


def distinct_slugs(names: list[str]) -> dict[str, str]:
    """An address for each name; where two names would share one, the later gets a short hash."""
    taken: dict[str, str] = {}
    for name in names:
        plain_slug = slug(name)
        taken[name] = plain_slug if plain_slug not in taken.values() else f"{plain_slug}-{sha256(name.encode()).hexdigest()[:8]}"
    return taken


def csv_of(rows: list[dict[str, Fact]]) -> str:
    """Rows of a question as CSV; text that a spreadsheet would take for a formula gets an apostrophe, numbers stay untouched."""
    if not rows:
        return "\n"
    lines = [",".join(rows[0])]
    lines += [",".join(csv_cell(fact.value) for fact in row.values()) for row in rows]
    return "\n".join(lines) + "\n"


def csv_cell(value: object) -> str:
    """One cell of a CSV file."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    safe = f"'{value}" if value.startswith(FORMULA) else value
    return '"' + safe.replace('"', '""') + '"'
