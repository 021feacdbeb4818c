"""Warnings for people: rejected images and leftover clusters. ``default_args`` reports task failures."""

import logging
from collections.abc import Mapping
from typing import Any

from orchard.settings.settings import Settings
from orchard_airflow.notifier import OrchardNotifier

log = logging.getLogger(__name__)


def notifier(settings: Settings) -> OrchardNotifier | None:
    """Return the notifier; None if the settings name no connection."""
    conn_id = settings.signals.notify_conn_id
    return OrchardNotifier(conn_id) if conn_id else None


def warn(settings: Settings, subject: str, text: str) -> None:
    """Log a warning, and notify people."""
    log.warning("%s\n%s", subject, text)
    if people := notifier(settings):
        people.send(subject, text)


def warn_rejected_images(settings: Settings, summary: Mapping[str, Any]) -> None:
    """Warn if a published run has rejected many images. ``summary`` is the content of its run.json."""
    rejected = summary["counts"]["rejected"]
    new = rejected + summary["counts"]["featurized"]
    if rejected > settings.signals.warning_ratio * new:
        kinds = ", ".join(f"{count} {status}" for status, count in summary["rejected"].items())
        text = (
            f"Run: {summary['run_id']}\n"
            f"The run is published, but {rejected} of {new} new images ({rejected / new:.1%}) were rejected: "
            f"{kinds}. The threshold is {settings.signals.warning_ratio:.1%} (ORCHARD_WARNING_RATIO).\n"
            f"Rejected images and reasons: {summary['csv'].rpartition('/')[0]}/rejects.csv"
        )
        warn(settings, f"Orchard: {rejected} images were rejected", text)


def warn_ended_clusters(settings: Settings, ended: Mapping[str, str]) -> None:
    """Warn about the clusters that the sweeper terminated: reasons by cluster id."""
    if ended:
        lines = [f"{cluster_id}: {why}" for cluster_id, why in ended.items()]
        advice = "See the log of terminate_cluster in their runs."
        warn(settings, f"Orchard: terminated leftover clusters: {len(ended)}", "\n".join([*lines, advice]))
