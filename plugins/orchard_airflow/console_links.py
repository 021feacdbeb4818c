"""Task links to a cluster and a step in the EMR and S3 consoles; none for a local EMR."""

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.links.base_aws import BASE_AWS_CONSOLE_LINK, BaseAwsLink
from airflow.providers.amazon.aws.links.emr import EmrClusterLink, EmrLogsLink

from orchard_airflow.emr_api import is_local

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
    from airflow.sdk import Context


class EmrStepLogsLink(BaseAwsLink):
    """The folder of a step's logs in the S3 console; empty if the logs are not in S3."""

    name = "EMR Step Logs"
    key = "emr_step_logs"
    format_str = BASE_AWS_CONSOLE_LINK + "/s3/buckets/{bucket}?region={region_name}&prefix={folder}/"

    def format_link(self, **kwargs: Any) -> str:
        return str(super().format_link(**kwargs)) if kwargs.get("bucket") else ""


def persist_links(operator: "AwsBaseOperator[EmrHook]", context: "Context", cluster: dict[str, Any]) -> None:
    """Show the links to the cluster and its logs. ``cluster`` is DescribeCluster's."""
    where = _console(operator)
    # The provider's link is empty without an id.
    shown = {} if is_local(operator.hook.conn) else {"job_flow_id": cluster["Id"]}
    EmrClusterLink.persist(context=context, operator=operator, **where, **shown)
    # Stored even if there is nothing to show, or Airflow logs an error for each missing link. The provider
    # appends the cluster to the bucket, but the S3 console's prefix is everything after the bucket.
    bucket, folder = _logs_of(operator, cluster)
    EmrLogsLink.persist(context=context, operator=operator, **where, job_flow_id=folder, log_uri=bucket)


def persist_step_link(
    operator: "AwsBaseOperator[EmrHook]", context: "Context", cluster: dict[str, Any], step_id: str = ""
) -> None:
    """Show the link to a step's logs; without a step, store an empty link."""
    bucket, folder = _logs_of(operator, cluster)
    EmrStepLogsLink.persist(
        context=context,
        operator=operator,
        **_console(operator),
        bucket=bucket if step_id else "",
        folder=f"{folder}/steps/{step_id}",
    )


def _console(operator: "AwsBaseOperator[EmrHook]") -> dict[str, Any]:
    return {"region_name": operator.hook.conn_region_name, "aws_partition": operator.hook.conn_partition}


def _logs_of(operator: "AwsBaseOperator[EmrHook]", cluster: dict[str, Any]) -> tuple[str, str]:
    """Return the bucket ('' if no console shows it) and the URL-quoted folder of a cluster's logs."""
    scheme, _, path = cluster.get("LogUri", "").partition("://")
    bucket, _, prefix = path.partition("/")
    folder = "/".join(part for part in (prefix.rstrip("/"), cluster["Id"]) if part)
    is_shown = scheme.startswith("s3") and not is_local(operator.hook.conn)
    return bucket if is_shown else "", quote(folder)
