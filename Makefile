# Headcount: make alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
RUN ?=
COUNTERS := results/counters.duckdb
PUBLISHED := results/headcount.duckdb
PORT ?= 8000

.DEFAULT_GOAL := help
.PHONY: help report site check serve test test-all lint clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

report: .venv/report  ## measure (RUN=runs/x.toml, or the best run for this machine) and build site/
	@run="$(RUN)"; [ -n "$$run" ] || run=$$($(BIN)/python -m extract choose) && $(BIN)/python -m extract run "$$run" --out $(COUNTERS)
	@$(MAKE) --no-print-directory site

site: .venv/report  ## build site/ from results/counters.duckdb, no model needed
	@$(BIN)/python -m extract import-counts runs/gpt2-xl-published-counts.csv --into $(COUNTERS) --title "GPT-2 xl" --model-heads 1200 \
	  --source "Counts of a published GPT-2 xl figure, solved from its printed percentages (smallest consistent totals, confirmed by the heights of its bars)"
	@$(BIN)/python -m report build $(COUNTERS) --out site --publish $(PUBLISHED)

check: .venv/report  ## ask the published file again for every number on the site
	@$(BIN)/python -m report check $(PUBLISHED) site

serve: .venv/report  ## show site/ on this machine (PORT=8000)
	@$(BIN)/python -m report serve site --port $(PORT)

test: .venv/dev  ## run the tests
	@$(BIN)/python -m pytest -n 2 -m "not slow"

test-all: .venv/dev  ## run the tests, the slow ones too
	@$(BIN)/python -m pytest -n 2

lint: .venv/dev  ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

clean:  ## remove what the other targets made, but not what was measured
	rm -rf site site.tmp-* build .venv *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "error: Python %d.%d (environment); fix: give a newer one, make PYTHON=python3.11" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

# The stamps are written last, so that one that is there means a finished installation.
.venv/report: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing pinned packages into .venv (minutes, once)"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[extract,report]'
	@touch $@

.venv/dev: .venv/report
	@echo "installing the packages of the tests"
	@$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@
