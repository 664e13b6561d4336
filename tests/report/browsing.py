"""A site in a real browser: where it is served, and a visitor who keeps every complaint and may have had none."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from chromium import CHROMIUM, NO_BROWSER
from playwright.sync_api import Browser, Page, Request, Route

from report import console_files
from report.errors import EnvironmentRefusal
from report.serve import Quiet

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason=NO_BROWSER)


def fetch_console_engine() -> None:
    """Have the engine of the console at hand; where it cannot be had, skip with the reason, or fail where CI is set."""
    try:
        console_files.fetch()
    except EnvironmentRefusal as refusal:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the console's engine cannot be had here: {refusal.what}")


def served(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class Watched:
    """A page of which every complaint and every request to another host is kept; such requests are blocked."""

    def __init__(self, browser: Browser, address: str, **options: object) -> None:
        self.context = browser.new_context(**options)  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.address, self.complaints = address, list[str]()
        self.context.route("**/*", self.only_here)
        self.page.on("console", lambda message: self.complaints.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append("a dialog"), dialog.dismiss()))

    def only_here(self, route: Route, request: Request) -> None:
        if request.url.startswith((self.address, "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"asked for {request.url}")
            route.abort()

    def visit(self, place: str) -> Page:
        self.page.goto(self.address + place)
        self.settle()
        return self.page

    def settle(self) -> None:
        # Charts come alive with the first sign of a reader.
        self.page.mouse.move(5, 5)
        self.page.mouse.move(6, 6)
        self.page.wait_for_function(
            "[...document.querySelectorAll('figure.chart')].every(figure => figure.querySelector('.chart-live svg'))"
        )


@contextmanager
def visiting(browser: Browser, address: str, **options: object) -> Iterator[Watched]:
    """A visitor of the site at an address – of a host or of a folder – who at the end must have had no complaint."""
    made = Watched(browser, address, **options)
    try:
        yield made
        assert made.complaints == []
    finally:
        made.context.close()
