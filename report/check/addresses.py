"""Which kind of page an address of the site is: a head's, which is made and checked by itself, the error page, or one like any other.

Addresses are from the root of the site, of a page's file or of its folder."""

import re

# Shown at any address that has no page, so that its own links are from the root of the host.
ERROR_PAGE = "404.html"
HEAD = re.compile(r"heads/[^/]+/L\d+H\d+/\Z")


def is_head_page(place: str) -> bool:
    """True for the address of a head's page."""
    return HEAD.match(place.removesuffix("index.html")) is not None


def head_page_in(address: str) -> str | None:
    """The address of a head's page that a whole address, with its host, ends with; None where it is of another page."""
    found = HEAD.search(address)
    return found.group() if found else None


def is_twinned(place: str) -> bool:
    """True for the file of a page that has a Markdown version and is named in llms.txt."""
    return place != ERROR_PAGE and not is_head_page(place)
