"""A visitor with a real browser, who keeps every complaint: errors and warnings, blocked scripts, requests to other hosts."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Route

WIDE = {"color_scheme": "light", "viewport": {"width": 1440, "height": 900}}
NARROW = {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}}
# Each test of a page that asks for windows sees it in both.
WINDOWS = pytest.mark.parametrize("visitor", [WIDE, NARROW], indirect=True, ids=["light-wide", "dark-narrow"])
# What a page refuses to run is kept on the window, from before its first script on.
LISTEN = """window.refused = []; document.addEventListener("securitypolicyviolation", event =>
    window.refused.push(`${event.violatedDirective}: ${event.blockedURI || event.sample}`));"""
# Playwright waits for selectors from a world of its own; to wait for a function it needs eval, which the policy forbids.
NOT_DRAWN = "figure.chart:not(:has(.chart-live svg))"


class Visitor:
    """One page in a browser context of its own; what it asks of another host is blocked and kept with its other complaints."""

    def __init__(self, browser: Browser, address: str, **options: object) -> None:
        self.context = browser.new_context(**options)  # type: ignore[arg-type]
        # A busy machine is no fault of the site.
        self.context.set_default_timeout(90_000)
        self.context.add_init_script(LISTEN)
        self.page: Page = self.context.new_page()
        self.address, self.complaints = address, list[str]()
        self.context.route("**/*", self.only_here)
        self.page.on("console", self.told)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))

    def told(self, message: ConsoleMessage) -> None:
        """Keep an error or a warning; that a missing page is answered with 404 is no fault of the error page."""
        missing = message.location.get("url", "") == self.page.url and "404" in message.text
        if message.type in ("error", "warning") and not missing:
            self.complaints.append(message.text)

    def only_here(self, route: Route, request: Request) -> None:
        """Let through what stays on the site."""
        if request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"asked for {request.url}")
            route.abort()

    def visit(self, place: str, live: bool = True) -> Page:
        """Go to a page of the site, and wait for its charts to come alive."""
        self.page.goto(self.address + place)
        if live:
            self.settle()
        return self.page

    def settle(self) -> None:
        """Charts come alive with the first sign of a reader."""
        self.page.mouse.move(5, 5)
        self.page.mouse.move(6, 6)
        self.page.locator(NOT_DRAWN).first.wait_for(state="detached")

    def refused(self) -> list[str]:
        """What the page in sight was forbidden by its policy."""
        return list(self.page.evaluate("window.refused"))


@contextmanager
def visiting(browser: Browser, address: str, **options: object) -> Iterator[Visitor]:
    """A visitor, gone at the end."""
    visitor = Visitor(browser, address, **options)
    try:
        yield visitor
    finally:
        visitor.context.close()
