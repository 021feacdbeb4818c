"""Reconcile a run's counts: every listed image and every CSV row is accounted for. Pure."""

from collections.abc import Mapping
from typing import Any

from orchard.lake.run_record import RunCounts
from orchard.lake.sensed import Sensed
from orchard.publishing.run_metrics import RunMetrics
from orchard_jobs.errors import OrchardError


def reconcile(sensed: Sensed, metrics: RunMetrics) -> RunCounts:
    """Return the counts of a run, reconciled.

    Raises:
        OrchardError: unless listed = featurized + rejected + known, and the CSV has exactly the rows of
            earlier runs that stay and those of this run.
    """
    counts: RunCounts = {
        "listed": sensed["listed"],
        "featurized": metrics.featurized,
        "rejected": sum(metrics.rejected.values()),
        "known": sensed["known"],
        "deleted": sensed["deleted"],
    }
    if counts["listed"] != counts["featurized"] + counts["rejected"] + counts["known"]:
        raise _reconciliation_error(counts, "listed = featurized + rejected + known")
    rows = {
        "exported": metrics.export.rows,
        "reduced": metrics.reduce.rows,
        "counted": metrics.reduce.counted_rows,
        "kept+featurized": sensed["kept"] + metrics.featurized,
    }
    if len(set(rows.values())) != 1:
        raise _reconciliation_error(rows, "exported = reduced = counted = kept + featurized")
    return counts


def _reconciliation_error(counts: Mapping[str, Any], rule: str) -> OrchardError:
    return OrchardError(
        " ".join(f"{name}={count}" for name, count in counts.items()),
        rule=rule,
        remedy="clear this run's task 'sense' to list and compute again; nothing has been published",
    )
