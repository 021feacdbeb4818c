"""What is asked about, and the clients that ask: they give up soon, for there are some fifty questions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from orchard.settings.settings import Settings
from readiness.account import Identity
from readiness.network import TagRule, find_subnets, find_tag_rule
from readiness.planned_cluster import PlannedCluster

BOUNDS = Config(connect_timeout=5, read_timeout=15, retries={"total_max_attempts": 2, "mode": "standard"})


class Clients:
    """One client a service, made when it is first asked for. With the credentials that boto3 finds."""

    def __init__(self, region: str | None) -> None:
        self._session = boto3.session.Session(region_name=region)
        self._made: dict[str, Any] = {}

    @property
    def region(self) -> str | None:
        region: str | None = self._session.region_name
        return region

    def get(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = self._session.client(service, config=BOUNDS)
        return self._made[service]


@dataclass(frozen=True)
class Question:
    """What is asked.

    Args:
        new_images: Of the night; its cluster is as large as they ask for.
        airflow_role: Name or ARN of the role that Airflow runs as; '' to simulate whoever asks.
        topic: ARN of the SNS topic that failures are told to, as ``signals.find_topic`` found it.
        mwaa_environment: Name of managed Airflow; '' for an Airflow of another kind.
    """

    settings: Settings
    new_images: int = 0
    airflow_role: str = ""
    topic: str = ""
    mwaa_environment: str = ""


@dataclass(frozen=True)
class Target:
    """What every check is given: the question, and of whom and what it is asked."""

    question: Question
    clients: Clients
    region: str
    identity: Identity
    cluster: PlannedCluster

    @property
    def settings(self) -> Settings:
        return self.question.settings

    @cached_property
    def subnets(self) -> list[dict[str, Any]]:
        """Five checks look at them, and all at the same."""
        return find_subnets(self.client("ec2"), self.settings.fleet.subnets)

    @cached_property
    def tag_rule(self) -> TagRule:
        return find_tag_rule(self.client("iam"), self.settings.fleet.service_role)

    def client(self, service: str) -> Any:
        return self.clients.get(service)
