"""``orchard runs``, ``show`` and ``compare`` on lakes as ``publish`` leaves them."""

import json
import os
import socket
from pathlib import Path

import pytest

from orchard_cli.app import main
from tests.support.published_runs import add_files, published, write_lake


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of two runs; ORCHARD_LAKE names it."""
    runs = [published("nightly-1-aaaa1111"), published("nightly-2-bbbb2222", components=5)]
    write_lake(tmp_path, runs)
    monkeypatch.setenv("ORCHARD_LAKE", str(tmp_path))
    return tmp_path


class Said:
    """What the command printed, and its exit code."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def by(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setenv("COLUMNS", "200")
        code = main(arguments)
        out, error = self._capsys.readouterr()
        return code, out, error


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Said:
    return Said(capsys, monkeypatch)


@pytest.mark.parametrize("name", ["nightly", "none", ""])
def test_a_name_that_means_no_run_or_several_is_one_line_and_a_hint(
    lake: Path, said: Said, name: str
) -> None:
    code, out, error = said.by("show", name)
    assert (code, out) == (2, "")
    line, hint = error.splitlines()
    assert line.startswith(f"orchard: {name!r} matches ")
    assert hint.startswith("hint: `orchard runs` lists them")


def test_a_lake_without_runs_says_so(tmp_path: Path, said: Said) -> None:
    code, out, error = said.by("runs", "--lake", str(tmp_path))
    assert (code, out) == (0, "")
    assert f"no run is published in file://{tmp_path}" in error.replace("\n", "")


def test_a_latest_json_of_somebody_else_is_one_line(lake: Path, said: Said) -> None:
    (lake / "latest.json").write_text('{"runs": ["a"]}')
    code, _, error = said.by("runs")
    assert code == 2
    assert "is damaged, or from a newer version of Orchard" in error
    assert error.count("\n") == 2


def test_runs_are_listed_newest_first_by_the_end_of_their_names(lake: Path, said: Said) -> None:
    code, out, _ = said.by("runs")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["run", "bbbb2222", "aaaa1111"]
    assert len(said.by("runs", "-n", "1")[1].splitlines()) == 2


def test_json_is_what_run_json_says(lake: Path, said: Said) -> None:
    _, out, _ = said.by("runs", "--json")
    assert json.loads(out) == [published("nightly-2-bbbb2222", components=5), published("nightly-1-aaaa1111")]
    _, out, _ = said.by("show", "aaaa", "--json")
    assert json.loads(out) == published("nightly-1-aaaa1111")


def test_two_runs_are_shown_side_by_side(lake: Path, said: Said) -> None:
    _, out, _ = said.by("compare", "aaaa")
    (row,) = [line.split() for line in out.splitlines() if line.split()[:1] == ["K"]]
    assert row == ["K", "15", "5"]


def test_a_name_is_never_markup(lake: Path, said: Said) -> None:
    odd = published("nightly-2-bbbb2222", images="s3://in/[red]a[/red]", weights="[link=x]w")
    (lake / "runs" / "nightly-2-bbbb2222" / "run.json").write_text(json.dumps(odd))
    _, out, _ = said.by("show")
    assert "s3://in/[red]a[/red]" in out
    assert "[link=x]w" in out


def test_images_that_are_not_there_are_one_line(tmp_path: Path, said: Said) -> None:
    model = tmp_path / "m"
    model.mkdir()
    (model / "card.json").write_text('{"id": "m"}')
    code, out, error = said.by(
        "run", str(tmp_path / "nowhere"), "--lake", str(tmp_path / "lake"), "--model", f"file://{model}"
    )
    assert (code, out) == (2, "")
    assert error.startswith("orchard: ")
    assert f"{tmp_path}/nowhere" in error
    assert error.count("\n") <= 2


@pytest.mark.parametrize("lake", ["images/lake", "images/../images/lake", "link/lake"])
def test_a_lake_among_the_images_is_refused_before_anything_is_written_there(
    lake: str, tmp_path: Path, said: Said
) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "images")
    code, out, error = said.by("run", str(tmp_path / "images"), "--lake", str(tmp_path / lake))
    assert (code, out) == (2, "")
    assert "must be outside the image folder, or its files would count as images" in " ".join(error.split())
    assert list((tmp_path / "images").iterdir()) == []


