"""Settings of what surrounds the runs: how many clusters there may be, who is told, and what tells us."""

import re
from dataclasses import dataclass

from orchard.environment import require, setting

QUEUE_PATTERN = r"https?://[A-Za-z0-9.:-]+/[0-9]{12}/[A-Za-z0-9_-]+(\.fifo)?"


@dataclass(frozen=True)
class Limits:
    """What the clusters of the lake may not exceed, whatever happens."""

    max_clusters: int = setting("Live clusters of this lake beside which no other is created", 2)
    max_cluster_hours: float = setting(
        "Longest life of a cluster, in hours: its steps end before, and the sweeper ends what is older", 12
    )
    sweep_grace: int = setting("Seconds for which the sweeper leaves a new cluster alone", 900)

    def __post_init__(self) -> None:
        require(self.max_clusters >= 1, "max_clusters", self.max_clusters, "1 or more")
        hours = self.max_cluster_hours
        # A run's cluster is looked for among those of seven days (``orchard_emr_api``).
        require(0 < hours <= 168, "max_cluster_hours", hours, "more than 0 and at most 168 hours")
        require(self.sweep_grace >= 0, "sweep_grace", self.sweep_grace, "0 or more")


@dataclass(frozen=True)
class Signals:
    """What Orchard tells others, and what others tell it."""

    notify_conn_id: str | None = setting(
        "Airflow connection that tells people of failures: of type aws (SNS), smtp or http (a webhook)", None
    )
    warning_ratio: float = setting(
        "Share of rejected images above which a run that is published is told of too", 0.01
    )
    queue_url: str | None = setting(
        "URL of an SQS queue of S3's notifications of new images, which start a run beside the clock", None
    )

    def __post_init__(self) -> None:
        require(0 <= self.warning_ratio <= 1, "warning_ratio", self.warning_ratio, "0 to 1")
        is_queue = self.queue_url is None or re.fullmatch(QUEUE_PATTERN, self.queue_url) is not None
        require(is_queue, "queue_url", self.queue_url, "https://sqs.<region>.amazonaws.com/<account>/<queue>")
