"""Logs of a cluster's steps in the pages: what is shown, and what a request cannot reach."""

import gzip
import io
import random
import re
from pathlib import Path
from typing import Any

import pytest

from orchard.lake.layout import run_slug
from orchard.pages import logs
from orchard.pages.logs import unpacked
from tests.support.airflow.page_client import Visit
from tests.support.published_runs import DAG_RUN, LOG_OF_STEP, published, write, write_lake

HOSTILE = "<script>alert(1)</script>"


def test_the_logs_of_a_run_are_listed_by_step_and_shown_as_text(visit: Visit, tmp_path: Path) -> None:
    slug = run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"])
    write_lake(tmp_path, [published(slug, cluster={"id": "j-7"})])
    steps = tmp_path / "logs" / "j-7" / "steps"
    write(steps / "s-2" / "stdout.gz", gzip.compress(b"Traceback\n" + HOSTILE.encode()))
    write(steps / "s-2" / "stderr", b"not packed")
    write(steps / "s-2" / "secret.gz", b"")
    client = visit()
    listed = re.findall(r'href="(/orchard/log\?[^"]*)"', client.get("/orchard/logs", params=DAG_RUN).text)
    assert [re.sub(".*name=", "", link) for link in listed] == ["stderr", "stdout.gz"]
    answer = client.get(listed[1].replace("&amp;", "&"))
    assert answer.text == f"Traceback\n{HOSTILE}"
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert client.get(listed[0].replace("&amp;", "&")).text == "not packed"


def test_a_log_that_is_still_being_written_is_shown_as_far_as_it_goes(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published(run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"]), cluster={"id": "j-7"})])
    whole = gzip.compress(b"".join(b"line %d\n" % number for number in range(50_000)))
    write(tmp_path / "logs" / "j-7" / "steps" / "s-2" / "stdout.gz", whole[: len(whole) // 2])
    text = visit().get("/orchard/log", params=LOG_OF_STEP).text
    assert text.startswith("line 0\nline 1\n")
    assert "EMR may still be writing it" in text


def test_of_a_log_that_unpacks_without_end_the_beginning_is_shown(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 2**20)
    write_lake(tmp_path, [published(run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"]), cluster={"id": "j-7"})])
    write(tmp_path / "logs" / "j-7" / "steps" / "s-2" / "stdout.gz", gzip.compress(bytes(2**23)))
    text = visit().get("/orchard/log", params=LOG_OF_STEP).text
    assert len(text) < 2**20 + 200
    assert text.endswith("(only the first 1 MiB are shown; the file has the rest)\n")


@pytest.mark.parametrize(
    "odd",
    [{"step": "../.."}, {"step": "s-2/.."}, {"name": "../x"}, {"name": "secret.gz"}, {"run_id": "other"}],
)
def test_no_other_file_than_a_log_of_the_runs_own_cluster_is_shown(
    odd: dict[str, str], visit: Visit, tmp_path: Path
) -> None:
    write_lake(tmp_path, [published(run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"]), cluster={"id": "j-7"})])
    steps = tmp_path / "logs" / "j-7" / "steps"
    for path in (
        steps / "s-2" / "secret.gz",
        steps / "x",
        tmp_path / "logs" / "x",
        steps / "s-2" / "stdout.gz",
    ):
        write(path, gzip.compress(b"secret"))
    client = visit()
    assert client.get("/orchard/log", params=LOG_OF_STEP).text == "secret"
    answer = client.get("/orchard/log", params={**LOG_OF_STEP, **odd})
    assert (answer.status_code, "secret" in answer.text) == (404, False)


@pytest.mark.parametrize("cluster", ["local[*]", "../../runs/a", None])
def test_a_run_without_a_cluster_has_no_logs_of_one(cluster: Any, visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published(run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"]), cluster={"id": cluster})])
    answer = visit().get("/orchard/logs", params=DAG_RUN)
    assert (answer.status_code, "No cluster was created" in answer.text) == (404, True)


class Requests(io.BytesIO):
    """A file each of whose reads would be a request to S3."""

    made = 0

    def readinto(self, buffer: Any) -> int:
        self.made += 1
        return super().readinto(buffer)

    def read(self, size: int | None = -1) -> bytes:
        self.made += 1
        return super().read(size)


def test_a_packed_log_is_read_in_large_parts() -> None:
    log = random.Random(0).randbytes(1 << 20)
    stored = Requests(gzip.compress(log))
    assert b"".join(unpacked(stored)) == log
    assert stored.made <= 5  # with those that find its end
