"""What the three EMR operators share: links to the cluster, and a wait with or without a worker."""

import asyncio
import time
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.amazon.aws.hooks.emr import EmrHook
from airflow.providers.amazon.aws.links.emr import EmrClusterLink, EmrLogsLink

from orchard_emr_triggers import EmrStateTrigger

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
    from airflow.sdk import Context

GRACE = 300
"""Seconds after its own deadline at which Airflow gives a trigger up that does not answer."""

PATIENT: dict[str, Any] = {"retries": {"mode": "adaptive", "max_attempts": 10}}
"""botocore's configuration for all others: it slows down when EMR throttles."""


def persist_links(operator: "AwsBaseOperator[EmrHook]", context: "Context", cluster: dict[str, Any]) -> None:
    """Show the links to the cluster and its logs. ``cluster`` is DescribeCluster's."""
    hook = operator.hook
    where = {"region_name": hook.conn_region_name, "aws_partition": hook.conn_partition}
    EmrClusterLink.persist(context=context, operator=operator, **where, job_flow_id=cluster["Id"])
    # Stored even where there is nothing to show, or Airflow logs an error for each missing link.
    scheme, _, bucket_and_prefix = cluster.get("LogUri", "").partition("://")
    EmrLogsLink.persist(
        context=context,
        operator=operator,
        **where,
        job_flow_id=cluster["Id"],
        log_uri=bucket_and_prefix.rstrip("/") if scheme.startswith("s3") else "",
    )


def wait_for(
    operator: "AwsBaseOperator[EmrHook]",
    context: "Context",
    trigger: EmrStateTrigger,
    resume: str,
) -> Any:
    """Defer to ``trigger``, or run it here if the operator is not deferrable; then call ``resume``."""
    if operator.deferrable:  # type: ignore[attr-defined]
        _defer(operator, trigger, resume)
    event = asyncio.run(_first_event(trigger))
    return getattr(operator, resume)(context, event)


def deadline_in(seconds: float) -> float:
    """Return the time in that many seconds, in seconds since the epoch."""
    return time.time() + seconds


def _defer(operator: "AwsBaseOperator[EmrHook]", trigger: EmrStateTrigger, resume: str) -> NoReturn:
    left = max(0.0, trigger.deadline - time.time())
    operator.defer(trigger=trigger, method_name=resume, timeout=left + GRACE)


async def _first_event(trigger: EmrStateTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    raise RuntimeError(f"{trigger!r} ended without an event")
