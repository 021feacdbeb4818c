"""The pages in Airflow's real UI, after a run of the real DAG: what people see, follow and reach."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from orchard.settings.settings import Settings
from orchard.workflow.trigger_form import params
from tests.support.airflow.server import ScheduledRun
from tests.support.airflow.shown_orchard import HOSTILE, SECONDS, Shown
from tests.support.polling import wait_for

TASKS = ("sense", "create_cluster", "featurize", "reduce", "export", "publish", "compact", "report")


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
