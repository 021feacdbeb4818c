"""What a canary has at hand, and what its checks leave for those that follow."""

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
    """One canary at work.

    Args:
        tell: Called with a line of news.
        network: Of the account; asked before and after.
        steps: DescribeStep's steps by job.
        costs: Bills by the name of what they are of.
        event_logs: Names of folders of event logs that were there before.
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
        """Whether the clusters are a local EMR's, which prove nothing of AWS."""
        return is_local(self.clusters.client)

    def read_sensed(self) -> Sensed:
        if self.sensed is None:
            raise ValueError("there is nothing sensed yet: the checks are out of order")
        return self.sensed

    def read_record(self) -> RunRecord:
        if self.record is None:
            raise ValueError("there is no run.json yet: the checks are out of order")
        return self.record
