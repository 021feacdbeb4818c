"""Whether a cluster is the run's: its id is an XCom, which others than ``create_cluster`` may write."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from orchard_airflow.emr_api import describe, tags_of
from orchard_airflow.emr_retries import is_lasting

SHOWN = 300
"""Characters of an id that is none, and of what EMR says to it."""


class ForeignClusterError(Exception):
    """A cluster that is not the run's: it has another name, or lacks one of its tags; or it is none."""


def describe_own(client: Any, cluster_id: str, identity: Mapping[str, str]) -> dict[str, Any]:
    """Return DescribeCluster's cluster, once it is known to be that of a run.

    Args:
        identity: ``Name`` of the run's cluster, and those of its tags that no other run's has.

    Raises:
        ForeignClusterError: where it is another, or EMR will never tell: there is no such cluster, or we may
            not ask for it, as on AWS for any without this lake's tag.
    """
    try:
        cluster = describe(client, cluster_id)
    except (ClientError, ParamValidationError) as error:
        if not is_lasting(error):
            raise
        reason = " ".join(str(error).split())[:SHOWN]
        raise _foreign(f"{cluster_id[:SHOWN]!r}", f", as far as EMR tells: {reason}") from None
    known = {**tags_of(cluster), "Name": cluster["Name"]}
    found = {key: known.get(key) for key in identity}
    if found != dict(identity):
        raise _foreign(cluster_id, f": it has {found}, where this run's has {dict(identity)}")
    return cluster


def _foreign(cluster_id: str, why: str) -> ForeignClusterError:
    return ForeignClusterError(
        f"Cluster {cluster_id} is not this run's{why}. "
        "Its id is an XCom of create_cluster, which somebody may have changed: clear create_cluster"
    )
