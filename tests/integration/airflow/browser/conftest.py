"""One Airflow for the browser's tests of the pages, and somebody who is logged in to it. Fixtures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, FrameLocator, Page, expect

from local_emr.authentication import Endpoint
from orchard.lake.layout import Lake
from orchard.report.write import write_report
from tests.support.airflow.report_lake import ReportLake, clusters
from tests.support.airflow.server import ScheduledRun
from tests.support.airflow.server_with_fake_spark import running_orchard
from tests.support.airflow.shown_orchard import HOSTILE, SECONDS, Shown

# Of Airflow's own: it warns of the way in which it shows the pages of every plugin.
EXPECTED = (
    "An iframe which has both allow-scripts and allow-same-origin",
    "[DOM] Input elements should have",
)


@pytest.fixture(scope="package")
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
