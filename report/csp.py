"""The Content-Security-Policy of a built site, and the file of headers that a host sends it with.

Whatever a page holds, a browser under this policy runs only the site's own script files and the theme's inline scripts, known by their
hashes, and asks no other host for anything. The theme's inline scripts differ by how deep a page lies, so the policy lists those of all."""

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

# Where the page about deploying shows the policy: it is known only when every page has been rendered.
PLACEHOLDER = "HEADCOUNT_CONTENT_SECURITY_POLICY"
HEADERS = "_headers"
# A browser runs these kinds of script; any other type, such as JSON, is data.
EXECUTED = frozenset({"", "module", "text/javascript", "application/javascript"})
SCRIPT = re.compile(r"<script\b([^>]*)>(.*?)</script>", re.DOTALL | re.IGNORECASE)
ATTRIBUTE = re.compile(r"""\b(src|type)\s*=\s*["']?([^"'\s>]*)""", re.IGNORECASE)
TEXT_FILES = ("*.html", "*.json")
# The theme's files, whose names change with what is in them but for those of its word splitters: a browser may keep them.
KEPT_FOR_EVER = ("/assets/javascripts/*", "/assets/stylesheets/*")
FOR_EVER = "public, max-age=31536000, immutable"
OTHERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def inline_scripts(page: str) -> list[str]:
    """The text of every script that a browser runs from within a page's HTML."""
    found = []
    for attributes, text in SCRIPT.findall(page):
        named = {name.lower(): value for name, value in ATTRIBUTE.findall(attributes)}
        if "src" not in named and named.get("type", "").lower() in EXECUTED:
            found.append(text)
    return found


def source_of(script: str) -> str:
    """A script as a policy names it: the SHA-256 of its text as a browser reads it."""
    digest = hashlib.sha256(script.replace("\r\n", "\n").encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy(scripts: Iterable[str]) -> str:
    """The policy of a site with these inline scripts, in one line."""
    hashes = sorted({source_of(script) for script in scripts})
    return "; ".join(
        (
            "default-src 'none'",
            " ".join(("script-src 'self' 'wasm-unsafe-eval'", *hashes)),
            "worker-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data: blob:",
            "style-src 'self' 'unsafe-inline'",
            "font-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'self'",
        )
    )


def policy_of(site: Path) -> str:
    """The policy of a built site: the union over all its pages."""
    pages = (path.read_text(encoding="utf-8") for path in site.rglob("*.html"))
    return policy({script for page in pages for script in inline_scripts(page)})


def headers(whole: str) -> str:
    """The file of headers with this policy, in the form that Netlify and Cloudflare Pages read. No header is set by two of its rules."""
    lines = ["/*", f"  Content-Security-Policy: {whole}", *(f"  {name}: {value}" for name, value in OTHERS)]
    for pattern in KEPT_FOR_EVER:
        lines += [pattern, f"  Cache-Control: {FOR_EVER}"]
    return "\n".join(lines) + "\n"


def write(site: Path) -> None:
    """Write the file of headers of a rendered site, and the policy where a page shows it."""
    whole = policy_of(site)
    for pattern in TEXT_FILES:
        for path in site.rglob(pattern):
            text = path.read_text(encoding="utf-8")
            if PLACEHOLDER in text:
                # In HTML and in the search index apostrophes may stand as they are.
                path.write_text(text.replace(PLACEHOLDER, whole), encoding="utf-8")
    (site / HEADERS).write_text(headers(whole), encoding="utf-8")


def rules(text: str) -> list[tuple[str, dict[str, str]]]:
    """What a file of headers says: for each pattern of addresses, the headers that answers get."""
    found: list[tuple[str, dict[str, str]]] = []
    for line in text.splitlines():
        if line.startswith("/"):
            found.append((line, {}))
        elif found and ":" in line:
            name, _, value = line.strip().partition(": ")
            found[-1][1][name] = value
    return found


def headers_for(address: str, known: list[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """The headers of the answer to a request for an address, from the site's root on; later rules win."""
    found: dict[str, str] = {}
    for pattern, added in known:
        if address == pattern or (pattern.endswith("*") and address.startswith(pattern[:-1])):
            found |= added
    return found
