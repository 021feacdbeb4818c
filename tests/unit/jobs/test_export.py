"""What readers get: a CSV that any reader parses and no spreadsheet runs."""

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from orchard_jobs import export
from orchard_jobs.contract import OUTCOME_COLUMNS, REJECT_COLUMNS, ExportJob
from orchard_jobs.errors import OrchardError
from orchard_jobs.escaping import escape_cell
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.storage import write_bytes
from orchard_jobs.tables.parquet import Part, find_parts, to_parquet
from orchard_jobs.tables.sorted_runs import EVERYTHING, PathRange, find_runs, merge_rows
from tests.support.jobs.feature_rows import COMPONENTS_SCHEMA, FEATURES_SCHEMA

NAMES = ["b/2.jpg", 'a/quote".jpg', "a/comma,.jpg", "a/new\nline.jpg", "a/ünï.jpg", "=cmd()/x.jpg", "a/1.jpg"]


def export_run(
    spark: SparkSession, run: Path, shards: int = 1, bases: tuple[str, ...] = ("basis",)
) -> RunFolder:
    folder = RunFolder(f"file://{run}")
    features = [(path, path.split("/")[0], "e", 1, 1, "ok", None, [1.0], None) for path in NAMES]
    features.append(("+bad/é.jpg", "+bad", "e", None, None, "corrupt", '=truncated, "half"', None, None))
    spark.createDataFrame(features, FEATURES_SCHEMA).write.parquet(folder.features)
    components = [
        (path, path.split("/")[0], [-1.5, 1 / 3, -0.0], bases[place % len(bases)])
        for place, path in enumerate(NAMES)
    ]
    spark.createDataFrame(components, COMPONENTS_SCHEMA).repartition(3).write.parquet(folder.components)
    job = ExportJob(
        components=(folder.components,), features=(folder.features,), output=folder.uri, shards=shards
    )
    with JobMetrics("export", folder.metrics("export")) as metrics:
        export.run(spark.sparkContext, job, metrics)
    return folder


def read_csv(uri: str) -> list[list[str]]:
    with Path(uri.removeprefix("file://")).open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


def test_the_csv_is_sorted_by_path_under_one_header_with_every_name_intact(
    spark: SparkSession, tmp_path: Path
) -> None:
    header, *rows = read_csv(f"{export_run(spark, tmp_path).csv}/features.csv")
    assert header == ["path", "label", "pc1", "pc2", "pc3"]
    assert rows == [
        [shown, label, "-1.5", "0.333333333", "0"]
        for shown, label in sorted(
            [(n, n.split("/")[0]) for n in NAMES if not n.startswith("=")] + [("=cmd()/x.jpg", "=cmd()")]
        )
        for shown, label in [(escape_cell(shown), escape_cell(label))]
    ]


def test_what_a_spreadsheet_would_run_is_made_inert(spark: SparkSession, tmp_path: Path) -> None:
    folder = export_run(spark, tmp_path)
    assert ["'=cmd()/x.jpg", "'=cmd()"] in [row[:2] for row in read_csv(f"{folder.csv}/features.csv")]
    assert read_csv(f"{folder.csv}/rejects.csv") == [
        ["path", "label", "status", "error"],
        ["'+bad/é.jpg", "'+bad", "corrupt", '\'=truncated, "half"'],
    ]


@pytest.mark.parametrize("cell", ["=1", "+1", "-1", "@x", "\tx", "\rx"])
def test_every_start_of_a_formula_is_defused(cell: str) -> None:
    assert escape_cell(cell) == f"'{cell}"


def test_shards_hold_the_rows_in_order_each_under_a_header(spark: SparkSession, tmp_path: Path) -> None:
    folder = export_run(spark, tmp_path, shards=3)
    shards = [read_csv(f"{folder.csv}/features-0000{place}-of-00003.csv") for place in (1, 2, 3)]
    assert [shard[0][0] for shard in shards] == ["path"] * 3
    paths = [row[0].removeprefix("'") for shard in shards for row in shard[1:]]
    assert paths == sorted(NAMES)


def test_the_outcomes_name_every_image_of_the_run_the_rejected_ones_too(
    spark: SparkSession, tmp_path: Path
) -> None:
    entry = pq.read_table(export_run(spark, tmp_path).outcomes.removeprefix("file://"))
    assert tuple(entry.column_names) == OUTCOME_COLUMNS
    assert dict(zip(entry["path"].to_pylist(), entry["status"].to_pylist(), strict=True)) == {
        **dict.fromkeys(NAMES, "ok"),
        "+bad/é.jpg": "corrupt",
    }


