"""The documentation site as a reader opens it: from disk, without a network. `make docs` builds it."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.checkout import ROOT

MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
SITE = ROOT / "build" / "site"
PAGES = ("index", "tutorials/first-run", "how-to/pages", "reference/settings", "reference/iam", "glossary")
RESOURCE = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)=\"?((?:https?:)?//[^\">\s]*)"
)
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that may ask nothing but the disk, and complains of nothing."""
    options: dict[str, Any] = getattr(request, "param", {})
    context = browser.new_context(**options)
    page = context.new_page()
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda one: requests.append(one.url))
    page.on("console", lambda one: complaints.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert [url for url in requests if not url.startswith(("file://", "data:", "blob:"))] == []
    assert complaints == []
    context.close()


def open_page(page: Page, name: str) -> None:
    page.goto((SITE / f"{name}.html").as_uri())


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the site is built from, and what its pages link to."""
    for folder in ("docs", "infra"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    for name in ("mkdocs.yml", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def build(checkout: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([MKDOCS, "build"], cwd=checkout, capture_output=True, text=True, check=False)


def test_the_site_is_built_of_these_files(checkout: Path) -> None:
    done = build(checkout)
    assert done.returncode == 0, done.stderr
    assert (checkout / "build" / "site" / "index.html").is_file()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x](nowhere.md)", "nowhere.md"),
        ("[x](../nowhere.py)", "nowhere.py, which is not in the repository"),
        ("[x](glossary.md#nothing)", "does not contain an anchor '#nothing'"),
        ("![x](images/nowhere.png)", "images/nowhere.png"),
        ('<img src="https://example.org/x.png">', "fetches <img"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(checkout: Path, text: str, said: str) -> None:
    with (checkout / "docs" / "index.md").open("a") as page:
        page.write(f"\n{text}\n")
    done = build(checkout)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_page_that_the_navigation_does_not_have_fails_the_build(checkout: Path) -> None:
    (checkout / "docs" / "how-to" / "forgotten.md").write_text("# Forgotten\n")
    done = build(checkout)
    assert done.returncode == 1
    assert "how-to/forgotten.md" in done.stderr


def test_no_page_names_anything_to_fetch_from_elsewhere() -> None:
    files = sorted(SITE.rglob("*.html"))
    assert len(files) > 25, "make docs"
    found = {str(path): RESOURCE.findall(path.read_text()) for path in files}
    assert {path: urls for path, urls in found.items() if urls} == {}


@pytest.mark.parametrize(
    "page", [{"viewport": PHONE}, {"color_scheme": "dark"}], indirect=True, ids=["phone", "dark"]
)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_from_disk_and_fits(page: Page, name: str) -> None:
    open_page(page, name)
    expect(page.locator("article h1")).to_be_visible()
    widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]
    broken = "[...document.images].filter(one => one.complete && !one.naturalWidth).map(one => one.src)"
    assert page.evaluate(broken) == []


@pytest.mark.parametrize(
    "page", [{"color_scheme": scheme} for scheme in ("light", "dark")], indirect=True, ids=str
)
def test_a_page_takes_the_colours_of_the_computer(page: Page) -> None:
    open_page(page, "index")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    expect(page.locator("body")).to_have_attribute("data-md-color-scheme", "slate" if dark else "default")


def test_search_finds_a_word_without_a_network(page: Page) -> None:
    open_page(page, "index")
    page.locator("input.md-search__input").click()
    page.keyboard.type("ledger entry")
    results = page.locator(".md-search-result__item a")
    expect(results.first).to_be_visible()
    results.first.click()
    expect(page.locator("article").get_by_text("ledger").first).to_be_visible()
    assert Path(page.url.removeprefix("file://").partition("?")[0].partition("#")[0]).is_file()


def test_every_link_of_the_home_page_leads_to_a_page(page: Page) -> None:
    open_page(page, "index")
    links = page.evaluate("[...document.querySelectorAll('a[href]')].map(one => one.href)")
    files = {link.partition("#")[0].partition("?")[0] for link in links if link.startswith("file://")}
    assert len(files) > 20
    assert [
        link for link in files if not Path(link.removeprefix("file://").replace("%20", " ")).is_file()
    ] == []
