"""What Athena gets to know of a lake is what latest.json says."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException
from moto import mock_aws

from orchard.lake.layout import Lake
from orchard.lake.parquet import from_parquet
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.lake.storage_s3 import S3Storage
from orchard.publishing import glue
from orchard.publishing.glue import TABLES, Catalog
from orchard.publishing.glue_sync import register
from orchard.publishing.publish import to_json
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard_jobs.errors import OrchardError
from orchard_jobs.escaping import escape_cell

LAKE = Lake("s3://orchard/lake")


@pytest.fixture(scope="module")
def clients() -> tuple[Any, Any]:
    """Making one takes longer than a test."""
    return boto3.client("glue"), boto3.client("s3")


@pytest.fixture
def catalog(clients: tuple[Any, Any]) -> Iterator[Catalog]:
    with mock_aws():
        clients[1].create_bucket(Bucket="orchard")
        clients[0].create_database(DatabaseInput={"Name": "orchard"})
        yield Catalog(clients[0], "orchard")


@pytest.fixture
def storage(clients: tuple[Any, Any], catalog: Catalog) -> S3Storage:
    return S3Storage(clients[1])


def publish(storage: S3Storage, slug: str, *rejected: str) -> None:
    folder, history = LAKE.run(slug), RunIndex.load(storage, LAKE)
    place = len(history.runs)
    counts = {"corrupt": len(rejected)} if rejected else {}
    published_at = f"2026-11-{place + 1:02}T02:00:00+00:00"
    run_json = {"published_at": published_at, "basis_id": "b", "rejected": counts}
    storage.write(folder.run_json, to_json(run_json))
    buffer = io.StringIO()
    rows = ([escape_cell(path), "apple", "corrupt", "truncated"] for path in rejected)
    csv.writer(buffer).writerows([("path", "label", "status", "error"), *rows])
    storage.write(f"{folder.csv}/rejects.csv", buffer.getvalue().encode())
    runs = history.with_run(PublishedRun(slug, "s3://in", FeatureSpec("m")))
    storage.replace(LAKE.latest, to_json({"run": slug, "runs": runs}), history.version)


def table(catalog: Catalog, name: str) -> Any:
    return catalog.client.get_table(DatabaseName="orchard", Name=name)["Table"]


def locations(catalog: Catalog, name: str) -> dict[tuple[str, ...], str]:
    found = catalog.client.get_partitions(DatabaseName="orchard", TableName=name)["Partitions"]
    return {tuple(one["Values"]): one["StorageDescriptor"]["Location"] for one in found}


def test_a_published_run_is_a_partition_and_the_newest_is_a_table_of_its_own(
    catalog: Catalog, storage: S3Storage
) -> None:
    publish(storage, "z")
    assert register(catalog, storage, LAKE) == ["z"]
    publish(storage, "a")
    assert register(catalog, storage, LAKE) == ["a"]
    for name in TABLES:
        assert locations(catalog, name) == {
            ("z", "2026-11-01T02:00:00+00:00"): f"s3://orchard/lake/runs/z/{name}/",
            ("a", "2026-11-02T02:00:00+00:00"): f"s3://orchard/lake/runs/a/{name}/",
        }
    for name in ("components", "rejects"):
        latest = table(catalog, f"{name}_latest")
        assert latest["StorageDescriptor"]["Location"] == f"s3://orchard/lake/runs/a/{name}/"
        assert latest["PartitionKeys"] == []


def test_a_table_is_what_athena_takes(catalog: Catalog, storage: S3Storage) -> None:
    publish(storage, "r1")
    register(catalog, storage, LAKE)
    found = table(catalog, "components")
    assert {
        name: found[name] for name in ("TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    } == {
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": "parquet"},
        "PartitionKeys": [{"Name": "run", "Type": "string"}, {"Name": "published_at", "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [
                {"Name": "path", "Type": "string"},
                {"Name": "label", "Type": "string"},
                {"Name": "components", "Type": "array<double>"},
                {"Name": "basis_id", "Type": "string"},
            ],
            "Location": "s3://orchard/lake/runs/",
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {
                "SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
                "Parameters": {"serialization.format": "1"},
            },
        },
    }


def test_rejected_images_are_rows_whatever_their_names(
    catalog: Catalog, storage: S3Storage, clients: tuple[Any, Any]
) -> None:
    names = ["a,b.jpg", 'x "y".jpg', "line\nbreak.jpg", "=1+1.jpg", "back\\slash.jpg"]
    publish(storage, "r1", *names)
    register(catalog, storage, LAKE)
    (location,) = locations(catalog, "rejects").values()
    (name,) = storage.names(location.rstrip("/"))  # nothing else lies in the folder of the table
    found = from_parquet(storage.read(f"{location}{name}").data)
    assert found["path"].to_pylist() == names
    assert found.column_names == ["path", "label", "status", "error"]


def test_registering_again_changes_nothing(
    catalog: Catalog, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(storage, "r1")
    register(catalog, storage, LAKE)
    for name in ("create_table", "update_table", "batch_create_partition", "batch_delete_partition"):
        monkeypatch.setattr(catalog.client, name, lambda name=name, **_: pytest.fail(f"it has called {name}"))
    assert register(catalog, storage, LAKE) == []


def test_a_table_with_other_columns_is_mended(catalog: Catalog, storage: S3Storage) -> None:
    """As after an upgrade that has added one."""
    publish(storage, "r1")
    older = glue.all_runs_table("features", LAKE.runs)
    added = older["StorageDescriptor"]["Columns"].pop()
    catalog.client.create_table(DatabaseName="orchard", TableInput=older)
    register(catalog, storage, LAKE)
    assert table(catalog, "features")["StorageDescriptor"]["Columns"][-1] == added


def test_runs_that_were_missed_come_and_runs_that_are_gone_go(
    catalog: Catalog, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(glue, "MOST_CREATED", 2)
    monkeypatch.setattr(glue, "MOST_DELETED", 2)
    slugs = [f"r{n}" for n in range(7)]
    for slug in slugs:
        publish(storage, slug)
    assert register(catalog, storage, LAKE) == slugs
    latest = json.loads(storage.read(LAKE.latest).data)
    latest["runs"] = latest["runs"][5:]
    storage.write(LAKE.latest, to_json(latest))
    assert register(catalog, storage, LAKE) == []
    assert [values[0] for values in locations(catalog, "features")] == ["r5", "r6"]


def test_a_run_that_was_registered_in_part_is_registered_whole(
    catalog: Catalog, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(storage, "r1")
    with monkeypatch.context() as patch:
        patch.setattr(glue, "MOST_CREATED", 0)  # it crashes at the first partition
        with pytest.raises(ValueError, match="range"):
            register(catalog, storage, LAKE)
    catalog.add("features", [glue.build_partition("features", LAKE.run("r1").uri, ["r1", "2026-11-01"])])
    register(catalog, storage, LAKE)
    assert [values[0] for values in locations(catalog, "components")] == ["r1"]
    assert table(catalog, "components_latest")


def test_a_database_that_is_not_there_is_one_clear_error(catalog: Catalog, storage: S3Storage) -> None:
    publish(storage, "r1")
    with pytest.raises(OrchardError, match=r"^no Glue database nowhere: .* Create it, with GlueDatabase=yes"):
        register(Catalog(catalog.client, "nowhere"), storage, LAKE)


def test_tables_of_another_lake_are_left_alone(catalog: Catalog, storage: S3Storage) -> None:
    publish(storage, "r1")
    theirs = glue.all_runs_table("features", "s3://orchard/lake2/runs")
    catalog.client.create_table(DatabaseName="orchard", TableInput=theirs)
    with pytest.raises(
        OrchardError, match=r"^the table features of the Glue database orchard is at s3://orchard/la"
    ):
        register(catalog, storage, LAKE)
    assert table(catalog, "features")["StorageDescriptor"]["Location"] == "s3://orchard/lake2/runs/"


class RefusingClient:
    """Glue answers 200 to partitions of which it has refused some; moto refuses those alone that it has."""

    def batch_create_partition(self, **_: Any) -> Any:
        return {"Errors": [{"ErrorDetail": {"ErrorCode": "ResourceNumberLimitExceededException"}}]}


def test_partitions_that_glue_refuses_in_its_answer_fail_the_task() -> None:
    with pytest.raises(
        RuntimeError, match=r"1 partitions of features; the first error: .*NumberLimitExceeded"
    ):
        Catalog(RefusingClient(), "orchard").add("features", [{}])


def test_partitions_that_are_there_already_are_no_error(catalog: Catalog, storage: S3Storage) -> None:
    publish(storage, "r1")
    register(catalog, storage, LAKE)
    again = [glue.build_partition("features", LAKE.run("r1").uri, ["r1", "2026-11-01T02:00:00+00:00"])]
    catalog.add("features", again)
    catalog.drop("features", [("nobody", "never")])


def test_the_task_fails_visibly_and_the_run_stays_published(
    catalog: Catalog, storage: S3Storage, environ: dict[str, str]
) -> None:
    publish(storage, "r1")
    places = {"ORCHARD_LAKE": LAKE.uri, "ORCHARD_IMAGES": "s3://in", "ORCHARD_GLUE_DATABASE": "nowhere"}
    settings = Settings.from_env({**environ, **places})
    with pytest.raises(AirflowFailException, match=r"^no Glue database nowhere"):
        RunTasks("orchard_features", "r1", {}, None, settings).register()
    assert RunIndex.load(storage, LAKE).latest == "r1"
    settings = Settings.from_env({**environ, **places, "ORCHARD_GLUE_DATABASE": "orchard"})
    assert RunTasks("orchard_features", "r1", {}, None, settings).register() == ["r1"]


@pytest.mark.parametrize(
    ("name", "rule"), [("or-chard", "lower-case letters, digits and _"), ("orchard", "a lake in S3")]
)
def test_a_database_is_named_for_a_lake_in_s3(environ: dict[str, str], name: str, rule: str) -> None:
    with pytest.raises(OrchardError, match=f"^ORCHARD_GLUE_DATABASE={name}.*: it must be .*{rule}"):
        Settings.from_env({**environ, "ORCHARD_GLUE_DATABASE": name})
