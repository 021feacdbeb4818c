"""The report in a real browser: what people see, point at and reach, and what hostile names cannot do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from orchard.lake.layout import Lake
from orchard.lake.objects import local_path
from orchard.report.write import write_report
from orchard_jobs.contract import label_of
from tests.support.airflow.report_lake import ReportLake, clusters

HOSTILE = (
    "<script>alert(1)",
    "\"'`${alert(1)}",
    "</script><script>alert(2)</script>",
    "a\u2028b",
    "<img src=x onerror=alert(3)>",
)
LABELS = {**{f"fruit {place}": 12 for place in range(20)}, **dict.fromkeys(HOSTILE, 6)}
WIDE = 1280


@dataclass
class Seen:
    """A page, and what it did while it was open."""

    page: Page
    url: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        page = self.page
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

        def refuse(dialog: Any) -> None:
            self.complaints.append(f"dialog {dialog.message}")
            dialog.dismiss()

        page.on("dialog", refuse)

    def drawn(self, turn: int) -> None:
        """Wait until the map has been drawn so many times."""
        expect(self.page.locator("#map")).to_have_attribute("data-drawn", str(turn))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    lake = ReportLake(Lake(f"file://{tmp_path_factory.mktemp('lake')}"))
    rejected = {f"{label}/bad.jpg": ("corrupt", f"reason {label}") for label in HOSTILE}
    rejected[f"{'long/' * 30}bad.jpg"] = ("too_large", f"89478486 pixels, {'without_a_space' * 10}, at most")
    lake.publish("first", clusters(LABELS))
    lake.publish("second", clusters({"quince": 8}, seed=2), rejected=rejected, turn=30)
    return f"file://{local_path(write_report(lake.storage, lake.lake, 'second'))}"


@pytest.fixture(scope="module")
def few_labels(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of a run of so few labels that the map has a legend."""
    lake = ReportLake(Lake(f"file://{tmp_path_factory.mktemp('few')}"))
    lake.publish("first", clusters({"apple": 12, "fig": 9, HOSTILE[4]: 6}))
    return f"file://{local_path(write_report(lake.storage, lake.lake, 'first'))}"


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Callable[..., Seen]]:
    """Return a function that opens the report; afterwards nothing must have been complained of or fetched."""
    visits: list[Seen] = []

    def open_report(width: int = WIDE, at: str = url, **how: Any) -> Seen:
        context = browser.new_context(
            viewport={"width": width, "height": 900}, reduced_motion="reduce", **how
        )
        seen = Seen(context.new_page(), at)
        seen.listen()
        seen.page.goto(at)
        if how.get("java_script_enabled", True):
            seen.drawn(1)
            expect(seen.page.locator("#curve svg")).to_be_visible()
        visits.append(seen)
        return seen

    yield open_report
    for seen in visits:
        assert seen.complaints == []
        fetched = {address for address in seen.requests if not address.startswith("data:image/webp;")}
        assert fetched == {seen.url}
        seen.page.context.close()


def test_pointing_at_an_image_shows_it(visit: Callable[..., Seen]) -> None:
    seen = visit()
    tip = seen.page.locator("#tip")
    expect(tip).to_be_hidden()
    seen.page.locator("#map svg .mark-symbol path").nth(100).hover(force=True)
    expect(tip).to_be_visible()
    assert tip.locator("img").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [32, 32]
    label, path = tip.locator("strong").inner_text(), tip.locator("span").first.inner_text()
    assert path.startswith(f"{label}/")
    seen.page.mouse.move(2, 2)
    expect(tip).to_be_hidden()


