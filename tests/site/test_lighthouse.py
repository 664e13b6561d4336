"""What Lighthouse says of the home page and of figures' pages, on its slow phone, from a host that compresses."""

import json
import os
import re
import statistics
import subprocess
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, FLAGS
from kinds import kinds

PAGES = ["home", "figure", "published-figure"]
BUNDLE = "assets/vega-bundle.js"
# Bytes as they travel, of a first visit. The chart library is shared by all pages and comes with the first sign of a reader.
MOST_BYTES = {"home": 500_000, "figure": 500_000, "published-figure": 500_000}
# How much of what a reader sees may move by itself: what the web's own vitals call good.
STILL = 0.1
RUNS = 5
TRIES = 5
FAST = 95


def measured(tools: Path, address: str, folder: Path, categories: str) -> dict[str, Any]:
    """Lighthouse's report on one page."""
    target = folder / "report.json"
    flags = " ".join(["--headless=new", *FLAGS])
    command = ["node", str(tools / "lighthouse" / "cli" / "index.js"), address, "--quiet", "--output=json", f"--output-path={target}"]
    command += [f"--only-categories={categories}", f"--chrome-flags={flags}", "--max-wait-for-load=60000"]
    environment = os.environ | {"CHROME_PATH": str(CHROMIUM)}
    for _ in range(TRIES):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
        # The browser lost the beginning of its own trace; Lighthouse asks to be run again.
        if "NO_NAVSTART" not in done.stderr:
            break
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(target.read_text(encoding="utf-8"))
    assert "runtimeError" not in found, found["runtimeError"]
    return found


def failed(found: dict[str, Any], category: str) -> list[str]:
    """Audits that cost a category its points."""
    audits = ((found["audits"][part["id"]], part["weight"]) for part in found["categories"][category]["auditRefs"])
    return [f"{audit['id']}: {audit['title']}" for audit, weight in audits if weight and audit["score"] is not None and audit["score"] < 1]


@pytest.mark.parametrize("kind", PAGES)
def test_lighthouse_finds_nothing_to_mend(tools: Path, address: str, site: Path, kind: str, tmp_path: Path) -> None:
    # The audit of network requests, which holds the bytes, belongs to performance.
    found = measured(tools, address + kinds(site)[kind], tmp_path, "accessibility,best-practices,seo,performance")
    score = {name: round(100 * part["score"]) for name, part in found["categories"].items() if part["score"] is not None}
    assert score["accessibility"] == 100, failed(found, "accessibility")
    assert score["best-practices"] == 100, failed(found, "best-practices")
    assert score["seo"] >= 95, failed(found, "seo")
    requests = found["audits"]["network-requests"]["details"]["items"]
    sizes = {re.sub(r"^\w+://[^/]+/", "", request["url"]): request["transferSize"] for request in requests}
    assert sum(size for name, size in sizes.items() if name != BUNDLE) < MOST_BYTES[kind], sizes
    assert "search/search_index.json" not in sizes
    assert found["audits"]["cumulative-layout-shift"]["numericValue"] < STILL


@pytest.mark.performance
@pytest.mark.parametrize("kind", PAGES)
def test_a_first_visit_is_fast_on_a_slow_phone(tools: Path, address: str, site: Path, kind: str, tmp_path: Path) -> None:
    scores = [
        measured(tools, address + kinds(site)[kind], tmp_path, "performance")["categories"]["performance"]["score"] for _ in range(RUNS)
    ]
    assert 100 * statistics.median(scores) >= FAST, scores
