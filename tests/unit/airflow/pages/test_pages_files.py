"""Files of published runs in the pages: how they are given, and what a request cannot reach."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

import pytest

from orchard.lake.storage_files import FileStorage
from orchard.pages import files
from orchard.pages.guard import PAGE
from tests.support.airflow.page_client import Visit
from tests.support.published_runs import REPORT, add_files, published, write, write_lake

HOSTILE = "<script>alert(1)</script>"


def test_the_report_is_shown_as_a_document_of_no_site(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    add_files(tmp_path / "runs" / "a")
    answer = visit().get("/orchard/runs/a/framed.html")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert framed(answer.text) == REPORT
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in answer.text + policy
    assert "frame-src 'none'" in policy


def test_what_is_in_the_place_of_a_report_stays_in_its_frame(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    hostile = '"></iframe><script>alert(1)</script>&quot;&amp;<!-- "'
    add_files(tmp_path / "runs" / "a", report=hostile)
    text = visit().get("/orchard/runs/a/framed.html").text
    assert framed(text) == hostile
    assert text.count("</iframe>") == 2  # one of them in the attribute


def test_around_a_report_are_links_to_what_else_there_is_of_the_run(visit: Visit, tmp_path: Path) -> None:
    """They are not in the report: a document of no site, from which nobody is logged in."""
    write_lake(tmp_path, [published("a"), published("b")])
    for run in "ab":
        add_files(tmp_path / "runs" / run)
    answer = visit().get("/orchard/runs/b/report.html")
    links = re.findall(r'<a (?:data-save )?href="/orchard/([^"]*)">([^<]*)</a>', answer.text)
    assert links == [
        ("", "Runs"),
        ("runs/b/csv/features.csv", "CSV"),
        ("runs/b/csv/rejects.csv", "Rejects"),
        ("runs/b/run.json", "run.json"),
        ("compare?run=a&amp;run=b", "Compare with the run before"),
    ]
    assert '<iframe title="Report" sandbox="allow-scripts" src="/orchard/runs/b/framed.html">' in answer.text
    assert answer.headers["content-security-policy"] == f"{PAGE}; frame-src 'self'"
    assert "Compare" not in visit().get("/orchard/runs/a/report.html").text


def framed(text: str) -> str:
    """Return what the one frame of a page holds, as a browser reads it."""
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag != "script"
            if tag == "iframe":
                assert dict(attrs)["sandbox"] == "allow-scripts"
                found.append(dict(attrs)["srcdoc"] or "")

    Reader().feed(text)
    (content,) = found
    return content


def test_csvs_are_saved_under_the_name_of_their_run(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    add_files(tmp_path / "runs" / "a")
    for name in ("features.csv", "rejects.csv"):
        answer = visit().get(f"/orchard/runs/a/csv/{name}")
        assert answer.content == (tmp_path / "runs" / "a" / "csv" / name).read_bytes()
        assert answer.headers["content-disposition"] == f'attachment; filename="a-{name}"'
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("name", ['a".csv', "a b.csv", "ä.csv", "苹果.csv", "a.html", ".csv", "A.CSV"])
def test_no_file_is_saved_whose_name_export_does_not_give(visit: Visit, tmp_path: Path, name: str) -> None:
    write_lake(tmp_path, [published("a")])
    write(tmp_path / "runs" / "a" / "csv" / name, b"x")
    answer = visit().get(f"/orchard/runs/a/csv/{quote(name)}")
    assert answer.status_code == 404
    assert "no such CSV" in answer.text


def test_run_json_is_data_to_the_browser(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    answer = visit().get("/orchard/runs/a/run.json")
    assert answer.json() == published("a")
    assert answer.headers["content-type"] == "application/json"
    assert "sandbox" in answer.headers["content-security-policy"]


def test_a_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "features.csv", b"x" * 2500)
    monkeypatch.setattr(files, "PART", 1000)
    file = FileStorage(Path("/")).open(f"file://{tmp_path}/features.csv")
    assert [len(part) for part in files.parts(file)] == [1000, 1000, 500]
    assert file.closed


@pytest.mark.parametrize(
    "path",
    [
        "runs/unpublished/report.html",
        "runs/unpublished/framed.html",
        "runs/unpublished/run.json",
        "runs/unpublished/csv/features.csv",
        "runs/..%2Foutside/run.json",
        "runs/../outside/run.json",
        "runs/%2E%2E/run.json",
        "runs/a/csv/..%2Freport.html",
        "runs/a/csv/..%2F..%2F..%2Flatest.json",
        "runs/a/csv/.hidden",
        "runs/a/csv/",
        "runs/a%00/run.json",
        "runs//run.json",
        "runs/latest/run.json",
    ],
)
def test_only_what_a_published_run_has_for_readers_can_be_reached(
    path: str, visit: Visit, tmp_path: Path
) -> None:
    write_lake(tmp_path, [published("a")])
    for folder in (tmp_path / "runs" / "a", tmp_path / "runs" / "unpublished", tmp_path / "outside"):
        add_files(folder)
        write(folder / "run.json", b'{"secret": 1}')
    write(tmp_path / "runs" / "a" / "csv" / ".hidden", b"half written")
    answer = visit().get(f"/orchard/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_a_latest_json_that_names_places_outside_the_runs_shows_none_of_them(
    visit: Visit, tmp_path: Path
) -> None:
    write_lake(tmp_path, [published("a")])
    write(tmp_path / "outside" / "run.json", b'{"images": "secret"}')
    latest = json.loads((tmp_path / "latest.json").read_text())
    latest["runs"].append({"run": "../outside", "images": "s3://in", "model": "m"})
    (tmp_path / "latest.json").write_text(json.dumps(latest))
    client = visit()
    assert "outside" not in client.get("/orchard/").text
    assert client.get("/orchard/compare?run=a&run=../outside").status_code == 404


def test_what_is_no_longer_there_is_said(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    client = visit()
    for path, why in (
        ("report.html", "has no report"),
        ("framed.html", "has no report"),
        ("csv/features.csv", "has no such CSV"),
    ):
        answer = client.get(f"/orchard/runs/a/{path}")
        assert answer.status_code == 404
        assert why in answer.text


def test_a_report_that_somebody_else_has_written_is_not_shown(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a"), published("b")])
    for run in "ab":
        add_files(tmp_path / "runs" / run)
    write(tmp_path / "runs" / "a" / "report.html", REPORT.replace("report", "another").encode())
    (tmp_path / "ledger" / "b.report").unlink()  # as an earlier version of Orchard leaves it
    for path in ("a/report.html", "b/report.html", "a/framed.html", "b/framed.html"):
        answer = visit().get(f"/orchard/runs/{path}")
        assert answer.status_code == 500
        assert "is not as the task &#39;report&#39; wrote it" in answer.text
        assert "or run `orchard report`" in answer.text
        assert "<iframe" not in answer.text
