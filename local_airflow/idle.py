"""How long a cluster was paid for and did nothing. Pure: of what EMR says of it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any


def idle_seconds(cluster: Mapping[str, Any], steps: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the seconds in which a cluster was ready and ran no step: what Airflow takes between its tasks.

    Args:
        cluster: DescribeCluster's, of a cluster that has ended.
        steps: ListSteps', in any order; of those that never started nothing is counted.

    Returns:
        None where the cluster never was ready, or has not ended.
    """
    timeline = cluster["Status"]["Timeline"]
    ready, ended = timeline.get("ReadyDateTime"), timeline.get("EndDateTime")
    if ready is None or ended is None:
        return None
    worked = [step["Status"]["Timeline"] for step in steps]
    spans = sorted((each["StartDateTime"], each["EndDateTime"]) for each in worked if "StartDateTime" in each)
    spans = [(ready, ready), *spans, (ended, ended)]
    return float(sum((start - end).total_seconds() for (_, end), (start, _) in pairwise(spans)))
