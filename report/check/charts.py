"""Charts: the same numbers in the page, the specification, the pictures and the CSV, and all of them the answer of a question.

A PNG is only checked to be undamaged: whoever draws another picture into it is not seen."""

import csv
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from report.check.downloads import cell_of, compare_companions
from report.check.page import Chart, Page, specification_of, squeeze
from report.check.pages import Pages
from report.check.recount import Place
from report.check.spelling import spelling
from report.check.svg import Drawn, drawn

Row = dict[str, Any]
# A datum of the stacked bars, and the column of the question that it comes from.
BAR_COLUMNS = {"range": "range_label", "band": "band_label", "heads": "heads", "colour": "colour", "stack": "stack_ordinal"}


def compare_charts(site: Path, pages: Mapping[str, Page], facts: Pages) -> Iterator[str]:
    """What is wrong with the charts of all pages."""
    for page in pages.values():
        for chart in page.charts:
            yield from (f"{page.name}: chart {chart.slug}: {text}" for text in compare_chart(site, chart, pages))
            yield from compare_caption(page, chart, pages, facts)
            if page is home_of(chart, pages):
                yield from (f"charts/{chart.slug}: {text}" for text in compare_files_of(site, page, chart, facts))
    slugs = {chart.slug for page in pages.values() for chart in page.charts}
    for path in sorted((site / "charts").rglob("*.*")):
        name = path.relative_to(site / "charts").as_posix()
        if not any(name.startswith((f"{slug}.", f"{slug}-")) for slug in slugs):
            yield f"charts/{name} belongs to no chart of the site"
        if path.suffix == ".png" and not is_sound_png(path.read_bytes()):
            yield f"charts/{name} is damaged"


def home_of(chart: Chart, pages: Mapping[str, Page]) -> Page:
    """The page that a chart belongs to: its figure's, or the first that shows it."""
    own = pages.get(f"figures/{chart.slug}/index.html")
    return own or next(page for page in pages.values() if any(other.slug == chart.slug for other in page.charts))


def compare_chart(site: Path, chart: Chart, pages: Mapping[str, Page]) -> Iterator[str]:
    """A chart as it stands on a page, against its files and the page of its figure."""
    filed = read(site / "charts" / f"{chart.slug}.vl.json")
    # Those of the maps are drawn by a module of their own: they have it in the file alone.
    specification = specification_of(filed if chart.slug.startswith("maps/") and not chart.specification else chart.specification)
    if specification != specification_of(filed):
        yield "the page and its .vl.json specify different charts"
    said = squeeze(str(specification.get("description", "")))
    for kind, source, alternative in chart.pictures:
        scheme = re.search(r"\bscheme-(\w+)", kind)
        if source != f"charts/{chart.slug}-{scheme.group(1) if scheme else ''}.svg":
            yield f"{source} stands in the place of its picture"
        if alternative != said:
            yield "its alternative text is not its description"
    home = pages.get(f"figures/{chart.slug}/index.html")
    if home and {said, home.description} != {home.finding or home.description}:
        yield "its description is not the finding of its figure's page"
    if home and not home.heading.startswith(str(specification.get("title"))):
        yield "its title is not the run's on its figure's page"


def compare_caption(page: Page, chart: Chart, pages: Mapping[str, Page], facts: Pages) -> Iterator[str]:
    """Claims in a chart's caption that are about something else than the facts of its figure's page."""
    home, places = pages.get(f"figures/{chart.slug}/index.html"), facts.recount.places
    asked = {places[seen.id][1] for seen in home.facts if seen.id in places} if home else set()
    for claim in (claim for claim in page.claims if claim.chart == chart.slug and asked):
        rests = facts.recount.claims.get(claim.id, {}).get("facts", {}).values()
        if not {places[name][1] for name in rests if name in places} & asked:
            yield f"{page.name}: claim {claim.id} stands under the chart {chart.slug}"


def compare_files_of(site: Path, page: Page, chart: Chart, facts: Pages) -> Iterator[str]:
    """The files of a figure's chart, against the answer that its page's facts come from."""
    rows = list(csv.reader(io.StringIO(read(site / "charts" / f"{chart.slug}.csv"), newline="")))
    seen = {fact.id for fact in page.facts}
    is_figure = page.folder == f"figures/{chart.slug}/"
    asked = {facts.recount.places[name] for name in seen if name in facts.recount.places}
    named = facts.recount.ledger["charts"].get(chart.slug)
    if named and named["sha256"] != facts.recount.digests.get(named["question"]):
        yield "its question has changed; build the site again"
        return
    # A chart of many points names its question; it is about what the page is about.
    drawn_from = {(named["question"], json.dumps(named["parameters"], sort_keys=True))} if named else asked
    place, answer = answer_of(rows, drawn_from, facts)
    if answer is None or place is None or (named and not {place[1] for place in drawn_from} & {place[1] for place in asked}):
        yield "the CSV is not the answer of a question that its page asks"
        return
    yield from compare_companions(site, chart.slug, place, facts.recount.answer)
    specification = specification_of(read(site / "charts" / f"{chart.slug}.vl.json"))
    pictures = [drawn(read(site / "charts" / f"{chart.slug}-{scheme}.svg")) for scheme in ("light", "dark")]
    if None in pictures or pictures[0].shape != pictures[1].shape:  # type: ignore[union-attr]
        yield "the two pictures do not show the same"
    segments = specification.get("data", {}).get("values", [])
    if is_figure:
        if bars_of(answer) != [{name: row.get(name) for name in (*BAR_COLUMNS, "percent", "low", "high")} for row in segments]:
            yield "the bars of the specification are not the answer"
        try:
            yield from (*compare_encoding(specification, segments, page, facts), *compare_picture(pictures[0], specification, segments))
        except (KeyError, TypeError, IndexError, ZeroDivisionError) as error:
            yield f"its specification lacks a part of stacked bars: {error}"


