"""What tells Orchard and what it tells: the queue, the topic, Glue's database. Each only where it is set."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from orchard.settings.settings import Signals
from readiness.finding import Finding, failed, passed, skipped
from readiness.refusals import code_of

NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
NO_TOPIC = ("NotFound", "NotFoundException")
NO_DATABASE = ("EntityNotFoundException",)


def connection_variable(conn_id: str) -> str:
    """Return the variable in which Airflow looks for a connection first."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def find_topic(signals: Signals, environ: Mapping[str, str]) -> str:
    """Return the topic of the connection, where that is in the environment as docs/operations.md has it."""
    conn_id = signals.notify_conn_id
    try:
        found = json.loads(environ.get(connection_variable(conn_id), "") if conn_id else "")
        extra = found.get("extra", {})
        topic = (json.loads(extra) if isinstance(extra, str) else extra).get("topic_arn", "")
    except (ValueError, AttributeError):
        return ""
    return topic if isinstance(topic, str) else ""


def check_topic(sns: Any, signals: Signals, topic: str) -> Iterator[Finding]:
    """The SNS topic that failures are told to."""
    conn_id = signals.notify_conn_id
    if conn_id is None:
        return
    if not topic:
        found = f"{connection_variable(conn_id)} names no topic here; Airflow's store may"
        yield skipped("SNS topic", found, "export it as Airflow has it, as docs/operations.md shows")
        return
    try:
        sns.get_topic_attributes(TopicArn=topic)
    except ClientError as error:
        if code_of(error) not in NO_TOPIC:
            raise
        remedy = f"correct topic_arn in the connection {conn_id}: the stack's output TopicArn has it"
        yield failed("SNS topic", f"there is no {topic}", remedy)
    else:
        yield passed("SNS topic", topic)


def check_queue(sqs: Any, url: str | None) -> Iterator[Finding]:
    """The queue of S3's notifications."""
    if url is None:
        return
    try:
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    except ClientError as error:
        if code_of(error) not in NO_QUEUE:
            raise
        remedy = "correct ORCHARD_QUEUE_URL: the stack's output QueueUrl has it, with ImagesQueue=yes"
        yield failed("SQS queue", f"there is no {url}", remedy)
    else:
        yield passed("SQS queue", url)


def check_database(glue: Any, name: str | None) -> Iterator[Finding]:
    """The database in which runs are registered."""
    if name is None:
        return
    try:
        glue.get_database(Name=name)
    except ClientError as error:
        if code_of(error) not in NO_DATABASE:
            raise
        remedy = "correct ORCHARD_GLUE_DATABASE, or deploy infra/orchard.yaml with GlueDatabase=yes"
        yield failed("Glue database", f"there is no {name}", remedy)
    else:
        yield passed("Glue database", name)
