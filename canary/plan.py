"""The plan of a canary: names, settings, both requests and their estimated cost. Pure."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from canary.samples import COUNT
from orchard.emr.cost_estimate import Estimate, Work, estimate
from orchard.emr.job_args import RunJobs
from orchard.emr.job_flow import CANARY_DAG, run_job_flow, run_tags
from orchard.lake.layout import Lake, run_slug
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Places, Settings
from orchard_jobs.contract import BasisMode

CORE_NODES = 1

IDLE_TIMEOUT = 60
"""Seconds; EMR's minimum."""

MAX_FAILURE_RATIO = 0.1
"""One of the 20 images is broken."""


@dataclass(frozen=True)
class Plan:
    """A canary.

    Args:
        name: Unique name of its folder and its runs.
        settings: The lake's settings.
        region: Region of the prices; None if unknown.
        idle_wait: Seconds within which EMR must terminate the idle cluster.
    """

    name: str
    settings: Settings
    region: str | None
    idle_wait: float

    def __post_init__(self) -> None:
        if re.fullmatch(r"canary-[0-9T]+-[0-9a-f]+", self.name) is None:
            raise ValueError(f"{self.name} is not the name of a canary")  # the folder is deleted later

    @property
    def folder(self) -> str:
        """URI of everything it writes except logs: nodes and Airflow may write there, and no reader looks."""
        return f"{Lake(self.settings.places.lake).runs}/{self.name}"

    @cached_property
    def own(self) -> Settings:
        """The settings with a separate lake and the smallest cluster; code and logs stay."""
        places, fleet = self.settings.places, self.settings.fleet
        own = Places(lake=self.folder, model=places.model, code=places.code, logs=places.logs)
        return replace(
            self.settings,
            places=own,
            fleet=replace(fleet, core_nodes=CORE_NODES, task_nodes=0),
            # The canary runs with the caller's credentials.
            access=replace(self.settings.access, aws_conn_id=None),
        )

    @property
    def lake(self) -> Lake:
        return Lake(self.folder)

    @property
    def slug(self) -> str:
        return run_slug(self.name, CANARY_DAG)

    @property
    def params(self) -> RunParams:
        return RunParams(
            images=self.own.places.images,
            components=5,
            variance=None,
            basis=BasisMode.REFIT,
            precision=self.own.nightly.precision,
            core_nodes=CORE_NODES,
            max_failure_ratio=MAX_FAILURE_RATIO,
        )

    @property
    def jobs(self) -> RunJobs:
        return RunJobs(self.slug, self.params, self.own)

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the working cluster. They name the real lake, which the IAM conditions require."""
        return run_tags(CANARY_DAG, self.name, self.settings)

    @property
    def idle_tags(self) -> dict[str, str]:
        return run_tags(CANARY_DAG, f"{self.name}-idle", self.settings)

    def request(self) -> dict[str, Any]:
        """Return the RunJobFlow request of the working cluster: a nightly run's, except for its size."""
        return run_job_flow(self.tags, CORE_NODES, self.own)

    def idle_request(self) -> dict[str, Any]:
        """Return the RunJobFlow request of the idle cluster."""
        policy = {"AutoTerminationPolicy": {"IdleTimeout": IDLE_TIMEOUT}}
        return run_job_flow(self.idle_tags, CORE_NODES, self.own) | policy

    def estimates(self) -> tuple[Estimate, Estimate]:
        """Return the estimated maximum cost of each cluster."""
        return (
            estimate(Work(COUNT, COUNT, CORE_NODES), self.own, self.region),
            estimate(Work(0, 0, CORE_NODES), self.own, self.region),
        )

    def describe(self) -> str:
        """Describe the clusters and their estimated cost."""
        estimates = self.estimates()
        fleet = self.own.fleet
        types = " or ".join(sorted({*fleet.primary_types, *fleet.core_types}))
        minutes = round(sum(one.seconds for one in estimates) / 60)
        said = (
            f"Two clusters, one after the other, of 1 primary and {CORE_NODES} core node ({types}): "
            f"about {minutes} minutes"
        )
        known = [one.dollars for one in estimates if one.dollars is not None]
        if len(known) < len(estimates):
            unknown = ", ".join(estimates[0].unknown)
            return f"{said}, cost unknown: no price for {unknown} in {self.region}"
        prices = f"at {self.region}'s list prices of {estimates[0].prices_of}"
        return f"{said}, at most {sum(known):.2f} $, {prices}"
