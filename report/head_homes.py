"""Where a run's heads are described: one table, one map and one page per head for each model.

Runs of the same weights over different texts (the pairs of table comparison) share them, so prose and code stand on one page: that of the
run whose name comes first."""

from dataclasses import dataclass

import duckdb

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
    runs = connection.execute(
        "select distinct run_id from layer_range semi join head using (run_id) semi join head_mean using (run_id) order by run_id"
    ).fetchall()
    first = dict(connection.execute("select run_b, min(run_a) from comparison where kind = 'texts' group by run_b").fetchall())
    described = {run_id: first.get(run_id, run_id) for (run_id,) in runs}
    slugs = distinct_slugs(sorted(set(described.values())))
    return {run_id: Home(home, slugs[home]) for run_id, home in described.items()}
