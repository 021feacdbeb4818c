"""Check that a cluster belongs to the run: its id is an XCom, which not only ``create_cluster`` can write."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from orchard_airflow.emr_api import describe, tags_of
from orchard_airflow.emr_retries import is_lasting

SHOWN = 300
"""Maximum characters of an invalid id, and of EMR's error."""


class ForeignClusterError(Exception):
    """A cluster that is not the run's: it has another name, lacks one of its tags, or does not exist."""


def describe_own(client: Any, cluster_id: str, identity: Mapping[str, str]) -> dict[str, Any]:
    """Return DescribeCluster's cluster, after checking that it is the run's.

    Args:
        identity: ``Name`` of the run's cluster, and its tags that identify the run.

    Raises:
        ForeignClusterError: if it is not; or it does not exist, or we may not describe it, as on AWS any
            cluster without this lake's tag.
    """
    try:
        cluster = describe(client, cluster_id)
    except (ClientError, ParamValidationError) as error:
        if not is_lasting(error):
            raise
        reason = " ".join(str(error).split())[:SHOWN]
        raise _foreign(f"{cluster_id[:SHOWN]!r}", f", according to EMR: {reason}") from None
    known = {**tags_of(cluster), "Name": cluster["Name"]}
    found = {key: known.get(key) for key in identity}
    if found != dict(identity):
        raise _foreign(cluster_id, f": it has {found}, but this run's has {dict(identity)}")
    return cluster


def _foreign(cluster_id: str, why: str) -> ForeignClusterError:
    return ForeignClusterError(
        f"Cluster {cluster_id} is not this run's{why}. "
        "Its id is an XCom of create_cluster, which may have been changed: clear create_cluster"
    )
