"""Where a run's heads are described: one table, one map and one page per head for each model.

Runs of the same weights over different texts (the pairs of table comparison) share them, so prose and code stand on one page: that of the
run whose name comes first."""

from dataclasses import dataclass

import duckdb

from report import queries
from report.pages import distinct_slugs


@dataclass(frozen=True)
class Home:
    """The run on whose pages heads are described, and the folder of those pages: heads/<slug>/."""

    run_id: str
    slug: str

    @property
    def table(self) -> str:
        """Address of the table of its heads, from the root of the site; heads/<slug>/#heads=L0H1.L12H3 shows those heads alone."""
        return f"heads/{self.slug}/"

    @property
    def map(self) -> str:
        """Address of the map of its heads, from the root of the site."""
        return f"maps/{self.slug}/"

    def head(self, layer: int, head: int) -> str:
        """Address of a head's page, from the root of the site."""
        return f"{self.table}L{layer}H{head}/"


def homes(connection: duckdb.DuckDBPyConnection) -> dict[str, Home]:
    """The home of every run that has heads with values and a figure to show them; runs of the same weights have the same."""
    rows = connection.execute(queries.question("head_homes").sql).fetchall()
    slugs = distinct_slugs(sorted({home for _, home, *_ in rows}))
    return {run_id: Home(home, slugs[home]) for run_id, home, *_ in rows}


def in_order(connection: duckdb.DuckDBPyConnection) -> list[Home]:
    """Every home once, in the order of their addresses."""
    return sorted(set(homes(connection).values()), key=lambda home: home.slug)