def test_without_rejected_images_there_is_a_file_that_says_so_also_where_there_were_some(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = export_run(spark, tmp_path)
    good = spark.read.parquet(folder.features).where("status = 'ok'")
    good.write.parquet(f"{folder.uri}/good")
    assert export.WriteOutcomes(folder, tuple(find_parts(f"{folder.uri}/good")))() == 0
    assert read_csv(f"{folder.csv}/rejects.csv") == [list(REJECT_COLUMNS)]


def test_rows_of_two_bases_never_share_a_csv(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(OrchardError, match="components of 2 bases"):
        export_run(spark, tmp_path, bases=("one", "other"))
    assert not (tmp_path / "csv").exists()


@pytest.mark.parametrize("columns", [{"path": ["a"]}, {"path": ["a"], "label": ["b"], "features": [[1.0]]}])
def test_what_is_no_file_of_components_is_one_clear_error(columns: dict[str, Any], tmp_path: Path) -> None:
    write_bytes(f"file://{tmp_path}/rows.parquet", to_parquet(pa.table(columns)))
    with pytest.raises(
        OrchardError, match=r"has no .*components and no basis_id: the output of the previous"
    ):
        export.count_components(find_parts(f"file://{tmp_path}"))


def test_two_rows_of_one_path_are_one_clear_error_and_no_file(spark: SparkSession, tmp_path: Path) -> None:
    twins = [("a.jpg", "", [1.0], "basis"), ("b.jpg", "", [1.0], "basis"), ("a.jpg", "", [2.0], "basis")]
    spark.createDataFrame(twins, COMPONENTS_SCHEMA).repartition(3).write.parquet(f"file://{tmp_path}/rows")
    runs = find_runs(find_parts(f"file://{tmp_path}/rows"))
    with pytest.raises(OrchardError, match=r"two rows of 'a\.jpg': every image must have one row"):
        export.WriteShard(f"file://{tmp_path}/csv/f.csv", ["path"], runs, PathRange())()
    assert list((tmp_path / "csv").iterdir()) == []


def write_sorted(folder: Path, *files: list[str]) -> list[Part]:
    """Files of paths, as the jobs write them."""
    for place, paths in enumerate(files):
        write_bytes(f"file://{folder}/part-{place}.parquet", to_parquet(pa.table({"path": paths})))
    return find_parts(f"file://{folder}")


def merged(parts: list[Part], where: PathRange = EVERYTHING) -> list[str]:
    def to_rows(batch: pa.RecordBatch) -> list[tuple[str]]:
        return [(path,) for path in batch["path"].to_pylist()]

    return [path for (path,) in merge_rows(find_runs(parts), ["path"], to_rows, where)]


def test_files_that_follow_each_other_and_files_that_do_not_are_merged_by_path(tmp_path: Path) -> None:
    parts = write_sorted(tmp_path, ["a", "b"], ["c", "ü"], ["aa", "d"], ["苹", "\U0001f34e"])
    assert merged(parts) == ["a", "aa", "b", "c", "d", "ü", "苹", "\U0001f34e"]


def test_a_path_at_the_end_of_one_file_and_the_start_of_the_next_is_there_twice(tmp_path: Path) -> None:
    with pytest.raises(OrchardError, match="two rows of 'b'"):
        merged(write_sorted(tmp_path, ["a", "b"], ["b", "c"]))


def test_a_range_of_paths_has_those_from_its_first_up_to_its_end(tmp_path: Path) -> None:
    parts = write_sorted(tmp_path, ["a", "b"], ["c", "d"], ["e"])
    assert merged(parts, PathRange("b", "d")) == ["b", "c"]
    assert merged(parts, PathRange(None, "c")) == ["a", "b"]
    assert merged(parts, PathRange("c", "c")) == []


def test_large_shards_are_cut_by_a_sample_of_paths_that_no_partition_changes(
    spark: SparkSession, tmp_path: Path
) -> None:
    paths = sorted(f"p/{number * 7919 % 40_000}" for number in range(40_000))
    found = []
    for files in (1, 5):
        parts = write_sorted(tmp_path / str(files), *(paths[place::files] for place in range(files)))
        ranges = export.cut(spark.sparkContext, parts, 4)
        shards = [merged(parts, a_range) for a_range in ranges]
        assert [path for shard in shards for path in shard] == paths
        found.append(shards)
    assert found[0] == found[1]
    assert all(9_000 < len(shard) < 11_000 for shard in found[0])


def test_a_shard_that_nothing_falls_into_is_a_file_with_a_header(spark: SparkSession, tmp_path: Path) -> None:
    folder = export_run(spark, tmp_path, shards=20)
    rows = [read_csv(f"{folder.csv}/{name}") for name in export.shard_names(20)]
    assert {row[0][0] for row in rows} == {"path"}
    assert sum(len(row) - 1 for row in rows) == len(NAMES)
