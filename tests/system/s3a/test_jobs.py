"""The three jobs as steps of EMR, with code, images, model and lake in S3."""

import csv
import io
import re
import threading
from pathlib import Path

import pytest

from local_emr.authentication import Endpoint
from orchard_jobs.contract import FeaturizeJob
from tests.support.s3a.buckets import (
    CODE,
    CORRUPT,
    HARD_NAMES,
    IMAGES,
    LAKE,
    incomplete_uploads,
    keys_below,
    read,
    upload,
)
from tests.support.s3a.jobs import RunOnFiles, features_in_s3, three_jobs
from tests.support.s3a.server import S3Server
from tests.support.s3a.steps import StepCluster, start_cluster

FRUIT = f"s3://{IMAGES}/50% ü/#1 + more"
RUN = f"s3://{LAKE}/a läke #1 50%25 +/runs/by hand"


@pytest.fixture(scope="module")
def cluster(emr: Endpoint, s3_environ: dict[str, str]) -> StepCluster:
    """A cluster such as the DAG asks for."""
    return start_cluster(s3_environ)


@pytest.fixture(scope="module")
def on_files(cluster: StepCluster, image_folder: Path, model_in_s3: str, run_on_files: RunOnFiles) -> Path:
    """The folder of a run on files. The same has run on S3 then, to RUN."""
    upload(image_folder, FRUIT)
    for job in three_jobs(FRUIT, model_in_s3, RUN):
        cluster.run(job)
    return run_on_files.finish()


def test_the_csv_is_byte_for_byte_that_of_the_same_images_in_a_folder(on_files: Path) -> None:
    for name in ("features.csv", "rejects.csv"):
        assert read(f"{RUN}/csv/{name}") == (on_files / "csv" / name).read_bytes()


def test_every_name_that_s3_takes_is_a_row_and_a_corrupt_image_is_a_rejected_one(
    on_files: Path, image_folder: Path
) -> None:
    paths = {row["path"] for row in rows(f"{RUN}/csv/features.csv")}
    assert paths >= set(HARD_NAMES)
    assert paths == {path.relative_to(image_folder).as_posix() for path in image_folder.glob("*/*")} - {
        CORRUPT
    }
    (rejected,) = rows(f"{RUN}/csv/rejects.csv")
    assert (rejected["path"], rejected["status"]) == (CORRUPT, "corrupt")


@pytest.mark.usefixtures("on_files")
@pytest.mark.parametrize("written", ["features", "components"])
def test_parquet_is_there_whole_and_nothing_is_left_of_its_work(written: str) -> None:
    keys = keys_below(f"{RUN}/{written}")
    assert keys
    assert all(re.fullmatch(r"part-[-\d]+\.parquet", key) for key in keys)
    assert incomplete_uploads(f"{RUN}/{written}") == []


@pytest.mark.usefixtures("on_files")
def test_requests_that_s3_refuses_with_slow_down_are_repeated_and_lose_no_image(
    cluster: StepCluster, s3_server: S3Server, image_folder: Path, model_in_s3: str, tmp_path: Path
) -> None:
    refused: set[str] = set()
    lock = threading.Lock()

    def refuse_the_first(method: str, path: str) -> bool:
        with lock:
            is_first = method == "GET" and path not in refused
            refused.update([path] if is_first else [])
        return is_first

    slow = f"{RUN} slowly"
    with s3_server.refusing(refuse_the_first):
        cluster.run(FeaturizeJob(images=FRUIT, model=model_in_s3, output=slow, max_failure_ratio=0.2))
    of_images = {path for path in refused if path.startswith(f"/{FRUIT.removeprefix('s3://')}/")}
    assert len(of_images) == len([*image_folder.glob("*/*")])
    assert f"/{CODE.removeprefix('s3://')}/run.py" in refused  # what S3A reads
    assert features_in_s3(slow, tmp_path / "slow") == features_in_s3(RUN, tmp_path / "undisturbed")


def rows(uri: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read(uri).decode(), newline="")))
