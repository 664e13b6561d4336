"""One head's page: its title, its one line for search and previews, and its article."""

from dataclasses import dataclass

import jinja2

from report.facts import inert, text_of
from report.heads import histogram
from report.heads.answers import STANDING, HomeAnswers, Place
from report.heads.cells import Row, cell
from report.pages import ENVIRONMENT

ACTIVATION = "activation_pct"
# Rows of the profile: what they are called, and their columns – a value and, where there is one, its interval.
PROFILE = (
    ("Label", ("label",)),
    ("Looks at", ("looks_at",)),
    ("Excess over chance, percentage points", ("excess_points", "excess_low_points", "excess_high_points")),
    ("All labels it passes for", ("labels_passed",)),
    ("Rests on the first position (sink)", ("sink",)),
    ("Predicted price of replacing its output by its mean, thousandths of a nat per prediction",
     ("effect_millinats", "effect_low_millinats", "effect_high_millinats")),
)  # fmt: skip


@dataclass(frozen=True)
class HeadPage:
    """A page to be stamped: `article` is HTML, the rest plain text."""

    name: str
    title: str
    line: str
    article: str


def name_of(place: Place) -> str:
    """A head as it is called everywhere."""
    return f"L{place[0]}H{place[1]}"


def title_of(answers: HomeAnswers, place: Place) -> str:
    """Head and run in one line."""
    return f"{name_of(place)} – {answers.title}"


def line_of(answers: HomeAnswers, place: Place) -> str:
    """What search and previews say of a head."""
    label = answers.of("head_profile", place)[0]["label"]
    named = "" if label is None else f", {label}" if label == "unclassified" else f", labelled {label}"
    busy = [row["mean"] for row in answers.of(STANDING, place) if row["measure"] == ACTIVATION]
    active = f", active on {text_of(busy[0], 'one decimal')} % of tokens" if busy else ""
    return f"Attention head {name_of(place)} of {answers.title}{named}{active}."


def write(answers: HomeAnswers, place: Place) -> HeadPage:
    """The page of one head."""
    examples = answers.of("head_examples", place)
    others = [str(run["run_id"]) for run in answers.runs[1:]]
    spread = answers.of("head_histogram", place)
    article = template().render(
        cell=cell,
        inert=inert,
        heading=inert(title_of(answers, place)),
        runs=answers.runs,
        slug=answers.home.slug,
        profile=profile_rows(answers.of("head_profile", place)[0]),
        largest=[row for row in examples if row["r_from"] is None],
        drawn=[row for row in examples if row["r_from"] is not None],
        standing=answers.of(STANDING, place),
        others=others,
        other_rows={run: {str(row["measure"]): row for row in answers.of(STANDING, place, run)} for run in others},
        histogram=histogram.picture(spread),
        histogram_rows=histogram.rows_shown(spread),
        similar=answers.of("head_similar", place),
        neighbours=neighbours(answers.heads, place),
        layer=[name_of(other) for other in answers.heads if other[0] == place[0] and other != place],
    )
    return HeadPage(name_of(place), title_of(answers, place), line_of(answers, place), article)


def template() -> jinja2.Template:
    """The template of the article."""
    return ENVIRONMENT.get_template("head.html.j2")


def profile_rows(row: Row) -> list[tuple[str, str, str, str]]:
    """The rows of the profile that have a value: what each is called, its value, and the ends of its interval, empty where it has none."""
    found = []
    for called, columns in PROFILE:
        if row[columns[0]] is not None:
            value, low, high, *_ = [*(cell(row, column) for column in columns), "", ""]
            found.append((called, value, low, high))
    return found


def neighbours(heads: list[Place], place: Place) -> list[str]:
    """The heads before and after, where there are such."""
    at = heads.index(place)
    return [name_of(other) for other in heads[max(0, at - 1) : at] + heads[at + 1 : at + 2]]
