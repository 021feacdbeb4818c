"""The page is one file that needs nothing else, and no name in it is ever more than text."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from orchard.lake.layout import Lake
from orchard.report.page.charts import label_bars
from orchard.report.page.render import to_script
from orchard.report.write import write_report
from orchard_jobs.contract import label_of
from tests.support.airflow.report_lake import THUMBNAILS, ReportLake, clusters

HOSTILE = {
    "<script>alert(1)": 5,
    "<script>alert(1)</script>": 5,
    "</script><img src=x onerror=alert(1)>": 5,
    "\"'`${alert(1)}": 5,
    "line\u2028and\u2029separators": 5,
    "{{ 7*7 }}{% raw %}": 5,
    "\u202eevil": 5,
    "": 5,
}


class Page(HTMLParser):
    """The elements of a page, and the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "style"):
            self.texts.append((self.tags[-1][0], data))

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def make_page(folder: Path, **more: object) -> str:
    lake = ReportLake(Lake(f"file://{folder}"))
    rejected = {f"{label}/bad{label}.jpg": ("corrupt", f"reason {label}") for label in HOSTILE}
    lake.publish("first", clusters(HOSTILE), rejected=rejected, **{"images": "s3://lake/<b>images", **more})
    write_report(lake.storage, lake.lake, "first")
    return lake.storage.read(lake.lake.run("first").page).data.decode()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_page(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_no_name_makes_an_element_or_an_attribute(page: Page) -> None:
    assert len(page.all("script")) == 4
    assert page.all("b") == []
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
    assert all(str(image["src"]).startswith("data:image/webp;base64,") for image in page.all("img"))
    assert {option["value"] for option in page.all("option")} == {str(n) for n in range(-1, 8)}


def test_names_reach_the_scripts_as_they_are(text: str) -> None:
    (data,) = re.findall(r'<script type="application/json" id="points">(.*?)</script>', text, re.DOTALL)
    assert not set("<>&\u2028\u2029") & set(data)
    assert set(json.loads(data)["labels"]) == {label_of(f"{label}/1.jpg") for label in HOSTILE}


def test_json_in_a_script_is_what_it_was(text: str) -> None:
    content = {name: [name, 1.5, None] for name in HOSTILE}
    assert json.loads(to_script(content)) == content
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_script({"not a number": float("nan")})


def test_the_page_lets_run_its_own_scripts_and_style_by_hash_and_nothing_else(page: Page, text: str) -> None:
    (policy,) = [tag["content"] for tag in page.all("meta") if tag.get("http-equiv")]
    rules = dict(rule.split(" ", 1) for rule in str(policy).split("; "))
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)

    def hashes(parts: list[str]) -> str:
        return " ".join(f"'sha256-{b64encode(sha256(part.encode()).digest()).decode()}'" for part in parts)

    assert rules == {
        "default-src": "'none'",
        "script-src": hashes(scripts),
        "style-src": hashes([style]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not [attributes for _, attributes in page.tags if "style" in attributes]


def test_nothing_is_fetched_from_elsewhere(page: Page) -> None:
    links = {str(link["href"]) for link in page.all("a")}
    assert {link for link in links if not link.startswith("#")} == {
        "csv/features.csv",
        "csv/rejects.csv",
        "run.json",
    }
    assert not [tag for tag, _ in page.tags if tag in ("link", "iframe", "object", "embed", "base", "video")]
    assert not [script for script in page.all("script") if "src" in script]


def test_it_says_what_it_is_about(text: str) -> None:
    assert "Run of 22 November 2026, 05:16 UTC" in text
    assert "48 listed = <strong>40</strong> featurized" in text
    assert "reason &lt;script&gt;alert(1)&lt;/script&gt;" in text
    plain = text.replace("\N{NO-BREAK SPACE}", " ")
    assert "80 % requires 3, 90 % requires 4, 95 % requires 5." in plain
    assert "This run does not build on another" in text
    assert "All 40 images." in text
    assert "cost" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


def test_the_images_of_many_labels_are_drawn_for_the_largest_by_name() -> None:
    counts = {f"label {place:02d}": place for place in range(40)} | {"": 100, "x" * 80: 50}
    spec = label_bars(counts)
    rows = spec["data"]["values"]
    assert [row["images"] for row in rows] == [100, *range(12, 40), 50]
    assert rows[0]["label"] == "(no label)"
    assert len(rows[-1]["label"]) == 60
    assert spec["encoding"]["y"]["sort"] is None


def test_a_cost_is_shown_where_there_is_one(tmp_path: Path) -> None:
    assert "<dt>cost</dt><dd>$0.42</dd>" in make_page(tmp_path, cost={"dollars": 0.42})


def test_a_run_on_a_local_emr_says_that_it_is_not_billed(tmp_path: Path) -> None:
    cluster = {"id": "j-1", "release": "emr-spark-8.1.0", "local": True}
    page = make_page(tmp_path, cost={"dollars": 0.42}, cluster=cluster)
    assert "<dt>would have cost</dt><dd>$0.42</dd>" in page
    assert "<dt>cost</dt>" not in page
    assert '<span class="mono">j-1</span>, local EMR emr-spark-8.1.0</dd>' in page


def test_a_run_that_had_no_cluster_of_its_own_has_a_report(tmp_path: Path) -> None:
    page = make_page(tmp_path, cluster={"id": "local[*]"}, versions={}, images_per_second=None)
    assert '<dt>cluster</dt><dd><span class="mono">local[*]</span></dd>' in page


def test_headings_have_an_order_and_controls_a_name(page: Page, text: str) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [str(attributes["id"]) for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [str(link["href"])[1:] for link in page.all("a") if str(link["href"]).startswith("#")]
    labelled = [str(attributes["aria-labelledby"]) for attributes in page.all("section")]
    assert set(targets + labelled) <= set(ids)
    assert len(re.findall(r"<label[^>]*>(?:\w| )*<(?:select|input)", text)) == 4
    for svg in page.all("svg"):
        assert svg.get("aria-hidden") == "true" or svg.get("role") == "img"
    assert all("alt" in image for image in page.all("img"))


def test_one_image_alone_has_a_report(tmp_path: Path) -> None:
    lake = ReportLake(Lake(f"file://{tmp_path}"), components=1)
    lake.publish("first", {"1.jpg": np.array([0.0])})
    assert write_report(lake.storage, lake.lake, "first").endswith("report.html")


def test_the_largest_page_is_below_five_megabytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More images than are shown, of long names, with large thumbnails."""
    monkeypatch.setattr(
        "tests.support.airflow.report_lake.thumbnail_of", lambda path: THUMBNAILS[0].ljust(1500, b"\0")
    )
    lake = ReportLake(Lake(f"file://{tmp_path}"), components=12)
    images = {
        f"{label:03d}{'é' * 120}/{place}{'x' * 120}.jpg": np.random.default_rng(label).normal(size=12) + place
        for label in range(260)
        for place in range(20)
    }
    rejected = {f"bad/{place}{'x' * 240}": ("corrupt", "y" * 200) for place in range(300)}
    lake.publish("first", images, rejected=rejected)
    page = lake.storage.read(write_report(lake.storage, lake.lake, "first")).data
    assert len(page) < 5_000_000
    assert b"A sample of 5,000 of 5,200 images" in page


def test_the_page_says_the_same_number_wherever_it_says_it(tmp_path: Path) -> None:
    """Of new images at its top and among the changes; of a component's share in the menu and on the axis."""
    lake = ReportLake(Lake(f"file://{tmp_path}"))
    lake.publish("first", clusters({"plum": 5}))
    lake.publish("second", clusters({"quince": 4}, seed=2), rejected={"bad.jpg": ("corrupt", "no image")})
    write_report(lake.storage, lake.lake, "second")
    text = lake.storage.read(lake.lake.run("second").page).data.decode()
    assert "<dt>new or changed</dt><dd>5</dd>" in text
    assert "<dt>rejected</dt><dd>1</dd>" in text
    assert "<dt>new images</dt><dd>5</dd>" in text
    (points,) = re.findall(r'<script type="application/json" id="points">(.*?)</script>', text, re.DOTALL)
    menu = re.findall(r"<option [^>]*>PC\d+ · ([^<]*)</option>", text)
    assert menu[:4] == json.loads(points)["shares"]
