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
    for path in ("/orchard/", "/orchard/runs/older/report.html", "/orchard/runs/older/framed.html"):
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
    shown = open_report(frame, 1)
    expect(shown.locator("#map")).to_have_attribute("data-drawn", "1", timeout=SECONDS)
    expect(shown.locator("bdi").get_by_text(HOSTILE, exact=True).first).to_be_visible()
    (report,) = [each for each in page.frames if each.url == "about:srcdoc"]
    assert report.evaluate("self.origin") == "null"
    with pytest.raises(Exception, match="sandboxed"):
        report.evaluate("document.cookie")
    shown.get_by_role("link", name="Labels", exact=True).click()
    wait_for(lambda: report.evaluate("scrollY") > 0, "the report to show its labels")


def open_report(frame: FrameLocator, row: int) -> FrameLocator:
    """Follow the link of a row of the list; return the report, in its sandbox."""
    frame.locator("tbody tr").nth(row).get_by_role("link", name="report").click()
    return report_in(frame)


def report_in(page: Page | FrameLocator) -> FrameLocator:
    return page.frame_locator("iframe[title=Report]").frame_locator("iframe[title=Report]")


def test_around_a_report_are_links_that_work_and_leave_airflow_where_it_is(
    page: Page, frame: FrameLocator
) -> None:
    """Somebody is still logged in behind them, which they would not be behind a link of the report."""
    shown = open_report(frame, 0)
    expect(shown.get_by_role("heading", name="Run of ")).to_be_visible(timeout=SECONDS)
    expect(shown.locator("a:not([href^='#']):visible")).to_have_count(0)
    links = frame.get_by_role("navigation", name="Run").get_by_role("link")
    expect(links).to_have_text(["Runs", "CSV", "Rejects", "run.json", "Logs", "Compare with the run before"])
    with page.expect_download() as saving:
        links.get_by_text("CSV").click()
    assert saving.value.suggested_filename.endswith("-features.csv")
    for link, heading in (("Logs", "Logs of the steps"), ("Compare", "Two runs"), ("Runs", "Published runs")):
        frame.get_by_role("navigation", name="Run").get_by_role("link", name=link).click()
        expect(frame.get_by_role("heading", name=heading)).to_be_visible(timeout=SECONDS)
        assert "/plugin/orchard" in page.url
        expect(page.get_by_role("link", name="Orchard", exact=True)).to_be_visible()
        frame.locator("body").evaluate("history.back()")
        expect(links.first).to_be_visible()


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
    expect(cells).to_have_text(["local EMR emr-spark-8.1.0", f"EMR {HOSTILE}"])


def test_the_charts_of_two_runs_are_side_by_side(page: Page, frame: FrameLocator) -> None:
    for box in frame.get_by_role("checkbox").all():
        box.check()
    frame.get_by_role("button", name="Compare two").click()
    places, sides = [], frame.locator("iframe[title^='Charts of ']")
    expect(sides).to_have_count(2, timeout=SECONDS)
    for side in sides.all():
        places.append(side.bounding_box())
        report = side.content_frame.frame_locator("iframe")
        expect(report.locator("#map")).to_have_attribute("data-drawn", "1", timeout=SECONDS)
        for chart in ("#map", "#bars", "#counts"):
            expect(report.locator(f"{chart} svg")).to_be_visible()
        for gone in ("header", "#curve", "#labels table", "#map-of-images form", "#time"):
            expect(report.locator(gone).first).to_be_hidden()
    left, right = places
    assert left is not None
    assert right is not None
    assert (left["y"], left["width"]) == (right["y"], right["width"])
    assert left["x"] + left["width"] < right["x"]


def test_a_comparison_with_nothing_ticked_explains_itself(frame: FrameLocator) -> None:
    compare, alert = frame.get_by_role("button", name="Compare two"), frame.get_by_role("alert")
    compare.click()
    expect(alert).to_have_text("Tick two runs to compare them: none is ticked.")
    frame.get_by_role("checkbox").first.check()
    compare.click()
    expect(alert).to_have_text("Tick two runs to compare them: 1 is ticked.")
    expect(frame.get_by_role("heading", name="Published runs")).to_be_visible()


def test_where_there_is_no_run_yet_a_link_opens_the_dag_to_trigger_one_in_another_window(
    page: Page, shown: Shown
) -> None:
    latest = shown.lake / "latest.json"
    kept = latest.rename(shown.lake / "kept.json")
    try:
        page.get_by_role("link", name="Orchard", exact=True).click()
        link = page.frame_locator("iframe[title=Orchard]").get_by_role("link", name="Trigger")
        with page.expect_popup() as opening:
            link.click(timeout=SECONDS)
        button = opening.value.get_by_role("button", name="Trigger Dag")
        expect(button).to_be_visible(timeout=SECONDS)
        expect(link).to_be_visible()
    finally:
        kept.rename(latest)


def test_a_csv_is_saved(page: Page, frame: FrameLocator) -> None:
    with page.expect_download() as saving:
        frame.locator("tbody tr").nth(1).get_by_role("link", name="CSV").click()
    assert saving.value.suggested_filename == "older-features.csv"
    assert Path(saving.value.path()).read_bytes() == b"path,label\n"


def test_the_state_of_a_run_leads_to_airflows_own_page_in_another_window(
    page: Page, frame: FrameLocator, shown: Shown
) -> None:
    with page.expect_popup() as opening:
        frame.get_by_role("link", name="success").click()
    opened = opening.value
    opened.wait_for_url(lambda url: "/dags/orchard_features/runs/manual__" in url, timeout=SECONDS)
    expect(opened.get_by_role("heading", name=shown.run.run_id)).to_be_visible(timeout=SECONDS)
    expect(frame.get_by_role("heading", name="Published runs")).to_be_visible()


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
def test_a_task_has_links_that_work_within_airflow(task: str, link: str, page: Page, shown: Shown) -> None:
    page.goto(f"{shown.of_run}/tasks/{task}/details")
    page.get_by_role("link", name=link, exact=True).click()
    heading = "Run of " if link == "Report" else "Logs of the steps"
    frame = page.frame_locator("iframe[title=Orchard]")
    shown_in = report_in(frame) if link == "Report" else frame
    expect(shown_in.get_by_role("heading", name=heading)).to_be_visible(timeout=SECONDS)
    if link == "Report":  # and the list is not taken for the report again
        frame.get_by_role("navigation", name="Run").get_by_role("link", name="Runs").click()
        expect(frame.get_by_role("heading", name="Published runs")).to_be_visible(timeout=SECONDS)
        frame.get_by_role("button", name="Compare two").click()
        expect(frame.get_by_role("alert")).to_have_text("Tick two runs to compare them: none is ticked.")


def test_no_task_has_a_link_to_a_console_that_knows_nothing_of_a_local_emr(page: Page, shown: Shown) -> None:
    for task in ("create_cluster", "reduce", "terminate_cluster"):
        page.goto(f"{shown.of_run}/tasks/{task}/details")
        expect(page.get_by_role("link", name="Logs of the steps")).to_be_visible(timeout=SECONDS)
        expect(page.get_by_role("link", name=re.compile("^EMR"))).to_have_count(0)


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
