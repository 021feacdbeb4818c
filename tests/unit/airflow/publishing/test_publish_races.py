"""A publication that crashes, is repeated, or is overtaken: readers never see half of one."""

from pathlib import Path

import pytest

from orchard.lake.layout import Lake
from orchard.lake.ledger import read_ledger
from orchard.lake.run_index import RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import publish
from orchard_jobs.errors import OrchardError
from tests.support.airflow.finished_runs import finish_jobs, latest_of, publication, published_runs


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}")


class CrashingStorage(FileStorage):
    """Crashes before the write with the given number."""

    def __init__(self, writes: int) -> None:
        super().__init__(Path("/"))
        self.left = writes

    def write(self, uri: str, data: bytes) -> None:
        if self.left == 0:
            raise OSError("crash")
        self.left -= 1
        super().write(uri, data)


@pytest.mark.parametrize("writes", range(5))
def test_a_crash_before_the_last_write_leaves_readers_on_the_previous_run_and_a_rerun_converges(
    lake: Lake, writes: int
) -> None:
    finish_jobs(lake, "r1")
    publish(FileStorage(Path("/")), lake, publication("r1"))
    finish_jobs(lake, "r2")
    with pytest.raises(OSError, match="crash"):
        publish(CrashingStorage(writes), lake, publication("r2", "r1"))
    assert latest_of(lake)["run"] == "r1"
    for _ in range(2):
        publish(FileStorage(Path("/")), lake, publication("r2", "r1"))
        assert [run["run"] for run in latest_of(lake)["runs"]] == ["r1", "r2"]
    assert published_runs(lake) == ["r1", "r2"]


def test_a_run_that_has_not_seen_another_is_not_published_on_top_of_it(lake: Lake) -> None:
    for slug in ("r1", "r2"):
        finish_jobs(lake, slug)
    publish(FileStorage(Path("/")), lake, publication("r1"))
    with pytest.raises(OrchardError, match=r"names a run that was published after this run's 'sense': r1"):
        publish(FileStorage(Path("/")), lake, publication("r2"))
    assert published_runs(lake) == ["r1"]


def test_a_run_whose_publication_stopped_before_latest_json_is_not_published_until_it_is_repeated(
    lake: Lake,
) -> None:
    finish_jobs(lake, "r1")
    with pytest.raises(OSError, match="crash"):
        publish(CrashingStorage(4), lake, publication("r1"))
    assert read_ledger(FileStorage(Path("/")), lake, "r1").num_rows == 3
    assert RunIndex.load(FileStorage(Path("/")), lake) == RunIndex(lake, FileStorage(Path("/")))
    publish(FileStorage(Path("/")), lake, publication("r1"))
    assert published_runs(lake) == ["r1"]


class OvertakenStorage(FileStorage):
    """Another run is published between the look at latest.json and its replacement."""

    def replace(self, uri: str, data: bytes, version: str) -> None:
        publish(FileStorage(Path("/")), Lake(uri.removesuffix("/latest.json")), publication("winner"))
        super().replace(uri, data, version)


def test_of_two_publications_at_once_the_loser_leaves_nothing_that_counts(lake: Lake) -> None:
    for slug in ("winner", "loser"):
        finish_jobs(lake, slug)
    with pytest.raises(OrchardError, match=r"latest\.json has changed"):
        publish(OvertakenStorage(Path("/")), lake, publication("loser"))
    assert published_runs(lake) == ["winner"]


def test_publishing_a_published_run_writes_nothing_whatever_was_published_since(lake: Lake) -> None:
    finish_jobs(lake, "r1")
    first = publish(FileStorage(Path("/")), lake, publication("r1"))
    finish_jobs(lake, "r2")
    publish(FileStorage(Path("/")), lake, publication("r2", "r1"))
    before = latest_of(lake)
    assert publish(CrashingStorage(0), lake, publication("r1")) == first
    assert latest_of(lake) == before
