"""What a host needs to know: the policy in the file of headers, the server that sends it, and the workflow that publishes."""

import base64
import hashlib
import json
import re
import shutil
import threading
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import yaml
from planting import ROOT

from report import csp
from report.build import Built
from report.check.page import read_page
from report.check.policy import compare_policy
from report.serve import Deployed

WORKFLOW = ROOT / ".github" / "workflows" / "publish.yml"


def differences(site: Path) -> list[str]:
    """What the check says of a site's policy."""
    pages = {page.name: page for page in (read_page(site, path) for path in sorted(site.rglob("*.html")))}
    return list(compare_policy(site, pages))


@pytest.fixture
def copy(small: Built, tmp_path: Path) -> Path:
    """A site that a test may spoil."""
    return Path(shutil.copytree(small.site, tmp_path / "site"))


def test_only_scripts_that_a_browser_runs_are_in_the_policy() -> None:
    page = (
        '<script>run()</script><script src="a.js"></script><script type="application/json">{}</script><script type=module>more()</script>'
    )
    assert csp.inline_scripts(page) == ["run()", "more()"]
    expected = base64.b64encode(hashlib.sha256(b"run()").digest()).decode()
    assert f"script-src 'self' 'wasm-unsafe-eval' 'sha256-{expected}';" in csp.policy(["run()", "run()"])


def test_a_built_site_has_the_policy_that_its_pages_need(small: Built) -> None:
    assert differences(small.site) == []
    assert csp.PLACEHOLDER not in (small.site / "deploy" / "index.html").read_text()


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("data/index.html", "</article>", "<script>alert(1)</script></article>", "script-src"),
        # A browser obeys the first of two directives of one name.
        ("_headers", "script-src ", "script-src *; script-src ", "script-src"),
        ("_headers", "'wasm-unsafe-eval'", "'wasm-unsafe-eval' 'unsafe-inline'", "script-src"),
        ("_headers", "connect-src 'self'", "connect-src *", "connect-src"),
        ("_headers", "; base-uri 'none'", "", "base-uri"),
        ("_headers", "/*\n", "/only-here/*\n", "for all pages"),
        ("deploy/index.html", "worker-src", "worker-source", "another policy"),
    ],
)
def test_a_policy_that_does_not_fit_the_pages_is_found(copy: Path, name: str, before: str, after: str, told: str) -> None:
    text = (copy / name).read_text(encoding="utf-8")
    assert before in text
    (copy / name).write_text(text.replace(before, after, 1), encoding="utf-8")
    assert any(told in difference for difference in differences(copy))


def test_a_site_without_its_file_of_headers_is_found(copy: Path) -> None:
    (copy / "_headers").unlink()
    assert differences(copy) == ["_headers is missing or cannot be read"]


def test_the_local_server_sends_what_the_file_of_headers_says(small: Built) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Deployed, directory=str(small.site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        root = f"http://127.0.0.1:{server.server_port}/"
        bundle = next((small.site / "assets" / "javascripts").glob("bundle.*.js")).name
        with urlopen(root) as home, urlopen(f"{root}assets/javascripts/{bundle}") as script:  # noqa: S310 – this machine
            assert home.headers["Content-Security-Policy"] == csp.policy_of(small.site)
            assert home.headers["Cache-Control"] is None
            assert home.headers["Server"] == "Headcount"
            assert script.headers["Cache-Control"] == csp.FOR_EVER
            assert script.headers["X-Content-Type-Options"] == "nosniff"
        with pytest.raises(HTTPError) as missing:
            urlopen(f"{root}no/such/page/")  # noqa: S310 – this machine
        with missing.value as answer:
            assert answer.code == 404
            assert b"There is no such page" in answer.read()
            assert answer.headers["Content-Security-Policy"] == csp.policy_of(small.site)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_workflow_calls_targets_of_the_makefile_and_pinned_actions_only() -> None:
    # YAML reads the key `on` as a truth value.
    workflow = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = "\n".join(step["run"] for step in steps if "run" in step)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    called = re.findall(r"\bmake ([a-z-]+)", commands)
    assert called == ["site", "check", "publish-check"]
    assert set(called) <= targets
    for variable in re.findall(r"\b([A-Z_]+)=", commands):
        assert re.search(rf"^{variable} \?=", makefile, re.MULTILINE), variable
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", step["uses"]) for step in steps if "uses" in step)
    order = [step.get("run", step.get("uses", "")) for step in workflow["jobs"]["build"]["steps"]]
    assert "upload-pages-artifact" in order[-1]
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow[True]) == {"release", "workflow_dispatch"}


def test_the_lock_file_of_the_node_tools_names_exact_versions_with_hashes_and_no_host() -> None:
    lock = json.loads((ROOT / "tests" / "site" / "package-lock.json").read_text(encoding="utf-8"))
    wanted = json.loads((ROOT / "tests" / "site" / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert all(package["integrity"].startswith("sha512-") and "resolved" not in package for package in packages.values())