def test_a_finger_shows_the_image_that_is_nearest_to_it_and_another_touch_hides_it(
    visit: Callable[..., Seen],
) -> None:
    seen = visit(390, has_touch=True)
    tip, points = seen.page.locator("#tip"), seen.page.locator("#map svg .mark-symbol path")
    seen.page.locator("#map").scroll_into_view_if_needed()
    box = points.nth(100).bounding_box()
    assert box is not None
    seen.page.touchscreen.tap(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    expect(tip).to_be_visible()
    label, path = tip.locator("strong").inner_text(), tip.locator("span").first.inner_text()
    assert path.startswith(f"{label}/")
    shown = tip.bounding_box()
    assert shown is not None
    assert (shown["x"] >= 0, shown["x"] + shown["width"] <= 390) == (True, True)
    seen.page.touchscreen.tap(5, 5)
    expect(tip).to_be_hidden()


def colours_of(seen: Seen) -> set[str]:
    return set(
        seen.page.locator("#map svg .mark-symbol path").evaluate_all(
            "all => all.map(e => e.getAttribute('fill') || e.style.fill)"
        )
    )


def test_a_label_of_the_legend_is_hidden_and_shown_again_with_a_click(
    visit: Callable[..., Seen], few_labels: str
) -> None:
    seen = visit(at=few_labels)
    buttons, points = seen.page.locator(".legend button"), seen.page.locator("#map svg .mark-symbol path")
    fig = buttons.filter(has_text="fig")
    expect(fig).to_have_attribute("aria-pressed", "true")
    at_first = points.first.get_attribute("transform")
    fig.click()
    seen.drawn(2)
    expect(fig).to_have_attribute("aria-pressed", "false")
    expect(points).to_have_count(18)
    assert points.first.get_attribute("transform") == at_first
    expect(seen.page.get_by_role("status")).to_have_text("18 points, PC1 across, PC2 up.")
    seen.page.get_by_text("Show as a table").first.click()
    expect(seen.page.locator("#rows tbody tr")).to_have_count(18)
    fig.focus()
    seen.page.keyboard.press("Enter")
    seen.drawn(3)
    expect(points).to_have_count(27)


def test_all_labels_can_be_hidden_and_one_that_is_hidden_picked_out(
    visit: Callable[..., Seen], few_labels: str
) -> None:
    seen = visit(at=few_labels)
    for turn, button in enumerate(seen.page.locator(".legend button").all(), 2):
        button.click()
        seen.drawn(turn)
    points = seen.page.locator("#map svg .mark-symbol path")
    expect(points).to_have_count(0)
    expect(seen.page.locator("#map svg .role-axis-title").first).to_be_visible()
    seen.page.locator("#label").select_option(label="apple")
    seen.drawn(5)
    expect(points).to_have_count(12)


def test_the_ends_of_a_component_of_few_labels_show_its_outermost_images(
    visit: Callable[..., Seen], few_labels: str
) -> None:
    seen = visit(at=few_labels)
    ends = [seen.page.locator(f".end.{side}").first.locator("li") for side in ("low", "high")]
    for end in ends:
        expect(end).to_have_count(6)
        expect(end.locator("img")).to_have_count(6)
    low, high = (set(end.evaluate_all("all => all.map(e => e.title)")) for end in ends)
    assert low.isdisjoint(high)


def test_other_components_can_be_chosen_with_the_keyboard_alone(visit: Callable[..., Seen]) -> None:
    seen = visit()
    titles = seen.page.locator("#map svg .role-axis-title")
    assert [text.partition(" ")[0] for text in titles.all_text_contents()] == ["PC1", "PC2"]
    before = seen.page.locator("#map svg .mark-symbol path").first.get_attribute("transform")
    seen.page.locator("#y").focus()
    seen.page.keyboard.press("ArrowDown")
    seen.drawn(2)
    assert [text.partition(" ")[0] for text in titles.all_text_contents()] == ["PC1", "PC3"]
    assert seen.page.locator("#map svg .mark-symbol path").first.get_attribute("transform") != before
    expect(seen.page.get_by_role("status")).to_have_text("278 points, PC1 across, PC3 up.")


def test_one_label_can_be_picked_out_also_one_with_a_hostile_name(visit: Callable[..., Seen]) -> None:
    seen = visit()
    label = seen.page.locator("#label")
    value = "(select, name) => Array.from(select.options).find((option) => option.textContent === name).value"
    for turn, name in enumerate((HOSTILE[0], HOSTILE[3], "fruit 3"), 2):
        label.select_option(label.evaluate(value, name))
        seen.drawn(turn)
        colours = seen.page.locator("#map svg .mark-symbol path").evaluate_all(
            "all => all.map(e => e.getAttribute('fill') || e.style.fill)"
        )
        assert sum(colour != "var(--faint)" for colour in colours) == LABELS[name]


def test_the_map_can_be_made_of_pictures_of_which_none_hides_another(visit: Callable[..., Seen]) -> None:
    seen = visit()
    seen.page.get_by_label("as pictures").check()
    seen.drawn(2)
    boxes = seen.page.locator("#map svg image").evaluate_all(
        "all => all.map(e => e.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) > 30
    for place, one in enumerate(boxes):
        for other in boxes[place + 1 :]:
            apart = max(abs(one["x"] - other["x"]), abs(one["y"] - other["y"]))
            assert apart > 20


def test_a_label_of_the_table_is_found_on_the_map(visit: Callable[..., Seen]) -> None:
    seen = visit()
    button = seen.page.locator("button[data-label]").nth(3)
    button.focus()
    seen.page.keyboard.press("Enter")
    seen.drawn(2)
    assert seen.page.locator("#label").evaluate("select => select.value") == button.get_attribute(
        "data-label"
    )
    assert seen.page.evaluate("document.activeElement.id") == "label"


def test_the_first_stop_of_the_keyboard_skips_to_the_report_and_every_stop_is_seen(
    visit: Callable[..., Seen],
) -> None:
    seen = visit()
    seen.page.keyboard.press("Tab")
    skip = seen.page.get_by_text("Skip to the report")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    outline = "(style => style.outlineStyle + style.outlineWidth)(getComputedStyle(document.activeElement))"
    stops = []
    for _ in range(14):
        assert seen.page.evaluate(outline) == "solid3px"
        seen.page.keyboard.press("Tab")
        stops.append(seen.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert stops[7:11] == ["x", "y", "label", "pictures"]


def test_what_the_map_shows_is_there_as_a_table(visit: Callable[..., Seen]) -> None:
    seen = visit()
    seen.page.get_by_text("Show as a table").first.click()
    seen.page.locator("#label").select_option(label="quince")
    seen.drawn(2)
    rows = seen.page.locator("#rows tbody tr")
    expect(rows).to_have_count(8)
    assert {label_of(path) for path in rows.locator("td.path").all_inner_texts()} == {"quince"}
    seen.page.locator("#label").select_option("-1")
    seen.drawn(3)
    expect(rows).to_have_count(100)
    expect(seen.page.locator("#rows caption")).to_have_text(
        "The first 100 of 278 images; choose a label to see others."
    )


def test_hostile_names_are_shown_as_they_are_and_make_nothing(visit: Callable[..., Seen]) -> None:
    """What they would do, a dialog or a request, fails the test when the page is left."""
    seen = visit()
    seen.page.wait_for_timeout(300)
    for name in HOSTILE[:3]:
        shown = label_of(f"{name}/1.jpg")
        assert seen.page.locator("bdi").get_by_text(shown, exact=True).count() > 0
        assert f"{name}/bad.jpg" in seen.page.locator("#accounts td.path").all_inner_texts()
    assert seen.page.locator("script").count() == 4
    assert seen.page.locator("img:not([src^='data:image/webp;base64,'])").count() == 0


def test_a_script_that_got_into_the_page_would_not_run(browser: Browser, url: str) -> None:
    page = browser.new_page()
    page.goto(url)
    run = """() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = 1";
        document.body.append(script);
        return window.ran;
    }"""
    assert page.evaluate(run) is None
    assert page.evaluate("fetch('https://example.org').then(() => 'fetched', () => 'refused')") == "refused"
    page.close()


def luminance(page: Page, selector: str, style: str) -> float:
    """Relative luminance of a colour, by https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    colour = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{style}")
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").rstrip(")").split(",")]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return float(0.2126 * red + 0.7152 * green + 0.0722 * blue)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_dark_in_the_dark_and_text_can_be_read_in_both(scheme: str, visit: Callable[..., Seen]) -> None:
    page = visit(color_scheme=scheme).page
    for ground in ("body", "section"):
        paper = luminance(page, ground, "backgroundColor")
        assert (paper < 0.02) if scheme == "dark" else (paper > 0.9)
    for selector, style in (
        ("p", "color"),
        (".soft", "color"),
        ("a[href]", "color"),
        ("#map .role-axis-label text", "fill"),
        ("#curve .role-axis-title text", "fill"),
    ):
        dark, light = sorted((paper, luminance(page, selector, style)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, selector


@pytest.mark.parametrize("width", [320, 400, 768, WIDE])
def test_nothing_has_to_be_scrolled_sideways(width: int, visit: Callable[..., Seen]) -> None:
    page = visit(width).page
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#map svg").bounding_box()["width"] <= width  # type: ignore[index]


@pytest.mark.parametrize("width", [320, 390])
def test_why_an_image_was_rejected_can_be_read_on_a_phone(width: int, visit: Callable[..., Seen]) -> None:
    page = visit(width).page
    table = page.get_by_role("region", name="Rejected images")
    assert table.evaluate("e => e.scrollWidth <= e.clientWidth")
    cells = table.locator("td").evaluate_all(
        "all => all.map(e => [e.scrollWidth <= e.clientWidth, e.getBoundingClientRect().right])"
    )
    assert len(cells) == 3 * (len(HOSTILE) + 1)
    assert all(fits and right <= width for fits, right in cells)
    reason = table.get_by_text("89478486 pixels").bounding_box()
    assert reason is not None
    assert reason["width"] > width / 2


def test_links_to_files_are_there_from_disk_and_not_in_the_frame_of_the_pages(
    visit: Callable[..., Seen], browser: Browser, url: str
) -> None:
    """The pages give it to a frame as it is: what it is shown in is for the report itself to see."""
    links = "a:not([href^='#'])"
    assert visit().page.locator(f"{links}:visible").count() == 3
    report = local_path(url).read_text("utf-8")
    page = browser.new_page()
    page.set_content('<iframe sandbox="allow-scripts" width="900" height="600"></iframe>')
    page.locator("iframe").evaluate("(frame, report) => { frame.srcdoc = report }", report)
    framed = page.frame_locator("iframe")
    expect(framed.locator("#map")).to_have_attribute("data-drawn", "1")
    expect(framed.locator(links)).to_have_count(3)
    expect(framed.locator(f"{links}:visible")).to_have_count(0)
    expect(framed.get_by_text("files", exact=True)).to_be_hidden()
    page.close()


def test_without_scripts_the_tables_are_there_and_controls_that_would_do_nothing_are_not(
    visit: Callable[..., Seen],
) -> None:
    page = visit(java_script_enabled=False).page
    expect(page.locator(".controls")).to_be_hidden()
    expect(page.locator("noscript p")).to_be_visible()
    expect(page.get_by_role("heading", name="How well labels stand apart")).to_be_visible()


def test_on_paper_there_are_the_charts_and_no_controls(visit: Callable[..., Seen]) -> None:
    page = visit(color_scheme="dark").page
    page.emulate_media(media="print")
    for gone in ("nav", ".controls"):
        expect(page.locator(gone)).to_be_hidden()
    expect(page.locator("#map svg")).to_be_visible()
    assert luminance(page, "body", "backgroundColor") == 1
    assert luminance(page, "#map .role-axis-label text", "fill") < 0.15
