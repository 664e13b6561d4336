"""The pages of the maps, maps/<slug>/: all heads of a home on one sheet, layers × heads, with the scatter of two measures, the profile over
layers and the cumulative share beside it.

What is read without JavaScript – sentences, table, pictures of one measure – is made of facts; every other measure comes from the home's
script file of values (see `heads_data`)."""

import html
from pathlib import Path

from report import head_map_charts, heads_data
from report.facts import Fact, inert, script_safe
from report.head_homes import Home, in_order
from report.head_map_charts import Scale
from report.pages import Chart, Pages, plain

Row = dict[str, Fact]
# The measure that a map opens with, and the one that it is first set against; where they are missing, the first there are.
DEFAULT = "activation_pct"
AGAINST = "sink_mass"


def write(pages: Pages) -> None:
    """Write the page and the charts of every home."""
    for home in in_order(pages.ledger.connection):
        write_one(pages, home)


def navigation(documents: Path) -> list[str]:
    """The maps' pages, each under the title that it gives itself."""
    return [path.relative_to(documents).as_posix() for path in sorted((documents / "maps").glob("*.md"))]


def write_one(pages: Pages, home: Home) -> None:
    """Write the page and the charts of one home."""
    data = heads_data.data_of(pages.ledger, home)
    known = [measure["id"] for measure in data["measures"]]
    measure = DEFAULT if DEFAULT in known else known[0]
    keys = {"run_id": home.run_id, "measure": measure}
    ends, layers = pages.ledger.one("head_extremes", **keys), pages.ledger.ask("layer_profile", **keys)
    scales = {
        entry["id"]: head_map_charts.scale_of(
            entry["low"], entry["unit"], [value for value in data["values"][entry["id"]] if value is not None]
        )
        for entry in data["measures"]
    }
    told = {name: sentence(pages, name, ends) for name in ("map", "profile", "ecdf")}
    drawn = drawings(pages, home, keys, ends, scales[measure], {name: plain(text) for name, text in told.items()})
    against = next((name for name in (AGAINST, *known) if name in known and name != measure), measure)
    settings = {"measure": measure, "against": against, "scales": {name: vars(scale) for name, scale in scales.items()}}
    pages.write(
        f"maps/{home.slug}.md",
        "head_map.md.j2",
        title=f"<span data-generated>{ends['run_title']}: map of the heads</span>",
        plain_title=inert(f"{ends['run_title'].value}: map of the heads"),
        description=inert(plain(told["map"])),
        slug=home.slug,
        settings=html.escape(script_safe(settings, compact=True)),
        ends=ends,
        quarantined=pages.ledger.ask("quarantined", run_id=home.run_id),
        layers=layers,
        told=told,
        per_cent=ends["unit"].value == "%",
        pictures={name: picture(pages, chart) for name, chart in drawn.items()},
        table=f"../{home.table.rstrip('/')}.md",
    )


def sentence(pages: Pages, name: str, ends: Row) -> str:
    """What a chart shows, in words: the text alternative, and the line beside it."""
    tied = {end: int(str(ends[f"{end}_heads"].value)) > 1 for end in ("highest", "lowest")}
    text = pages.render("head_map_told.md.j2", name=name, ends=ends, per_cent=ends["unit"].value == "%", tied=tied)
    return " ".join(text.split())


def drawings(pages: Pages, home: Home, keys: dict[str, str], ends: Row, scale: Scale, told: dict[str, str]) -> dict[str, Chart]:
    """Write the charts' files – pictures, specifications, one answer in three CSV files – and give the charts."""
    unit = str(ends["unit"].value)
    title, measure = str(ends["run_title"].value), str(ends["measure_title"].value) + ("" if unit == "1" else f", {unit}")
    draw = {"map": head_map_charts.map_picture, "profile": head_map_charts.profile_picture, "ecdf": head_map_charts.ecdf_picture}
    found = {}
    for name, make in draw.items():
        slug = f"maps/{home.slug}/{name}"
        rows = pages.ledger.draw(slug, "head_map", **keys)
        found[name] = Chart(slug, make(title, measure, scale, rows, told[name]), told[name], rows)
    return found


def picture(pages: Pages, chart: Chart) -> str:
    """A chart as HTML: its pictures, the place that JavaScript draws in, and its files."""
    return pages.render("head_map_picture.html.j2", **pages.pictured(chart, "../../"))
