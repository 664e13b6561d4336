"""Extract: one run of one model over one text, every attention head measured, counters in one DuckDB file."""

__version__ = "0.6.0"
