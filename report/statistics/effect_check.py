"""Rows of table effect_check: the first-order prediction of what a head is worth beside its true ablation.

Both on the same windows, those on which heads were ablated. The interval takes the ablated heads as a sample of heads, which they are:
thirty of all, stratified; percentiles of the bootstrap over heads (Efron and Tibshirani 1993)."""

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from report import queries
from report.statistics import Row

DRAWS = 9_999
SEED = 20_250_703
ABLATIONS = ("ablation_mean", "ablation_zero")
LEAST_HEADS = 5


def rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """One row per calibrated run and kind of ablation with heads enough."""
    found: list[Row] = []
    sql = queries.question("effect_pairs").sql
    for (run_id,) in connection.execute("select run_id from calibrations order by run_id").fetchall():
        for ablation in ABLATIONS:
            pairs = connection.execute(sql, {"run_id": run_id, "ablation": ablation}).fetchnumpy()
            if (heads := len(pairs["head"])) >= LEAST_HEADS:
                checked = rank_correlation(pairs["predicted_millinats"], pairs["ablated_millinats"])
                found.append((run_id, ablation, heads, *checked, DRAWS, SEED))
    return found


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float, float]:
    """Spearman's correlation and its 95 % interval over heads; 0 where all of one side are equal."""
    picked = np.random.default_rng(SEED).integers(0, len(one), (DRAWS, len(one)))
    drawn = _correlations(rankdata(one[picked], axis=1), rankdata(other[picked], axis=1))
    whole = _correlations(rankdata(one)[None], rankdata(other)[None])[0]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(whole), float(low), float(high)


def _correlations(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    one, other = one - one.mean(1, keepdims=True), other - other.mean(1, keepdims=True)
    scale = np.sqrt((one**2).sum(1) * (other**2).sum(1))
    found: NDArray[np.float64] = np.divide((one * other).sum(1), scale, out=np.zeros(len(one)), where=scale > 0)
    return found
