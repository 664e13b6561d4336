"""Heads: one page per head and one table of heads for each home.

    questions (one answer per home) → cells → one page per head, stamped from the page that MkDocs rendered → search index, site map

A thousand pages hold hundreds of numbers each, so these are no facts of facts.json one by one: a table names its question and parameters, a
row its key, a cell its column, and `report check` asks each question once and compares all cells."""
