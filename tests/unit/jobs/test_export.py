"""What readers get: a CSV that any reader parses and no spreadsheet runs."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812

from orchard_jobs import export
from orchard_jobs.cli import _find_message
from orchard_jobs.contract import OUTCOME_COLUMNS, REJECT_COLUMNS, ExportJob
from orchard_jobs.csv_cells import escape_cell
from orchard_jobs.errors import OrchardError
from orchard_jobs.featurize import FEATURES_SCHEMA
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.reduce import COMPONENTS_SCHEMA
from orchard_jobs.run_folder import RunFolder

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
        export.run(spark, job, metrics)
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
    none = spark.read.parquet(folder.features).where("status = 'never'")
    columns = REJECT_COLUMNS
    assert export.write_csv(none, folder.csv, ["rejects.csv"], columns, export.format_reject) == 0
    assert read_csv(f"{folder.csv}/rejects.csv") == [list(columns)]


def test_rows_of_two_bases_never_share_a_csv(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(OrchardError, match="components of 2 bases"):
        export_run(spark, tmp_path, bases=("one", "other"))
    assert not (tmp_path / "csv").exists()


def test_two_rows_of_one_path_are_one_clear_error_and_no_file(spark: SparkSession, tmp_path: Path) -> None:
    twins = [("a.jpg", "", [1.0], "basis"), ("b.jpg", "", [1.0], "basis"), ("a.jpg", "", [2.0], "basis")]
    rows = spark.createDataFrame(twins, COMPONENTS_SCHEMA).repartition(3)
    with pytest.raises(Exception, match=r"two rows of 'a\.jpg': every image has one") as caught:
        export.write_csv(rows, f"file://{tmp_path}", ["f.csv"], ["path"], export.format_components)
    assert str(_find_message(str(caught.value))).startswith("two rows of 'a.jpg'")
    assert not (tmp_path / "f.csv").exists()


def test_rows_on_both_sides_of_a_piece_are_compared_too() -> None:
    pieces = [[{"path": "a"}, {"path": "b"}], [{"path": "b"}]]
    with pytest.raises(OrchardError, match="two rows of 'b'"):
        list(export._refuse_twins(pieces))


def test_large_shards_are_cut_by_a_sample_of_paths_that_no_partition_changes(spark: SparkSession) -> None:
    found = []
    for partitions in (1, 5):
        paths = spark.range(40_000).selectExpr("concat('p/', id * 7919 % 40000) as path")
        shards = export.into_shards(paths.repartition(partitions), 4)
        sizes = shards.groupBy(F.spark_partition_id().alias("shard")).agg(F.count("*"), F.min("path"))
        found.append(sorted(tuple(row) for row in sizes.collect()))
    assert found[0] == found[1]
    assert [shard for shard, *_ in found[0]] == [0, 1, 2, 3]
    assert all(9_000 < size < 11_000 for _, size, _ in found[0])
