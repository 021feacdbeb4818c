"""Every cluster of a run is ended, whatever EMR answers, against the local EMR."""

from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError

from orchard.emr.job_flow import cluster_name, run_job_flow, run_tags
from orchard.settings.settings import Settings
from orchard_airflow import emr_api, own_cluster
from orchard_airflow.operators import terminate_cluster
from orchard_airflow.operators.terminate_cluster import OrchardTerminateClusterOperator
from tests.support.airflow.emr_operators import context_of, live, refusal

pytestmark = pytest.mark.usefixtures("emr")


def terminate(tags: dict[str, str], job_flow_id: str = "") -> OrchardTerminateClusterOperator:
    return OrchardTerminateClusterOperator(
        task_id="terminate_cluster",
        job_flow_id=job_flow_id,
        cluster_identity={"Name": cluster_name(tags), **tags},
        terminate_timeout=30,
        poll_interval=0.2,
        aws_conn_id=None,
    )


def test_the_cluster_is_found_by_its_tags_without_any_xcom(
    cluster_id: str, tags: dict[str, str], client: Any
) -> None:
    operator = terminate(tags)
    operator.execute(context_of(operator))
    assert client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "TERMINATED"


def test_a_cluster_that_lost_its_tags_is_found_by_the_xcom(
    cluster_id: str, tags: dict[str, str], client: Any
) -> None:
    client.remove_tags(ResourceId=cluster_id, TagKeys=["orchard:run"])
    operator = terminate(tags, cluster_id)
    operator.execute(context_of(operator))
    assert client.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"] == "TERMINATED"


@pytest.mark.parametrize("foreign", [{"Name": "somebody else's", "Tags": []}, "of another run"])
def test_a_cluster_that_is_not_the_runs_is_left_alone_whatever_the_xcom_says(
    cluster_id: str, request_of_cluster: Any, tags: Any, settings: Settings, client: Any, foreign: Any
) -> None:
    if foreign == "of another run":
        foreign = run_job_flow(run_tags("orchard_features", "another", settings), 1, settings)
    other = client.run_job_flow(**{**request_of_cluster, **foreign, "BootstrapActions": []})["JobFlowId"]
    operator = terminate(tags, other)
    with pytest.raises(AirflowFailException, match=f"Cluster {other} is not this run's: it has {{'Name': "):
        operator.execute(context_of(operator))
    assert live(client) == [other]  # and the run's own has ended


@pytest.mark.parametrize("garbage", ["j-NONE", "{'a': 1}", "../x\n", "x" * 5000])
def test_an_id_that_is_none_keeps_no_cluster_of_the_run_alive(
    cluster_id: str, tags: dict[str, str], client: Any, garbage: str
) -> None:
    operator = terminate(tags, garbage)
    with pytest.raises(AirflowFailException, match=r"is not this run's, according to EMR: .* XCom") as error:
        operator.execute(context_of(operator))
    assert live(client) == []
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 1000


def test_a_foreign_cluster_that_may_not_be_described_keeps_no_cluster_of_the_run_alive(
    cluster_id: str, request_of_cluster: Any, tags: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On AWS the role of Airflow sees this lake's clusters alone."""
    foreign = {**request_of_cluster, "Name": "somebody else's", "Tags": []}
    other = client.run_job_flow(**foreign)["JobFlowId"]
    describe = own_cluster.describe

    def refuse(client: Any, described: str) -> Any:
        if described == other:
            raise refusal("AccessDeniedException")
        return describe(client, described)

    monkeypatch.setattr(own_cluster, "describe", refuse)
    operator = terminate(tags, other)
    with pytest.raises(AirflowFailException, match=f"Cluster '{other}' is not this run's, according to EMR"):
        operator.execute(context_of(operator))
    assert live(client) == [other]


def test_every_cluster_of_the_run_is_ended(
    cluster_id: str, request_of_cluster: Any, tags: Any, client: Any
) -> None:
    client.run_job_flow(**request_of_cluster)
    operator = terminate(tags)
    operator.execute(context_of(operator))
    assert live(client) == []


def test_ending_a_cluster_that_failed_is_a_success(
    cluster_id: str, tags: dict[str, str], client: Any
) -> None:
    for _ in range(2):
        operator = terminate(tags, cluster_id)
        operator.execute(context_of(operator))


def test_a_foreign_cluster_that_may_not_be_described_disturbs_nothing(
    create: Callable[..., Any], client: Any, request_of_cluster: Any, tags: Any, monkeypatch: Any
) -> None:
    client.run_job_flow(**{**request_of_cluster, "Name": "somebody else's", "Tags": []})
    (foreign,) = live(client)
    described = []
    describe = emr_api.describe

    def note(client: Any, cluster_id: str) -> Any:
        described.append(cluster_id)
        return describe(client, cluster_id)

    monkeypatch.setattr(emr_api, "describe", note)
    operator = create()
    own = operator.execute(context_of(operator))
    ending = terminate(tags)
    ending.execute(context_of(ending))
    assert live(client) == [foreign]
    assert set(described) == {own}


def test_the_known_cluster_is_ended_though_the_search_is_refused(
    cluster_id: str, tags: dict[str, str], client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Any:
        raise refusal("AccessDeniedException")

    monkeypatch.setattr(terminate_cluster, "find_clusters", refuse)
    operator = terminate(tags, cluster_id)
    with pytest.raises(ClientError, match="AccessDenied"):
        operator.execute(context_of(operator))
    assert live(client) == []
