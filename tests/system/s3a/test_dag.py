"""The whole DAG with images, model and lake in S3: night after night, and through a night that fails."""

import csv
import io
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest

from local_emr.authentication import Endpoint
from orchard.lake.event_logs import event_logs_of
from orchard.lake.layout import run_slug
from orchard.lake.objects import bucket_and_key
from orchard.lake.storage import storage_for
from orchard.settings.settings import Settings
from orchard_features import build_dag
from tests.support.airflow.dag_runs import run_quickly
from tests.support.polling import wait_for
from tests.support.s3a.buckets import (
    CORRUPT,
    IMAGES,
    LAKE,
    incomplete_uploads,
    keys_below,
    read,
    upload,
)
from tests.support.s3a.server import S3Server

NIGHTLY = f"s3://{IMAGES}/every night/1+1 #2"
ORCHARD = f"s3://{LAKE}/obst ü 100%"
STEP_SECONDS = 300.0


@dataclass(frozen=True)
class Lake:
    """What readers see."""

    uri: str
    settings: Settings

    def run(self) -> Any:
        """Run the DAG once, in this process; return the DAG run."""
        return run_quickly(build_dag(self.settings))

    def latest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(read(f"{self.uri}/latest.json"))
        return content

    def summary(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(read(self.latest()["run_json"]))
        return content

    def rows(self, name: str = "features.csv") -> dict[str, dict[str, str]]:
        """Return the rows of the newest CSV by path."""
        content = read(self.latest()["csv"].replace("features.csv", name)).decode()
        return {row["path"]: row for row in csv.DictReader(io.StringIO(content, newline=""))}

    def folder_of(self, dag_run: Any) -> str:
        return f"{self.uri}/runs/{run_slug(dag_run.run_id, dag_run.dag_id)}"


@pytest.fixture
def lake(airflow_db: None, emr: Endpoint, s3_environ: dict[str, str], image_folder: Path) -> Lake:
    upload(image_folder, NIGHTLY)
    return Lake(
        ORCHARD, Settings.from_env({**s3_environ, "ORCHARD_LAKE": ORCHARD, "ORCHARD_IMAGES": NIGHTLY})
    )


def test_nights_in_s3_publish_what_is_there_and_a_killed_driver_changes_nothing_for_readers(
    lake: Lake, s3_server: S3Server, image_folder: Path, tmp_path: Path
) -> None:
    first = lake.run()
    paths = {path.relative_to(image_folder).as_posix() for path in image_folder.glob("*/*")} - {CORRUPT}
    assert_published(lake, first, paths, counts(listed=len(paths) + 1, featurized=len(paths), rejected=1))
    assert list(lake.rows("rejects.csv")) == [CORRUPT]

    *_, changed, deleted = sorted(paths)
    new = "new/+ %41 é.jpg"
    change_images(image_folder, new, changed, deleted)
    seen = lake.latest()
    with killed_while_it_writes(s3_server, "featurize"):
        failed = lake.run()
    states = states_of(failed)
    assert (states["featurize"], states["publish"]) == ("failed", "upstream_failed")
    assert states["terminate_cluster"] == "success"
    assert lake.latest() == seen
    written = keys_below(f"{lake.folder_of(failed)}/features")
    assert len(written) == 1, "the driver was to be killed when one of two files was written"

    second = lake.run()
    paths = paths - {deleted} | {new}
    # All but the new one and the changed one are known, and so is the corrupt one.
    assert_published(
        lake, second, paths, counts(listed=len(paths) + 1, featurized=2, known=len(paths) - 1, deleted=1)
    )
    assert keys_below(f"{lake.folder_of(failed)}/features") == written
    assert lake.latest()["runs"][0] == seen["runs"][0]


def assert_published(lake: Lake, dag_run: Any, paths: set[str], expected: dict[str, int]) -> None:
    """The run is what readers see, it is whole, and nothing is left of its work."""
    assert set(states_of(dag_run).values()) == {"success"}, states_of(dag_run)
    folder, summary = lake.folder_of(dag_run), lake.summary()
    assert lake.latest()["run_json"] == f"{folder}/run.json"
    assert summary["counts"] == expected
    assert lake.rows().keys() == paths
    assert summary["rows"] == len(paths)
    assert all(value for row in lake.rows().values() for name, value in row.items() if name != "label")
    for written in ("features", "components"):
        assert all(re.fullmatch(r"part-[-\d]+\.parquet", key) for key in keys_below(f"{folder}/{written}"))
    assert incomplete_uploads(folder) == []
    storage, slug = storage_for(lake.uri, lake.settings.access), folder.rpartition("/")[2]
    assert len(event_logs_of(slug, lake.settings.places.logs, storage)) == 3


def counts(**given: int) -> dict[str, int]:
    return {"listed": 0, "featurized": 0, "rejected": 0, "known": 0, "deleted": 0, **given}


def states_of(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def change_images(image_folder: Path, new: str, changed: str, deleted: str) -> None:
    """Add one image, give one other bytes, and delete one."""
    client = boto3.client("s3")
    bucket, prefix = bucket_and_key(NIGHTLY)
    others = sorted(image_folder.glob("*/*.jpg"))
    client.put_object(Bucket=bucket, Key=f"{prefix}/{changed}", Body=others[0].read_bytes())
    client.put_object(Bucket=bucket, Key=f"{prefix}/{new}", Body=others[1].read_bytes())
    client.delete_object(Bucket=bucket, Key=f"{prefix}/{deleted}")


@contextmanager
def killed_while_it_writes(s3_server: S3Server, job: str) -> Iterator[None]:
    """Kill a job's driver in the block, as soon as it has written something; it gets one image alone."""
    dead, lock = threading.Event(), threading.Lock()
    asked: list[str] = []
    before = set(keys_below(ORCHARD))

    def hold_images(method: str, path: str) -> bool:
        if method == "GET" and path.startswith(f"/{IMAGES}/") and path.endswith(".jpg"):
            with lock:
                asked.append(path)
            if path != asked[0]:
                dead.wait(STEP_SECONDS)
        return False

    def has_written() -> bool:
        return any("/features/" in key for key in set(keys_below(ORCHARD)) - before)

    def kill() -> None:
        try:
            wait_for(has_written, f"{job} to write", STEP_SECONDS)
            driver_of(job).kill()
        finally:
            dead.set()

    with s3_server.refusing(hold_images), ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill)
        yield
        killing.result()


def driver_of(job: str) -> psutil.Process:
    """Return the JVM of a job's driver."""
    (driver,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if "org.apache.spark.deploy.SparkSubmit" in (command := process.info["cmdline"] or [])
        and job in command
        and any(ORCHARD in argument for argument in command)
    )
    return driver
