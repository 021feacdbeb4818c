"""Who is told of what. Failures of tasks are told by ``default_args``; here is what is worth a warning."""

import logging
from collections.abc import Mapping
from typing import Any

from orchard.settings.settings import Settings
from orchard_airflow.notifier import OrchardNotifier

log = logging.getLogger(__name__)


def notifier(settings: Settings) -> OrchardNotifier | None:
    """Return what tells people; None where the settings name no connection."""
    conn_id = settings.signals.notify_conn_id
    return OrchardNotifier(conn_id) if conn_id else None


def warn(settings: Settings, subject: str, text: str) -> None:
    """Log a warning, and tell people."""
    log.warning("%s\n%s", subject, text)
    if told := notifier(settings):
        told.tell(subject, text)


def warn_rejected_images(settings: Settings, summary: Mapping[str, Any]) -> None:
    """Warn if a published run has rejected many images. ``summary`` is the content of its run.json."""
    rejected = summary["counts"]["rejected"]
    new = rejected + summary["counts"]["featurized"]
    if rejected > settings.signals.warning_ratio * new:
        kinds = ", ".join(f"{count} {status}" for status, count in summary["rejected"].items())
        text = (
            f"Run: {summary['run_id']}\n"
            f"It is published, but {rejected} of {new} new images ({rejected / new:.1%}) were rejected: "
            f"{kinds}. More than {settings.signals.warning_ratio:.1%} is worth a look "
            "(ORCHARD_WARNING_RATIO).\n"
            f"Which, and why: {summary['csv'].rpartition('/')[0]}/rejects.csv"
        )
        warn(settings, f"Orchard: {rejected} images were rejected", text)


def warn_ended_clusters(settings: Settings, ended: Mapping[str, str]) -> None:
    """Warn of clusters that the sweeper had to end: ids and why."""
    if ended:
        lines = [f"{cluster_id}: {why}" for cluster_id, why in ended.items()]
        advice = "Look at the log of terminate_cluster, in the runs that they were of."
        warn(settings, f"Orchard: clusters left behind and ended: {len(ended)}", "\n".join([*lines, advice]))
