"""What the links on a task open, in the consoles of AWS."""

from typing import Any

import pytest
from airflow.providers.amazon.aws.links.emr import EmrClusterLink, EmrLogsLink

from orchard_airflow.console_links import EmrStepLogsLink, persist_links, persist_step_link
from orchard_airflow.operators.step import OrchardStepOperator
from tests.support.airflow.emr_operators import context_of

LINKS = (EmrClusterLink(), EmrLogsLink(), EmrStepLogsLink())
CONSOLE = "https://console.aws.amazon.com"


@pytest.fixture
def operator() -> OrchardStepOperator:
    return OrchardStepOperator(
        task_id="featurize",
        job_flow_id="j-1",
        cluster_identity={},
        step_timeout=1,
        max_cluster_hours=1,
        poll_interval=1,
        log_timeout=1,
        aws_conn_id=None,
        region_name="eu-west-3",
    )


def links(operator: Any, cluster: dict[str, Any], step_id: str = "") -> list[str]:
    """Return what the three links open."""
    context = context_of(operator)
    persist_links(operator, context, cluster)
    persist_step_link(operator, context, cluster, step_id)
    return [link.format_link(**context["ti"].xcoms[link.key]) for link in LINKS]


@pytest.mark.parametrize(
    ("log_uri", "logs"),
    [
        ("s3n://lake/a 1/logs/", "lake?region=eu-west-3&prefix=a%201/logs/j-1/"),
        ("s3://lake/", "lake?region=eu-west-3&prefix=j-1/"),
    ],
)
def test_the_cluster_its_logs_and_those_of_the_step(
    operator: OrchardStepOperator, log_uri: str, logs: str
) -> None:
    assert links(operator, {"Id": "j-1", "LogUri": log_uri}, "s-1") == [
        f"{CONSOLE}/emr/home?region=eu-west-3#/clusterDetails/j-1",
        f"{CONSOLE}/s3/buckets/{logs}",
        f"{CONSOLE}/s3/buckets/{logs}steps/s-1/",
    ]


@pytest.mark.parametrize("cluster", [{"Id": "j-1"}, {"Id": "j-1", "LogUri": "file:///lake/logs/"}])
def test_where_no_log_is_in_s3_there_is_no_link_to_it(
    operator: OrchardStepOperator, cluster: dict[str, Any]
) -> None:
    assert links(operator, cluster, "s-1")[1:] == ["", ""]


@pytest.mark.parametrize("url", ["http://127.0.0.1:8998", "http://localhost:8998", "http://emr:8998"])
def test_of_a_local_emr_there_is_no_link_to_a_console(
    operator: OrchardStepOperator, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", url)
    assert links(operator, {"Id": "j-1", "LogUri": "s3://lake/logs/"}, "s-1") == ["", "", ""]


def test_an_endpoint_of_ones_own_in_front_of_aws_is_no_local_emr(
    operator: OrchardStepOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", "https://vpce-1.elasticmapreduce.eu-west-3.vpce.amazonaws.com")
    assert all(links(operator, {"Id": "j-1", "LogUri": "s3://lake/logs/"}, "s-1"))


def test_before_there_is_a_step_there_is_no_link_to_its_logs(operator: OrchardStepOperator) -> None:
    assert links(operator, {"Id": "j-1", "LogUri": "s3://lake/logs/"})[2] == ""


def test_the_links_are_on_the_task(operator: OrchardStepOperator) -> None:
    assert {type(link) for link in operator.operator_extra_links} == {type(link) for link in LINKS}