def test_a_lake_on_s3_needs_a_model(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHARD_MODEL", raising=False)
    code, _, error = said.by("run", "s3://in", "--lake", "s3://lake")
    assert code == 2
    assert "orchard model" in error


def test_results_of_another_model_are_replaced_only_where_that_is_confirmed(
    tmp_path: Path, said: Said
) -> None:
    write_lake(tmp_path, [published("a", images_per_second=60.0)])
    images = tmp_path / "images"
    latest = json.loads((tmp_path / "latest.json").read_text())
    latest["runs"][0]["images"] = f"file://{images}"
    (tmp_path / "latest.json").write_text(json.dumps(latest))
    for name in ("images", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "card.json").write_text('{"id": "other"}')
    code, out, error = said.by(
        "run", str(images), "--lake", str(tmp_path), "--model", f"file://{tmp_path}/other"
    )
    assert (code, out) == (2, "")
    line, hint = error.splitlines()
    assert "have different features: model m → other. All 1,200 images are computed again" in line
    assert ", in about 20 s at 60 images/s" in line
    assert hint == "hint: Add --yes, or use the previous model and settings."
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["a"]


def test_a_path_is_never_wrapped(lake: Path, said: Said) -> None:
    csv = f"file:///{'long/' * 60}features.csv"
    (lake / "runs" / "nightly-2-bbbb2222" / "run.json").write_text(
        json.dumps(published("nightly-2-bbbb2222", csv=csv))
    )
    assert csv in said.by("show")[1]


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("components", "0", "it must be a number from 1 to 1280"),
        ("components", "5000", "it must be a number from 1 to 1280"),
        ("variance", "1.5", "it must be a number above 0 and at most 1"),
        ("variance", "nan", "it must be a number above 0 and at most 1"),
        ("max-failure-ratio", "2", "it must be a number from 0 to 1"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_begins(
    option: str, value: str, rule: str, tmp_path: Path, said: Said
) -> None:
    (tmp_path / "images").mkdir()
    lake = tmp_path / "lake"
    code, out, error = said.by("run", str(tmp_path / "images"), "--lake", str(lake), f"--{option}", value)
    assert (code, out) == (2, "")
    assert rule in error
    assert error.count("\n") == 2
    assert not lake.exists()


@pytest.mark.parametrize("command", ["runs", "show", "compare a", "report", "open"])
@pytest.mark.parametrize("where", ["nowhere", ""])
def test_a_lake_that_is_not_there_is_refused(command: str, where: str, tmp_path: Path, said: Said) -> None:
    lake = str(tmp_path / where) if where else ""
    code, out, error = said.by(*command.split(), "--lake", lake)
    assert (code, out) == (2, "")
    assert error.startswith(f"orchard: no lake at {lake!r}")
    assert error.count("\n") == 2


def test_weights_that_are_not_there_are_refused_before_anything_begins(tmp_path: Path, said: Said) -> None:
    (tmp_path / "images").mkdir()
    code, _, error = said.by(
        "run", str(tmp_path / "images"), "--lake", str(tmp_path / "lake"), "--weights", "nowhere.h5"
    )
    assert code == 2
    assert error.startswith("orchard: --weights=nowhere.h5: it must be an existing .h5 or .keras file")
    assert not (tmp_path / "lake").exists()


def test_a_report_is_opened_in_the_browser(lake: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda uri: opened.append(uri) or True)
    assert said.by("open", "aaaa")[0] == 2
    add_files(lake / "runs" / "nightly-1-aaaa1111")
    uri = f"file://{lake}/runs/nightly-1-aaaa1111/report.html"
    assert said.by("open", "aaaa")[:2] == (0, f"{uri}\n")
    assert opened == [uri]
    (lake / "runs" / "nightly-1-aaaa1111" / "report.html").write_text("another")
    code, _, error = said.by("open", "aaaa")
    assert (code, opened) == (2, [uri])
    assert "is not as the task 'report' wrote it" in error


def test_without_java_nothing_begins(tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/nowhere")
    (tmp_path / "images").mkdir()
    code, _, error = said.by("run", str(tmp_path / "images"), "--lake", str(tmp_path / "lake"))
    assert code == 2
    assert error.splitlines() == [
        "orchard: no java in JAVA_HOME=/nowhere: Spark needs Java 17 or 21.",
        "hint: Install a JDK 17 or 21, and set JAVA_HOME to it.",
    ]
    assert not (tmp_path / "lake").exists()


def test_a_port_that_somebody_else_has_is_refused(lake: Path, said: Said) -> None:
    (lake / "logs" / "spark-events").mkdir(parents=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, error = said.by("history", "--lake", str(lake), "--port", str(port))
    assert code == 2
    assert error.startswith(f"orchard: --port={port}: Address already in use on 127.0.0.1.")


@pytest.mark.skipif(os.getuid() != 0, reason="only root is refused")
def test_jupyter_does_not_run_as_root(lake: Path, said: Said) -> None:
    code, _, error = said.by("notebook", "--lake", str(lake))
    assert code == 2
    assert error.startswith(
        "orchard: you are root: JupyterLab runs code that a browser sends, so it must not run as root."
    )


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_wrong_setting_is_told_before_airflow_starts(
    command: str, tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHARD_COMPONENTS", "0")
    code, _, error = said.by(command, "--lake", str(tmp_path / "lake"))
    assert code == 2
    assert error.startswith("orchard: ORCHARD_COMPONENTS=0: ")
    assert error.count("\n") == 2
