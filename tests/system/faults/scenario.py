"""One fault in one lake: what it is set up with, what EMR says of its clusters, and a run in this process."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import boto3
import psutil
from botocore.config import Config

from local_emr.authentication import AccessKey, Endpoint
from orchard.emr.job_flow import LAKE_TAG
from orchard.lake.layout import run_slug
from orchard.settings.settings import Settings
from orchard_features import build_dag
from tests.support.airflow.dag_runs import run_quickly
from tests.support.local_emr_client import control
from tests.support.polling import wait_for
from tests.system.faults.node import Node

ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")


@dataclass
class Scenario:
    """A lake, the settings of its DAG, and what has been proved of it.

    Args:
        name: The DAG's id, too.
        folder: Holds the lake and what the scenario's spark-submit is told.
        base: Settings, without the lake.
        node: What its clusters run on.
        reference: What an undisturbed run publishes.
    """

    name: str
    folder: Path
    base: dict[str, str]
    node: Node
    reference: Any = None
    proved: list[str] = field(default_factory=list)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear_faults()
        self.release()
        alive = [cluster["Id"] for cluster in self.clusters() if cluster["Status"]["State"] not in ENDED]
        if alive:
            self.emr.terminate_job_flows(JobFlowIds=alive)
        for process in self.processes():
            with suppress(psutil.Error):
                process.kill()

    # What it works on

    @property
    def lake(self) -> Path:
        return self.folder / "a lake"

    @property
    def environ(self) -> dict[str, str]:
        return {**self.base, "ORCHARD_LAKE": f"file://{self.lake}"}

    def copy_images(self) -> Path:
        """Give the scenario images of its own, as old as the shared ones."""
        folder = self.folder / "images"
        shutil.copytree(self.base["ORCHARD_IMAGES"].removeprefix("file://"), folder)
        self.base = {**self.base, "ORCHARD_IMAGES": f"file://{folder}"}
        return folder

    def run(self, **changes: str) -> Any:
        """Run the DAG once, in this process; return the DAG run."""
        return run_quickly(build_dag(Settings.from_env({**self.environ, **changes})))

    def latest(self) -> dict[str, Any] | None:
        path = self.lake / "latest.json"
        content: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
        return content

    # What disturbs it

    @contextmanager
    def meanwhile(self, disturb: Callable[[], object]) -> Iterator[None]:
        """Call ``disturb`` beside the block, which runs the DAG; what it raises is raised at the end."""
        with ThreadPoolExecutor(1) as pool:
            disturbed = pool.submit(disturb)
            yield
            disturbed.result()

    def spark(self, job: str, **behaviour: Any) -> None:
        """Say how a job's spark-submit is to behave: see ``spark/spark_submit.py``."""
        path = self.folder / "spark.json"
        behaviours = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**behaviours, job: behaviour}))

    def undisturbed(self) -> None:
        """From now on each job's spark-submit hands it to the warm Spark."""
        (self.folder / "spark.json").unlink(missing_ok=True)

    def release(self) -> None:
        """Let a step go on that was told to hold."""
        (self.folder / "release").touch()

    def fault(self, action: str, kind: str, **more: Any) -> None:
        """Set a fault of the local EMR."""
        fault = {"action": action, "kind": kind, **more}
        control(self._endpoint, "POST", "faults", fault)

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that have not struck yet."""
        found: list[dict[str, Any]] = control(self._endpoint, "GET", "faults")["faults"]
        return found

    def clear_faults(self) -> None:
        control(self._endpoint, "DELETE", "faults")

    # What can be seen of it

    @cached_property
    def emr(self) -> Any:
        return boto3.client("emr", config=Config(retries={"total_max_attempts": 5}))

    def clusters(self) -> list[dict[str, Any]]:
        """Return DescribeCluster of every cluster of this lake, oldest first."""
        pages = self.emr.get_paginator("list_clusters").paginate(CreatedAfter=self.started)
        found = [cluster["Id"] for page in pages for cluster in page["Clusters"]]
        described = [self.emr.describe_cluster(ClusterId=cluster_id)["Cluster"] for cluster_id in found]
        lake = run_slug(f"file://{self.lake}")
        return [c for c in reversed(described) if {"Key": LAKE_TAG, "Value": lake} in c["Tags"]]

    def steps(self, job: str = "") -> list[dict[str, Any]]:
        """Return the steps of all clusters, oldest first: of one job, or all."""
        found = [
            step
            for cluster in self.clusters()
            for step in reversed(self.emr.list_steps(ClusterId=cluster["Id"])["Steps"])
        ]
        return [step for step in found if step["Name"].startswith(job)]

    def processes(self) -> list[psutil.Process]:
        """Return every process that names the scenario's folder, or has EMR's marker in its environment."""
        clusters = {cluster["Id"] for cluster in self.clusters()}
        return [process for process in psutil.process_iter() if self._is_ours(process, clusters)]

    def wait_for_step(self, job: str, *states: str) -> dict[str, Any]:
        """Return the newest step of a job as soon as it is in one of the states."""

        def look() -> dict[str, Any] | None:
            steps = self.steps(job)
            return steps[-1] if steps and steps[-1]["Status"]["State"] in states else None

        return wait_for(look, f"the step {job} of {self.name} to be {' or '.join(states)}")

    def wait_for_driver(self, job: str) -> psutil.Process:
        """Return the JVM of a job's real Spark driver."""
        return wait_for(lambda: next(self._drivers(job), None), f"the driver of {job} of {self.name}")

    def _drivers(self, job: str) -> Iterator[psutil.Process]:
        for process in self.processes():
            try:
                command = process.cmdline()
            except psutil.Error:
                continue
            if "org.apache.spark.deploy.SparkSubmit" in command and job in command:
                yield process

    def _is_ours(self, process: psutil.Process, clusters: set[str]) -> bool:
        try:
            environ, command = process.environ(), process.cmdline()
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.Error:
            return False
        cluster_id = environ.get("LOCAL_EMR_CLUSTER")
        return cluster_id in clusters or any(str(self.folder) in word for word in command)

    @property
    def _endpoint(self) -> Endpoint:
        key = AccessKey(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
        return Endpoint(os.environ["AWS_ENDPOINT_URL_EMR"], key)
