"""The pictures of docs/images, taken of real runs: ``make screenshots IMAGES=dir WEIGHTS=file``.

Starts `orchard up` on a lake of its own and runs the DAG twice, the second time with other components. Takes
pictures of Airflow, Orchard's pages and the report in Chromium, with this machine's folders shortened.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    FrameLocator,
    Locator,
    Page,
    expect,
    sync_playwright,
)

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
DAG = "orchard_features"
LONGEST_RUN = 1800.0
SHORTEN = """(folder) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) walker.currentNode.data = walker.currentNode.data.replaceAll(folder, "/…");
  for (const input of document.querySelectorAll("input")) input.value = input.value.replaceAll(folder, "/…");
}"""
TO_PALETTE = """
import sys
from PIL import Image
picture = Image.open(sys.argv[1]).convert("RGB")
picture.quantize(256, dither=Image.Dither.NONE).save(sys.argv[1], optimize=True)
"""


@dataclass(frozen=True)
class Airflow:
    """An Airflow that `orchard up` has started.

    Args:
        browser: Chromium.
        folder: Holds its lake and its state.
        port: Of Airflow, on loopback.
        password: Of the user admin.
    """

    browser: Browser
    folder: Path
    port: int
    password: str

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def open(self, width: int, height: int, theme: str = "light") -> Page:
        """Return a page of somebody who has signed in."""
        # Playwright's own emulation would hide what a frame inherits from Airflow.
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="null", reduced_motion="reduce"
        )
        context.set_default_timeout(60_000)
        self._sign_in(context)
        page = context.new_page()
        page.goto(self.url("/"))
        page.evaluate(f"localStorage.setItem('theme', '{theme}')")
        return page

    def trigger(self, **parameters: Any) -> str:
        """Start a run; return its id."""
        content = {"logical_date": None, "conf": parameters}
        return str(self.call("POST", f"/dags/{DAG}/dagRuns", content)["dag_run_id"])

    def wait_for_end(self, run_id: str) -> None:
        stop = time.monotonic() + LONGEST_RUN
        while (state := self.call("GET", f"/dags/{DAG}/dagRuns/{run_id}")["state"]) != "success":
            if state == "failed" or time.monotonic() > stop:
                sys.exit(f"{run_id}: {state}")
            time.sleep(1)

    def call(self, method: str, path: str, content: Any = None) -> Any:
        context = self.browser.new_context()
        try:
            headers = {"Authorization": f"Bearer {self._get_token(context)}"}
            answer = context.request.fetch(
                self.url(f"/api/v2{path}"), method=method, headers=headers, data=content
            )
            return answer.json()
        finally:
            context.close()

    def _get_token(self, context: BrowserContext) -> str:
        who = {"username": "admin", "password": self.password}
        return str(context.request.post(self.url("/auth/token"), data=who).json()["access_token"])

    def _sign_in(self, context: BrowserContext) -> None:
        page = context.new_page()
        page.goto(self.url("/"))
        page.locator("input[name=username]").fill("admin")
        page.locator("input[name=password]").fill(self.password)
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Orchard", exact=True)).to_be_visible(timeout=60_000)
        page.close()


def main() -> int:
    images, weights = os.environ.get("IMAGES"), os.environ.get("WEIGHTS")
    if not images or not weights:
        print(
            "orchard: give IMAGES=dir and WEIGHTS=file: pictures of drawn images show nothing",
            file=sys.stderr,
        )
        return 2
    with start_airflow(Path(images), Path(weights)) as airflow:
        first = airflow.trigger()
        take_running(airflow, first)
        airflow.wait_for_end(first)
        second = airflow.trigger(components=7)
        airflow.wait_for_end(second)
        take_dag(airflow, first)
        for theme in ("light", "dark"):
            take_runs(airflow, theme)
        take_comparison(airflow)
        for theme in ("light", "dark"):
            take_report(airflow, theme)
    return 0


@contextmanager
def start_airflow(images: Path, weights: Path, port: int = 18480) -> Iterator[Airflow]:
    """Start `orchard up` with images, and weights, on a lake that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="orchard-screenshots-"))
    environment = {**os.environ, "ORCHARD_STATE": str(folder / "state"), "PYTHONPATH": str(ROOT)}
    orchard = [sys.executable, "-m", "orchard_cli"]
    shown = folder / "images"
    shown.symlink_to(images.absolute())
    options = [
        f"--images={shown}",
        f"--weights={weights.absolute()}",
        f"--lake={folder / 'lake'}",
        f"--port={port}",
    ]
    try:
        subprocess.run([*orchard, "up", *options], env=environment, check=True)
        passwords = folder / "state" / "up" / "simple_auth_manager_passwords.json.generated"
        with sync_playwright() as playwright:
            # Chromium's sandbox does not work for root.
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
            )
            yield Airflow(browser, folder, port, json.loads(passwords.read_text())["admin"])
            browser.close()
    finally:
        subprocess.run([*orchard, "down"], env=environment, check=False)
        shutil.rmtree(folder)


