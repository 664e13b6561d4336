"""The address at which a site will lie, as its builder gives it: it stands in the head of every page, and in the site's map."""

import re

from report.errors import UsageRefusal

ADDRESS = re.compile(r"https?://[\w.:\[\]-]+(/[\w./~%+,;:@!$&=()*-]*)?", re.ASCII)


def refuse_other(address: str) -> None:
    """Refuse what is no address of the web; none at all is well.

    Raises:
        UsageRefusal: another scheme, or characters that an address has not.
    """
    if address and not ADDRESS.fullmatch(address):
        raise UsageRefusal(f"{address!r} is no address of a site", "--site-url", "write for example https://example.org/headcount/")
