"""Counters → a published DuckDB file and a static site; runs no model and imports nothing of extract."""

__version__ = "0.6.0"