def take_running(airflow: Airflow, run_id: str) -> None:
    """While featurize works on a third of the images or more."""
    page = airflow.open(1280, 640)
    page.goto(airflow.url(f"/dags/{DAG}/runs/{run_id}/plugin/orchard-run"))
    frame = page.frame_locator("iframe[title=Orchard]")
    progress = frame.get_by_role("progressbar").first
    expect(progress).to_be_visible(timeout=600_000)
    while measure(progress) < 0.3:
        page.wait_for_timeout(500)
    save(page, "running")


def measure(progress: Locator) -> float:
    """Return how far a progress bar is, from 0 to 1; 0 while its page refreshes."""
    try:
        return float(progress.evaluate("one => one.position"))
    except Error:
        return 0.0


def take_dag(airflow: Airflow, run_id: str) -> None:
    page = airflow.open(1900, 620)
    page.goto(airflow.url(f"/dags/{DAG}/runs/{run_id}"))
    expect(page.get_by_role("heading", name=run_id)).to_be_visible()
    page.keyboard.press("g")
    expect(page.locator(".react-flow__node").first).to_be_visible()
    page.get_by_role("button", name="Collapse").or_(page.locator("[aria-label*='ollapse']")).first.click()
    page.wait_for_timeout(2000)  # the graph gets its new room, then moves to its place
    page.locator(".react-flow__controls-fitview").click()
    page.wait_for_timeout(2000)
    save(page, "graph")
    page.set_viewport_size({"width": 1280, "height": 1560})
    page.goto(airflow.url(f"/dags/{DAG}"))
    page.get_by_role("button", name="Trigger Dag").click()
    form = page.get_by_role("dialog")
    expect(form.locator("[name=element_cost_ceiling]")).to_be_visible()
    page.wait_for_timeout(1000)  # the dialog opens slowly
    save(page, "trigger", airflow.folder)


def take_runs(airflow: Airflow, theme: str) -> None:
    page = airflow.open(1280, 620, theme)
    open_runs(page, airflow)
    save(page, f"orchard-page-{theme}", airflow.folder)


def open_runs(page: Page, airflow: Airflow) -> FrameLocator:
    page.goto(airflow.url("/"))
    page.get_by_role("link", name="Orchard", exact=True).click()
    frame = page.frame_locator("iframe[title=Orchard]")
    expect(frame.get_by_role("heading", name="Published runs")).to_be_visible()
    return frame


def take_comparison(airflow: Airflow) -> None:
    """The charts of both reports, which are below the table."""
    page = airflow.open(1280, 900)
    frame = open_runs(page, airflow)
    for box in frame.get_by_role("checkbox").all():
        box.check()
    frame.get_by_role("button", name="Compare two").click()
    expect(frame.get_by_role("heading", name="Two runs")).to_be_visible()
    charts = frame.locator("iframe").first
    expect(charts).to_be_visible()
    frame.get_by_role("heading", name="Charts").evaluate("one => one.scrollIntoView()")
    page.wait_for_timeout(3000)  # the charts of two sandboxed reports are drawn
    save(page, "compare", airflow.folder)


def take_report(airflow: Airflow, theme: str) -> None:
    """The first run's, from disk; in the dark its map has pictures."""
    report = min((airflow.lake / "runs").glob("*/report.html"), key=lambda path: path.stat().st_mtime)
    context = airflow.browser.new_context(
        viewport={"width": 1200, "height": 1600}, color_scheme="dark" if theme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(report.as_uri())
    expect(page.locator("#map")).to_have_attribute("data-drawn", "1", timeout=60_000)
    if theme == "dark":
        page.get_by_label("as pictures").check()
    page.wait_for_timeout(1000)
    save(page, f"report-{theme}", airflow.folder)
    context.close()


def save(page: Page, name: str, folder: Path | None = None) -> None:
    for frame in page.frames if folder else ():
        frame.evaluate(SHORTEN, str(folder))
    file = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    # Half the bytes or less. The node's environment has Pillow, Airflow's has not.
    subprocess.run([ROOT / ".venv-node" / "bin" / "python", "-c", TO_PALETTE, file], check=True)
    print(f"docs/images/{name}.png", flush=True)


if __name__ == "__main__":
    sys.exit(main())
