"""The site's Content-Security-Policy: the scripts it allows must be those that stand in the pages – no fewer, no more."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser

from report.check.page import Page

NAME = "Content-Security-Policy"
# Pages run no script but the site's own files and those inline ones whose hashes are listed, and ask nobody else for anything.
DIRECTIVES = {
    "default-src": {"'none'"},
    "script-src": {"'self'", "'wasm-unsafe-eval'"},
    "worker-src": {"'self'"},
    "connect-src": {"'self'"},
    "img-src": {"'self'", "data:", "blob:"},
    "style-src": {"'self'", "'unsafe-inline'"},
    "font-src": {"'self'"},
    "base-uri": {"'none'"},
    "form-action": {"'none'"},
    "frame-ancestors": {"'self'"},
}


def compare_policy(site: Path, pages: Mapping[str, Page]) -> Iterator[str]:
    """Where the policy of the file of headers, or that shown on the page about deploying, differs from what the pages need."""
    try:
        text = (site / "_headers").read_text(encoding="utf-8")
    except (OSError, ValueError):
        yield "_headers is missing or cannot be read"
        return
    lines = [line.strip() for line in text.splitlines()]
    stated = [line.removeprefix(f"{NAME}: ") for line in lines if line.startswith(f"{NAME}: ")]
    if len(stated) != 1 or lines[:1] != ["/*"] or lines[1:2] != [f"{NAME}: {stated[0]}"]:
        yield "_headers: the policy does not stand once, for all pages"
        return
    needed = set().union(*(hashes(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")))
    directives = [directive.split() for directive in stated[0].split(";") if directive.strip()]
    # Of two directives of one name a browser obeys the first.
    found = {name: set(values) for name, *values in reversed(directives)}
    for name in sorted(found.keys() | DIRECTIVES.keys()):
        allowed = DIRECTIVES.get(name, set()) | (needed if name == "script-src" else set())
        if found.get(name) != allowed:
            yield f"_headers: {name} allows what the pages do not need, or not what they need"
    shown = pages.get("deploy/index.html")
    if shown is not None and all(stated[0] not in node.text() for node in LexborHTMLParser(shown.html).css("pre")):
        yield "deploy/index.html shows another policy than _headers"


def hashes(page: str) -> set[str]:
    """The scripts that a browser would run from within a page, as a policy names them."""
    found = set()
    for node in LexborHTMLParser(page).css("script:not([src])"):
        if (node.attributes.get("type") or "text/javascript").endswith("javascript") or node.attributes.get("type") == "module":
            digest = hashlib.sha256((node.text() or "").encode("utf-8")).digest()
            found.add(f"'sha256-{base64.b64encode(digest).decode()}'")
    return found
