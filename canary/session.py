"""The state of a canary: what its checks need, and what they leave for later ones."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from canary.clusters import Clusters, Seen
from canary.network import Network, NetworkState
from canary.phases import Phase
from canary.plan import Plan
from orchard.lake.objects import Storage
from orchard.lake.run_record import CostRecord, RunRecord
from orchard.lake.sensed import Sensed
from orchard.lake.storage import storage_for
from orchard_airflow.emr_api import is_local

Tell = Callable[[str], None]


@dataclass
class Session:
    """A running canary.

    Args:
        tell: Called with each progress message.
        network: The account's network, looked up before and after.
        steps: Steps by job, as DescribeStep returns them.
        costs: Cost records by cluster.
        event_logs: Event log folders that existed before.
    """

    plan: Plan
    clusters: Clusters
    network: Network
    tell: Tell
    phases: list[Phase] = field(default_factory=list)
    costs: dict[str, CostRecord] = field(default_factory=dict)
    sensed: Sensed | None = None
    before: NetworkState | None = None
    event_logs: frozenset[str] = frozenset()
    cluster_id: str = ""
    cluster: dict[str, Any] = field(default_factory=dict)
    seen: Seen = field(default_factory=list)
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    record: RunRecord | None = None

    @property
    def storage(self) -> Storage:
        return storage_for(self.plan.folder, self.plan.own.access)

    @property
    def logs(self) -> str:
        return self.plan.own.places.logs

    @property
    def log_storage(self) -> Storage:
        return storage_for(self.logs, self.plan.own.access)

    @property
    def is_local(self) -> bool:
        """Whether this is a local EMR, which proves nothing about AWS."""
        return is_local(self.clusters.client)

    def read_sensed(self) -> Sensed:
        if self.sensed is None:
            raise ValueError("sense has not run yet: the checks are out of order")
        return self.sensed

    def read_record(self) -> RunRecord:
        if self.record is None:
            raise ValueError("there is no run.json yet: the checks are out of order")
        return self.record
