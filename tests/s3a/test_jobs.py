"""The three jobs as steps of EMR, with code, images, model and lake in S3."""

import csv
import gzip
import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pyarrow.dataset
import pytest

from orchard.cluster import run_job_flow, run_tags
from orchard.settings import Settings
from orchard.steps import build_step
from orchard_jobs.contract import FeaturizeJob, Job
from tests.s3a.buckets import (
    CODE,
    IMAGES,
    LAKE,
    download,
    incomplete_uploads,
    keys_below,
    read,
    success_of,
    upload,
)
from tests.s3a.conftest import CORRUPT, HARD_NAMES
from tests.s3a.jobs import start_on_files, three_jobs
from tests.s3a.s3_server import S3Server
from tests.waiting import wait_for

FRUIT = f"s3://{IMAGES}/50% ü/#1 + more"
RUN = f"s3://{LAKE}/a läke #1 50%25 +/runs/by hand"
STEP_SECONDS = 300.0

RunStep = Callable[[Job], None]


@pytest.fixture(scope="module")
def run_step(emr_url: str, environ: dict[str, str]) -> RunStep:
    """Return a function that runs a job on a cluster such as the DAG asks for, and waits for it."""
    settings = Settings.from_env({**environ, "ORCHARD_LAKE": f"s3://{LAKE}"})
    emr = boto3.client("emr")
    request = run_job_flow(run_tags("jobs", "by hand", settings), 1, settings)
    cluster = emr.run_job_flow(**request)["JobFlowId"]

    def run_step(job: Job) -> None:
        step = build_step(job, "by hand", CODE)
        (step_id,) = emr.add_job_flow_steps(JobFlowId=cluster, Steps=[step])["StepIds"]

        def end() -> str | None:
            state: str = emr.describe_step(ClusterId=cluster, StepId=step_id)["Step"]["Status"]["State"]
            return None if state in ("PENDING", "RUNNING") else state

        state = wait_for(end, f"the step {job.NAME}", STEP_SECONDS)
        log = f"s3://{LAKE}/logs/{cluster}/steps/{step_id}/stderr.gz"
        assert state == "COMPLETED", gzip.decompress(read(log)).decode()

    return run_step


@pytest.fixture(scope="module")
def on_files(
    run_step: RunStep, images: Path, artefact: Path, model: str, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of a run on files. The same has run on S3 then, to RUN."""
    upload(images, FRUIT)
    folder = tmp_path_factory.mktemp("run")
    on_files = start_on_files(images, artefact, folder)
    for job in three_jobs(FRUIT, model, RUN):
        run_step(job)
    said, _ = on_files.communicate()
    assert on_files.returncode == 0, said
    return folder


def test_the_csv_is_byte_for_byte_that_of_the_same_images_in_a_folder(on_files: Path) -> None:
    for name in ("features.csv", "rejects.csv"):
        assert read(f"{RUN}/csv/{name}") == (on_files / "csv" / name).read_bytes()


def test_every_name_that_s3_takes_is_a_row_and_a_corrupt_image_is_a_rejected_one(
    on_files: Path, images: Path
) -> None:
    paths = {row["path"] for row in rows(f"{RUN}/csv/features.csv")}
    assert paths >= set(HARD_NAMES)
    assert paths == {path.relative_to(images).as_posix() for path in images.glob("*/*")} - {CORRUPT}
    (rejected,) = rows(f"{RUN}/csv/rejects.csv")
    assert (rejected["path"], rejected["status"]) == (CORRUPT, "corrupt")


@pytest.mark.usefixtures("on_files")
@pytest.mark.parametrize("written", ["features", "components"])
def test_parquet_is_committed_by_the_magic_committer_and_nothing_is_left_of_its_work(written: str) -> None:
    success = success_of(f"{RUN}/{written}")
    keys = keys_below(f"{RUN}/{written}")
    parts = [key for key in keys if key.endswith(".parquet")]
    assert success["committer"] == "magic"
    assert sorted(Path(name).name for name in success["filenames"]) == sorted(parts)
    assert set(keys) - set(parts) <= {"", "_SUCCESS"}  # no __magic, no _temporary
    assert incomplete_uploads(f"{RUN}/{written}") == []


@pytest.mark.usefixtures("on_files")
def test_requests_that_s3_refuses_with_slow_down_are_repeated_and_lose_no_image(
    run_step: RunStep, s3: S3Server, images: Path, model: str, tmp_path: Path
) -> None:
    refused: set[str] = set()
    lock = threading.Lock()

    def refuse_the_first(method: str, path: str) -> bool:
        with lock:
            is_first = method == "GET" and path not in refused
            refused.update([path] if is_first else [])
        return is_first

    slow = f"{RUN} slowly"
    with s3.refusing(refuse_the_first):
        run_step(FeaturizeJob(images=FRUIT, model=model, output=slow, max_failure_ratio=0.2))
    of_images = {path for path in refused if path.startswith(f"/{FRUIT.removeprefix('s3://')}/")}
    assert len(of_images) == len([*images.glob("*/*")])
    assert f"/{CODE.removeprefix('s3://')}/run.py" in refused  # what S3A reads
    assert features(slow, tmp_path / "slow") == features(RUN, tmp_path / "undisturbed")


def rows(uri: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read(uri).decode(), newline="")))


def features(run: str, folder: Path) -> Any:
    """Return the rows of ``features/`` by path."""
    download(f"{run}/features", folder)
    return pyarrow.dataset.dataset(folder, format="parquet").to_table().sort_by("path")
