"""What is too old goes, and nothing that a reader or a later run needs."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from orchard.lake.event_logs import delete_event_logs, event_log_folder
from orchard.lake.layout import Lake
from orchard.lake.ledger import LEDGER_SCHEMA
from orchard.lake.objects import local_path
from orchard.lake.parquet import to_parquet
from orchard.lake.retention import expired_runs, retain
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import to_json
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.errors import OrchardError

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
STATE = {"run.json", "features", "components", "csv", "reports", "basis", "statistics", "earlier.parquet"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}/lake")


def write_run(
    lake: Lake, slug: str, age: float, needs: Mapping[str, str] = {}, images: str = "s3://in"
) -> None:
    """Publish a run ``age`` days ago, whose ledger has ``needs``: paths, and the run of their features."""
    storage, folder = FileStorage(Path("/")), lake.run(slug)
    published_at = (NOW - timedelta(days=age)).isoformat(timespec="seconds")
    for uri in (folder.features, folder.components, f"{folder.csv}/a", folder.basis):
        storage.write(f"{uri}/part-0", b"x")
    for uri in (folder.metrics("reduce"), folder.statistics, folder.earlier):
        storage.write(uri, b"x")
    storage.write(folder.run_json, to_json({"published_at": published_at, "basis_id": f"b-{slug}"}))
    storage.write(f"{lake.basis(f'b-{slug}')}/basis.npz", b"x")
    rows = [{"path": path, "etag": "e", "status": "ok", "run": run} for path, run in needs.items()]
    storage.write(lake.ledger_entry(slug), to_parquet(pa.Table.from_pylist(rows, LEDGER_SCHEMA)))
    history = RunIndex.load(storage, lake)
    published = PublishedRun(slug, images, FeatureSpec("m"), published_at, f"b-{slug}")
    runs = history.with_run(published)
    storage.replace(lake.latest, to_json({"run": slug, "runs": runs}), history.version)
    set_age(lake, f"runs/{slug}", age)
    set_age(lake, f"basis/b-{slug}", age)


def set_age(lake: Lake, folder: str, days: float) -> None:
    written = (NOW - timedelta(days=days)).timestamp()
    for path in (local_path(lake.uri) / folder).rglob("*"):
        os.utime(path, (written, written))


def left_of(lake: Lake, slug: str) -> set[str]:
    folder = local_path(lake.run(slug).uri)
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def runs_of(lake: Lake) -> list[str]:
    return [run["run"] for run in json.loads(local_path(lake.latest).read_text())["runs"]]


def test_what_is_older_goes_but_for_features_that_the_newest_run_needs(lake: Lake) -> None:
    write_run(lake, "r1", 45, {"a": "r1", "b": "r1"})
    write_run(lake, "r2", 40, {"a": "r1", "b": "r2"})
    write_run(lake, "r3", 35, {"a": "r1", "b": "r3"})
    write_run(lake, "r4", 0, {"a": "r1", "b": "r3", "c": "r4"})
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == ["r2", "r1"]
    assert left_of(lake, "r1") == {"run.json", "features"}
    assert left_of(lake, "r2") == set()
    assert left_of(lake, "r3") == left_of(lake, "r4") == STATE
    assert runs_of(lake) == ["r1", "r3", "r4"]
    assert FileStorage(Path("/")).names(lake.ledger) == ["r3.parquet", "r4.parquet"]
    assert FileStorage(Path("/")).folders(lake.bases) == ["b-r3", "b-r4"]
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == []


def test_what_nodes_can_write_says_nothing_of_the_age_of_a_run_or_of_its_basis(lake: Lake) -> None:
    write_run(lake, "r1", 3, {"a": "r1"})
    write_run(lake, "r2", 2, {"a": "r1"})
    for slug in ("r1", "r2"):
        lie = {"published_at": "2001-01-01T00:00:00+00:00", "basis_id": "b-none"}
        FileStorage(Path("/")).write(lake.run(slug).run_json, to_json(lie))
    set_age(lake, "basis", 400)
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == []
    assert FileStorage(Path("/")).folders(lake.bases) == ["b-r1", "b-r2"]


def test_runs_of_which_latest_json_says_too_little_stay_until_they_are_purged(lake: Lake) -> None:
    """An earlier version of Orchard published them."""
    write_run(lake, "r1", 400, {"a": "r1"})
    write_run(lake, "r2", 300, {"a": "r2"})
    latest = json.loads(local_path(lake.latest).read_text())
    for run in latest["runs"]:
        del run["published_at"], run["basis_id"]
    local_path(lake.latest).write_text(json.dumps(latest))
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == []
    assert FileStorage(Path("/")).folders(lake.bases) == ["b-r1", "b-r2"]


def test_features_go_once_no_run_needs_them_any_more(lake: Lake) -> None:
    write_run(lake, "r1", 40, {"a": "r1"})
    write_run(lake, "r2", 35, {"a": "r1", "b": "r2"})
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == ["r1"]
    write_run(lake, "r3", 31, {"a": "r3", "b": "r2"})
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == ["r1", "r2"]
    assert (left_of(lake, "r1"), left_of(lake, "r2")) == (set(), {"run.json", "features"})


def test_the_newest_run_of_each_folder_of_images_stays_whole_however_old(lake: Lake) -> None:
    write_run(lake, "trial", 400, {"x": "trial"}, images="s3://others")
    write_run(lake, "r1", 300, {"a": "r1"})
    write_run(lake, "r2", 200, {"b": "r2"})
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == ["r1"]
    assert left_of(lake, "trial") == left_of(lake, "r2") == STATE


def test_a_result_that_was_superseded_tonight_is_there_to_go_back_to_however_old_it_is(lake: Lake) -> None:
    write_run(lake, "r1", 400, {"a": "r1"})
    write_run(lake, "r2", 0, {"a": "r2"})
    assert retain(FileStorage(Path("/")), lake, 30, NOW) == []
    assert left_of(lake, "r1") == STATE


def test_runs_of_before_latest_json_was_lost_stay_until_it_is_found(lake: Lake) -> None:
    write_run(lake, "r1", 40, {"a": "r1"})
    FileStorage(Path("/")).delete(lake.latest)
    write_run(lake, "r2", 0, {"a": "r2"})
    assert retain(FileStorage(Path("/")), lake, 1, NOW) == []
    assert left_of(lake, "r1") == STATE


def test_an_unfinished_run_goes_only_if_it_has_long_written_nothing(lake: Lake) -> None:
    write_run(lake, "r1", 0)
    for slug, age in (("at-work", 1.9), ("failed", 2.1), ("waiting", 2.1)):
        FileStorage(Path("/")).write(lake.run(slug).manifest, b"x")
        set_age(lake, f"runs/{slug}", age)
    FileStorage(Path("/")).write(lake.run("waiting").metrics("reduce"), b"x")
    set_age(lake, "runs/waiting/reports", 0.1)
    assert retain(FileStorage(Path("/")), lake, 1, NOW) == ["failed"]
    assert FileStorage(Path("/")).folders(lake.runs) == ["at-work", "r1", "waiting"]
    assert retain(FileStorage(Path("/")), lake, 30, NOW + timedelta(days=20)) == []


def test_nothing_goes_while_latest_json_is_lost(lake: Lake) -> None:
    write_run(lake, "r1", 40)
    FileStorage(Path("/")).delete(lake.latest)
    assert retain(FileStorage(Path("/")), lake, 1, NOW) == []
    assert left_of(lake, "r1") == STATE


def test_nothing_goes_where_nobody_knows_what_the_newest_run_needs(lake: Lake) -> None:
    write_run(lake, "r1", 40, {"a": "r1"})
    write_run(lake, "r2", 0, {"a": "r1"})
    FileStorage(Path("/")).delete(lake.ledger_entry("r2"))
    with pytest.raises(OrchardError, match=r"no ledger entry .*/ledger/r2\.parquet"):
        retain(FileStorage(Path("/")), lake, 1, NOW)
    assert left_of(lake, "r1") == STATE


def test_a_run_of_which_nobody_knows_the_age_stays(lake: Lake) -> None:
    write_run(lake, "r1", 40)
    write_run(lake, "r2", 0)
    FileStorage(Path("/")).delete(lake.run("r1").run_json)
    assert retain(FileStorage(Path("/")), lake, 1, NOW) == []


class OvertakenStorage(FileStorage):
    """A run is published between the look at latest.json and its replacement."""

    def replace(self, uri: str, data: bytes, version: str) -> None:
        write_run(Lake(uri.removesuffix("/latest.json")), "r3", 0)
        super().replace(uri, data, version)


def test_of_a_publication_and_retention_at_once_the_publication_wins(lake: Lake) -> None:
    write_run(lake, "r1", 40)
    write_run(lake, "r2", 5)
    with pytest.raises(
        OrchardError, match=r"latest\.json has changed .* Try again: nothing has been deleted"
    ):
        retain(OvertakenStorage(Path("/")), lake, 1, NOW)
    assert runs_of(lake) == ["r1", "r2", "r3"]
    assert left_of(lake, "r1") == STATE


class CrashingStorage(FileStorage):
    """Crashes before the deletion with the given number."""

    def __init__(self, deletions: int) -> None:
        super().__init__(Path("/"))
        self.left = deletions

    def count(self) -> None:
        if self.left == 0:
            raise OSError("crash")
        self.left -= 1

    def delete(self, uri: str) -> None:
        self.count()
        super().delete(uri)

    def delete_folder(self, uri: str) -> None:
        self.count()
        super().delete_folder(uri)


@pytest.mark.parametrize("deletions", range(2, 9))
def test_what_was_interrupted_is_finished_the_next_time(lake: Lake, deletions: int) -> None:
    write_run(lake, "r1", 45, {"a": "r1"})
    write_run(lake, "r2", 40, {"a": "r1"})
    write_run(lake, "r3", 31, {"a": "r1"})
    with pytest.raises(OSError, match="crash"):
        retain(CrashingStorage(deletions), lake, 30, NOW)
    retain(FileStorage(Path("/")), lake, 30, NOW)
    assert (left_of(lake, "r1"), left_of(lake, "r2")) == ({"run.json", "features"}, set())
    assert FileStorage(Path("/")).folders(lake.bases) == ["b-r3"]
    assert FileStorage(Path("/")).names(lake.ledger) == ["r3.parquet"]


def test_without_a_published_run_nothing_has_expired() -> None:
    assert expired_runs(RunIndex(Lake("s3://lake"), FileStorage(Path("/"))), {}, NOW) == []


def test_event_logs_go_once_they_are_too_old_and_nothing_else_of_the_logs_does(lake: Lake) -> None:
    storage, logs = FileStorage(Path("/")), f"{lake.uri}/logs"
    for name in ("spark-events/eventlog_v2_old", "spark-events/eventlog_v2_new", "j-1"):
        storage.write(f"{logs}/{name}/events_1_a.zstd", b"x")
    storage.write(f"{event_log_folder(logs)}/.keep", b"")
    set_age(lake, "logs", 40)
    set_age(lake, "logs/spark-events/eventlog_v2_new", 10)
    assert delete_event_logs(storage, logs, NOW - timedelta(days=30)) == ["eventlog_v2_old"]
    assert storage.folders(event_log_folder(logs)) == ["eventlog_v2_new"]
    assert storage.folders(logs) == ["j-1", "spark-events"]
    assert delete_event_logs(storage, f"{lake.uri}/none", NOW) == []
