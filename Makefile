# Headcount: make alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
RUN ?=
COUNTERS := results/counters.duckdb
PUBLISHED := results/headcount.duckdb
PORT ?= 8000
DEVICE ?= cpu
SITE ?= site
SITE_URL ?=
PERFORMANCE ?= yes
BENCH ?= build/bench.json
SCALE ?= build/scale.json
CONSOLE ?=
# Every file by its hash, for all platforms; torch, of which every index has builds of its own, by its exact version. Nothing is built in a
# place of its own, where other packages would be fetched for it.
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
HASHED = $(PIP) install --require-hashes --no-deps --no-build-isolation --requirement
OURSELVES = PYTHONWARNINGS=ignore $(PIP) install --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
.PHONY: help report site check publish-check attack torture serve test test-all lint bench bench-scale cluster acceptance sbom clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

report: .venv/report  ## measure (RUN=runs/x.toml, or the best run for this machine) and build site/
	@run="$(RUN)"; [ -n "$$run" ] || run=$$($(BIN)/python -m extract choose) && \
	$(BIN)/python -m extract run "$$run" --out $(COUNTERS) && $(MAKE) --no-print-directory beside RUN="$$run"
	@$(MAKE) --no-print-directory site

# What stands beside a run: the same heads on code, where x.toml has an x-code.toml; the price of the threshold, in its short form; planted
# heads. Where there is no text for it (exit 4) or something of the machine is missing (exit 5), its page says how to fill it.
.PHONY: beside
beside: .venv/report
	@code="$(RUN:.toml=-code.toml)"; [ ! -f "$$code" ] || $(BIN)/python -m extract run "$$code" --out $(COUNTERS) || [ $$? -eq 5 ]
	@$(BIN)/python -m extract calibrate "$(RUN)" --quick --out $(COUNTERS) || { code=$$?; [ $$code -eq 4 ] || [ $$code -eq 5 ]; }
	@$(BIN)/python -m extract prove --into $(COUNTERS) || [ $$? -eq 5 ]

site: .venv/report  ## build site/ from results/counters.duckdb, no model needed
	@$(BIN)/python -m extract import-counts runs/gpt2-xl-published-counts.csv --into $(COUNTERS) --title "GPT-2 xl" --model-heads 1200 \
	  --source "Counts of a published GPT-2 xl figure, solved from its printed percentages (smallest consistent totals, confirmed by the heights of its bars)"
	@$(BIN)/python -m report build $(COUNTERS) --out site --publish $(PUBLISHED) $(if $(SITE_URL),--site-url $(SITE_URL)) $(if $(CONSOLE),--console)

check: .venv/report  ## ask the published file again for every number on the site
	@$(BIN)/python -m report check $(PUBLISHED) site

# Node tools come from the lock file. Where node or a browser is missing, its tests are skipped with the reason – or fail, where CI is set.
# The console, which a site has only when it is asked for, is tried on a small site of its own.
publish-check: .venv/dev  ## look at every kind of page of SITE=site in a browser (PERFORMANCE= leaves the timing out)
	@! command -v npm >/dev/null || npm ci --prefix tests/site --no-audit --no-fund --loglevel=error
	@$(BIN)/python -m pytest -n $(if $(PERFORMANCE),0,2) tests/site --site $(SITE) $(if $(PERFORMANCE),,-m "not performance")
	@$(BIN)/python -m pytest -n 0 tests/report/test_console.py

attack: .venv/dev  ## change a site and its file in hundreds of ways: report check must see each
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m attack tests/report

# Whatever comes out of all trials is kept, and the page shows it. Not before the end: what lies in docs/ is part of the sites that are built.
torture: .venv/dev  ## kill, fill, flip and feed what is hostile: all trials (SMALL=1: a few of each, nothing recorded)
	@$(if $(SMALL),,rm -rf build/torture;) code=0; $(BIN)/python -m pytest -n 2 --dist loadfile tests/torture $(if $(SMALL),,--whole --record build/torture) || code=$$?; \
	$(if $(SMALL),,rm -rf docs/data/torture && cp -r build/torture docs/data/torture && $(BIN)/python tests/torture/page.py docs/data/torture > docs/torture.md;) exit $$code

serve: .venv/report  ## show site/ on this machine (PORT=8000)
	@$(BIN)/python -m report serve site --port $(PORT)

test: .venv/dev  ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not attack and not torture"

test-all: .venv/dev  ## run the tests, the slow ones too
	@$(BIN)/python -m pytest -n 2 --dist loadfile

lint: .venv/dev  ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

# TransformerLens is only timed against: without it, its line is left out, and the rest is timed all the same.
bench: .venv/report  ## time measuring beside a plain forward pass (QUICK=1, DEVICE=cuda, LAYERS=48)
	@[ -e .venv/bench ] || { echo "installing what is timed against"; $(HASHED) .requirements/bench.txt && touch .venv/bench; } || true
	@$(BIN)/python -m extract bench --out $(BENCH) --device $(DEVICE) $(if $(QUICK),--quick) $(if $(LAYERS),--layers $(LAYERS))

bench-scale: .venv/dev  ## time merging and two workers, simulate more of them (QUICK=1, SCALE=build/scale.json)
	@$(BIN)/python -m extract bench-scale --out $(SCALE) $(if $(QUICK),--quick)

cluster: .venv/cluster  ## install what many workers need: Ray's core

acceptance: .venv/report  ## with a GPU and the weights: GPT-2's heads beside published figures (REFERENCE=table.csv)
	@$(BIN)/python -m extract acceptance $(if $(REFERENCE),--reference $(REFERENCE)) $(if $(filter command line environment,$(origin DEVICE)),--device $(DEVICE))

# Hashes of what is installed by hash are in .requirements/, which .requirements/lock.py writes.
sbom: .venv/report  ## list all that is installed, measured and shown, with licences and hashes: build/sbom.json
	@$(BIN)/python .requirements/sbom.py build/sbom.json

clean:  ## remove what the other targets made, but not what was measured
	rm -rf site site.tmp-* build tests/site/node_modules .venv *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11, 5) else "error: Python %d.%d.%d is older than 3.11.5 (environment); fix: give a newer one, make PYTHON=python3.12" % sys.version_info[:3])'
	$(PYTHON) -m venv .venv

# The stamps are written last, so that one that is there means a finished installation.
.venv/report: pyproject.toml constraints.txt .requirements/tools.txt .requirements/report.txt | .venv/bin/python
	@echo "installing pinned packages into .venv (minutes, once)"
	@$(HASHED) .requirements/tools.txt
	@$(HASHED) .requirements/report.txt --only-binary :all:
	@$(PIP) install --constraint constraints.txt --only-binary :all: torch
	@$(OURSELVES)
	@touch $@

.venv/cluster: .venv/report .requirements/cluster.txt
	@echo "installing Ray"
	@$(HASHED) .requirements/cluster.txt --only-binary :all:
	@touch $@

.venv/dev: .venv/report .requirements/dev.txt
	@echo "installing the packages of the tests"
	@$(HASHED) .requirements/dev.txt --only-binary :all:
	@$(PIP) check
	@touch $@
