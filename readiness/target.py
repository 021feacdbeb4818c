"""The request of a preflight, and clients with short timeouts, because there are about fifty calls."""

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
    """One client per service, created on first use, with boto3's default credentials."""

    def __init__(self, region: str | None) -> None:
        self._session = boto3.session.Session(region_name=region)
        self._clients: dict[str, Any] = {}

    @property
    def region(self) -> str | None:
        region: str | None = self._session.region_name
        return region

    def get(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._session.client(service, config=BOUNDS)
        return self._clients[service]


@dataclass(frozen=True)
class PreflightRequest:
    """The options of a preflight.

    Args:
        new_images: Number of new images, which determines the size of the cluster.
        airflow_role: Name or ARN of the role that Airflow runs as; '' to simulate the caller.
        topic: ARN of the SNS topic for alerts, from ``signals.find_topic``.
        mwaa_environment: Name of the MWAA environment; '' if Airflow runs elsewhere.
    """

    settings: Settings
    new_images: int = 0
    airflow_role: str = ""
    topic: str = ""
    mwaa_environment: str = ""


@dataclass(frozen=True)
class Target:
    """The input of every check: the request, the clients, the caller and the planned cluster."""

    request: PreflightRequest
    clients: Clients
    region: str
    identity: Identity
    cluster: PlannedCluster

    @property
    def settings(self) -> Settings:
        return self.request.settings

    @cached_property
    def subnets(self) -> list[dict[str, Any]]:
        """The subnets, found once for five checks."""
        return find_subnets(self.client("ec2"), self.settings.fleet.subnets)

    @cached_property
    def tag_rule(self) -> TagRule:
        return find_tag_rule(self.client("iam"), self.settings.fleet.service_role)

    def client(self, service: str) -> Any:
        return self.clients.get(service)