def answer_of(rows: list[list[str]], places: Collection[Place], facts: Pages) -> tuple[Place, list[Row]] | tuple[None, None]:
    """The answer, of those at the given places, that a CSV spells out, with its place; None twice where there is none."""
    for place in sorted(place for place in places if place[0] in facts.recount.digests):
        answer = facts.recount.answer(*place)
        if answer and rows and list(answer[0]) == rows[0] and [list(map(cell_of, row.values())) for row in answer] == rows[1:]:
            return place, answer
    return None, None


def bars_of(answer: list[Row]) -> list[Row]:
    """The segments of stacked bars that an answer asks for: each begins where the one below it ends."""
    heights: Counter[object] = Counter()
    bars = []
    for row in sorted(answer, key=lambda row: (row["range_ordinal"], row["stack_ordinal"])):
        low = heights[row["range_ordinal"]]
        heights[row["range_ordinal"]] += row["heads"]
        texts = {name: row[column] if name == "stack" else spelling(column, row[column]) for name, column in BAR_COLUMNS.items()}
        bars.append(texts | {"percent": f"{spelling('pct', row['pct'])} %", "low": low, "high": low + row["heads"]})
    return bars


def compare_encoding(specification: Row, segments: list[Row], page: Page, facts: Pages) -> Iterator[str]:
    """Order of the ranges and bands, and the legend, against the bars and the page's facts."""
    encoding = specification["layer"][0]["encoding"]
    if encoding["x"]["sort"] != list(dict.fromkeys(row["range"] for row in segments)):
        yield "the ranges of the specification are not those of its bars"
    by_stack = {row["band"]: row["stack"] for row in segments}
    if encoding["color"]["scale"]["domain"] != sorted(by_stack, key=lambda band: -by_stack[band]):
        yield "the bands of the specification are not those of its bars"
    legend = " ".join(encoding["color"]["title"])
    known = legends_of(page, facts)
    if legend not in known or specification.get("usermeta", {}).get("legend") not in known:
        yield "its legend is not the figure's"


def legends_of(page: Page, facts: Pages) -> set[str]:
    """The legends that the facts of a page's figures name."""
    places = facts.recount.places
    asked = {places[seen.id][1] for seen in page.facts if seen.id in places}
    return {fact["text"] for name, fact in facts.recount.facts.items() if fact["column"] == "legend" and places[name][1] in asked}


def compare_picture(picture: Drawn | None, specification: Row, segments: list[Row]) -> Iterator[str]:
    """Bars, printed percentages and axis of a picture, against the specification."""
    if picture is None:
        return
    colours = specification["layer"][0]["encoding"]["color"]["scale"]
    fills = dict(zip(colours["domain"], colours["range"], strict=False))
    tallest = specification["layer"][0]["encoding"]["y"]["scale"]["domain"][1]
    alike = len(picture.bars) == len(segments) and all(
        bar.says(row["range"], row["band"], row["heads"], row["percent"]) and bar.fill == fills.get(row["band"])
        for bar, row in zip(picture.bars, segments, strict=True)
    )
    if not alike:
        yield "a picture's bars are not those of its specification"
    heights = [(row["high"] - row["low"]) / tallest * specification["height"] for row in segments]
    if any(abs(bar.height - height) > 0.01 for bar, height in zip(picture.bars, heights, strict=False)):
        yield "a picture's bars are not as high as their heads"
    words = {text.replace(" ", "") for text in strings_of(specification)}
    if strange := [text for text in picture.texts if not text.isdecimal() and not is_said(text.replace(" ", ""), words)]:
        yield f"a picture reads “{strange[0]}”, which its specification does not"
    printed = Counter(text for text in picture.texts if text.endswith(" %"))
    if printed != Counter(row["percent"] for row, height in zip(segments, heights, strict=True) if height >= picture.least_label):
        yield "a picture prints other percentages than its specification"
    ticks = [int(text) for text in picture.ticks if text.isdecimal()]
    if len({after - before for before, after in pairwise(ticks)}) > 1 or (ticks and ticks[0] != 0):
        yield "a picture's axis does not count in equal steps from nought"


def is_said(text: str, words: set[str]) -> bool:
    """True for one of the words, or the beginning of one that has no room and ends in an ellipsis."""
    return text in words or (len(text) > 1 and text.endswith("…") and any(word.startswith(text[:-1]) for word in words))


def strings_of(value: Any) -> Iterator[str]:
    """Every text in a specification, and as one those that are broken into lines."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings_of(inner)
    elif isinstance(value, list):
        if all(isinstance(inner, str) for inner in value):
            yield "".join(value)
        for inner in value:
            yield from strings_of(inner)


def is_sound_png(content: bytes) -> bool:
    """True where every chunk of a PNG has the checksum that it carries, to the end."""
    at, kind = 8, b""
    while content[:8] == b"\x89PNG\r\n\x1a\n" and at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4])
        kind, checksum = content[at + 4 : at + 8], content[at + 8 + size : at + 12 + size]
        if zlib.crc32(content[at + 4 : at + 8 + size]).to_bytes(4) != checksum:
            return False
        at += 12 + size
    return kind == b"IEND" and at == len(content)


def read(path: Path) -> str:
    """A file's text; empty where it is missing or none."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
