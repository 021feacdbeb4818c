"""Watches a run from outside, through EMR's API and the lake, as any user of a real cluster can."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_emr.authentication import Endpoint

STEPS = ("featurize", "reduce", "export")


@dataclass
class Watch:
    """Prints a line whenever the state of a run changes.

    Args:
        emr: Endpoint of the local EMR.
        emr_log: The local EMR's log, which also has the states that were too short to be observed.
        runs: The lake's folder of runs.
    """

    emr: Endpoint
    emr_log: Path
    runs: Path
    _cluster: str | None = None
    _last_line: str = ""
    _started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._before = self._folders()

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415 - takes half a second, while Airflow starts

        return boto3.client("emr", **self.emr.client_settings())

    @property
    def run_folder(self) -> Path | None:
        """The run's folder, as soon as there is one."""
        return min(self._folders() - self._before, default=None)

    def update(self) -> None:
        """Query the current state; print it if it has changed."""
        try:
            clusters = self._client.list_clusters()["Clusters"]
        except (BotoCoreError, ClientError):
            return  # the next update tries again
        self._cluster = clusters[0]["Id"] if clusters else None
        self._print_line(self._describe(clusters[0]["Status"]["State"] if clusters else None))

    def cluster_states(self) -> list[str]:
        """Return the states that the cluster went through; [] if there was no cluster."""
        lines = self.emr_log.read_text(errors="replace").splitlines()
        return [line.split()[-1] for line in lines if f"cluster {self._cluster} is " in line]

    def idle_seconds(self) -> float | None:
        """Return the seconds for which the cluster was ready but ran no step."""
        cluster = self._client.describe_cluster(ClusterId=self._cluster)["Cluster"]
        return sum_idle_seconds(cluster, self._client.list_steps(ClusterId=self._cluster)["Steps"])

    def _describe(self, state: str | None) -> str:
        if state is None:
            return "sense: looking for new images"
        folder = self.run_folder or self.runs
        for job in reversed(STEPS):
            metrics = read_json(folder / "reports" / f"{job}.json")
            if metrics:
                return f"cluster {state}, {describe_progress(metrics)}"
        return f"cluster {state}"

    def _folders(self) -> set[Path]:
        return set(self.runs.iterdir()) if self.runs.exists() else set()

    def _print_line(self, line: str) -> None:
        if line != self._last_line:
            print(f"[{time.monotonic() - self._started:6.1f} s] {line}", flush=True)
            self._last_line = line


def sum_idle_seconds(cluster: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds for which a cluster was ready but ran no step: Airflow's overhead between tasks.

    Args:
        cluster: From DescribeCluster, after the cluster has terminated.
        steps: From ListSteps, in any order; steps that never started are ignored.

    Returns:
        None if the cluster was never ready, or has not terminated.
    """
    timeline = cluster["Status"]["Timeline"]
    ready, ended = timeline.get("ReadyDateTime"), timeline.get("EndDateTime")
    if ready is None or ended is None:
        return None
    worked = [step["Status"]["Timeline"] for step in steps]
    spans = sorted((each["StartDateTime"], each["EndDateTime"]) for each in worked if "StartDateTime" in each)
    spans = [(ready, ready), *spans, (ended, ended)]
    return float(sum((start - end).total_seconds() for (_, end), (start, _) in pairwise(spans)))


def describe_progress(metrics: dict[str, Any]) -> str:
    """Return the progress of a job, such as ``featurize: 1024 of 10332 images, 131.0 images/s``."""
    state = "" if metrics["state"] == "running" else f" ({metrics['state']})"
    if not metrics.get("total"):
        return f"{metrics['job']}{state}"
    done = f"{metrics['done']} of {metrics['total']} images, {metrics['images_per_second']} images/s"
    return f"{metrics['job']}: {done}{state}"


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; {} if the file does not exist yet or is incomplete."""
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return content
