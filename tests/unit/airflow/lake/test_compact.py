"""A lake stays small, and its newest run is never touched."""

from pathlib import Path

import pytest

from orchard.lake.compaction import compact
from orchard.lake.layout import Lake
from orchard.lake.ledger import LEDGER_SCHEMA, read_ledger
from orchard.lake.parquet import to_parquet
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import to_json
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.contract import Decoding
from orchard_jobs.errors import OrchardError


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}")


def publish_runs(lake: Lake, *runs: PublishedRun) -> None:
    storage = FileStorage(Path("/"))
    for run in runs:
        folder = lake.run(run.run)
        for uri in (folder.statistics, folder.earlier, f"{folder.features}/part.parquet"):
            storage.write(uri, b"x")
        storage.write(lake.ledger_entry(run.run), to_parquet(LEDGER_SCHEMA.empty_table()))
    history = RunIndex(lake, FileStorage(Path("/")), runs[:-1])
    storage.write(lake.latest, to_json({"run": runs[-1].run, "runs": history.with_run(runs[-1])}))


def test_after_hundreds_of_runs_the_newest_keep_their_state_and_all_their_features(
    lake: Lake, tmp_path: Path
) -> None:
    publish_runs(lake, *(PublishedRun(f"r{n}", "s3://in", FeatureSpec("m")) for n in range(200)))
    assert compact(FileStorage(Path("/")), lake) == [f"r{n}" for n in range(192)]
    kept = {path.stem for path in (tmp_path / "ledger").iterdir()}
    assert kept == {f"r{n}" for n in range(192, 200)}
    assert {path.parts[-3] for path in tmp_path.glob("runs/*/statistics/*.npz")} == kept
    assert len(list(tmp_path.glob("runs/*/features/*.parquet"))) == 200
    assert read_ledger(FileStorage(Path("/")), lake, "r199") == LEDGER_SCHEMA.empty_table()
    assert compact(FileStorage(Path("/")), lake) == []


def test_runs_on_other_images_or_with_another_spec_keep_a_state_of_their_own(lake: Lake) -> None:
    nightly = [PublishedRun(f"r{n}", "s3://in", FeatureSpec("m")) for n in range(10)]
    others = [
        PublishedRun("trial", "s3://others", FeatureSpec("m")),
        PublishedRun("old", "s3://in", FeatureSpec("old model")),
        PublishedRun("scaled", "s3://in", FeatureSpec("m", decoding=Decoding.SCALED)),
    ]
    publish_runs(lake, *others, *nightly)
    assert compact(FileStorage(Path("/")), lake) == ["r0", "r1"]


def test_what_no_run_has_published_is_left_alone(lake: Lake, tmp_path: Path) -> None:
    publish_runs(lake, *(PublishedRun(f"r{n}", "s3://in", FeatureSpec("m")) for n in range(9)))
    FileStorage(Path("/")).write(lake.ledger_entry("unfinished"), b"x")
    compact(FileStorage(Path("/")), lake)
    assert (tmp_path / "ledger" / "unfinished.parquet").exists()


class CrashingStorage(FileStorage):
    def __init__(self, deletions: int) -> None:
        super().__init__(Path("/"))
        self.left = deletions

    def delete(self, uri: str) -> None:
        if self.left == 0:
            raise OSError("crash")
        self.left -= 1
        super().delete(uri)


@pytest.mark.parametrize("deletions", range(3))
def test_what_was_interrupted_is_finished_the_next_time(lake: Lake, tmp_path: Path, deletions: int) -> None:
    publish_runs(lake, *(PublishedRun(f"r{n}", "s3://in", FeatureSpec("m")) for n in range(9)))
    with pytest.raises(OSError, match="crash"):
        compact(CrashingStorage(deletions), lake)
    assert compact(FileStorage(Path("/")), lake) == ["r0"]
    assert not list(tmp_path.glob("runs/r0/statistics/*"))


def test_a_ledger_entry_that_someone_removed_is_an_error_with_a_remedy(lake: Lake) -> None:
    with pytest.raises(OrchardError, match=r"no ledger entry .*/ledger/r1.parquet: .* Restore it, or"):
        read_ledger(FileStorage(Path("/")), lake, "r1")
