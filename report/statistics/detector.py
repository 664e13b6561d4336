"""Rows of table detector: the detector files, each with the chance level that the file's measures have for it."""

import duckdb

from report import detectors
from report.statistics import Row


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per detector file."""
    chance = dict(connection.execute("select chance_of, id from measure where chance_of is not null order by id desc").fetchall())
    found: list[Row] = []
    for one in detectors.load():
        words = (one.planted, one.label, one.title, one.margin, one.why, one.apart)
        found.append((one.id, one.ordinal, one.measure, chance.get(one.measure), *words, detectors.LEVEL))
    return found
