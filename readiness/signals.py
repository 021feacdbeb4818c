"""The SQS queue, the SNS topic and Glue's database, each if it is configured."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchard.settings.settings import Signals
from readiness.finding import Finding, failed, passed, skipped
from readiness.refusals import ask

NO_QUEUE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
NO_TOPIC = ("NotFound", "NotFoundException")
NO_DATABASE = ("EntityNotFoundException",)


def connection_variable(conn_id: str) -> str:
    """Return the environment variable of an Airflow connection."""
    return f"AIRFLOW_CONN_{conn_id.upper()}"


def find_topic(signals: Signals, environ: Mapping[str, str]) -> str:
    """Return the topic of the connection if it is in the environment, as in docs/how-to/alerts.md; or ''."""
    conn_id = signals.notify_conn_id
    try:
        found = json.loads(environ.get(connection_variable(conn_id), "") if conn_id else "")
        extra = found.get("extra", {})
        topic = (json.loads(extra) if isinstance(extra, str) else extra).get("topic_arn", "")
    except (ValueError, AttributeError):
        return ""
    return topic if isinstance(topic, str) else ""


def check_topic(sns: Any, signals: Signals, topic: str) -> Iterator[Finding]:
    """Check the SNS topic for alerts."""
    conn_id = signals.notify_conn_id
    if conn_id is None:
        return
    if not topic:
        unknown = f"{connection_variable(conn_id)} names no topic; the connection may be stored in Airflow"
        yield skipped("SNS topic", unknown, "export the variable, as in docs/how-to/alerts.md")
        return
    found = ask(lambda: sns.get_topic_attributes(TopicArn=topic), NO_TOPIC)
    remedy = f"correct topic_arn in the connection {conn_id}: the stack's output TopicArn has it"
    yield _check_exists("SNS topic", topic, found, remedy)


def check_queue(sqs: Any, url: str | None) -> Iterator[Finding]:
    """Check the queue of S3's event notifications."""
    if url is None:
        return
    found = ask(lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]), NO_QUEUE)
    remedy = "correct ORCHARD_QUEUE_URL: the stack's output QueueUrl has it, with ImagesQueue=yes"
    yield _check_exists("SQS queue", url, found, remedy)


def check_database(glue: Any, name: str | None) -> Iterator[Finding]:
    """Check the database in which runs are registered."""
    if name is None:
        return
    found = ask(lambda: glue.get_database(Name=name), NO_DATABASE)
    remedy = "correct ORCHARD_GLUE_DATABASE, or deploy infra/orchard.yaml with GlueDatabase=yes"
    yield _check_exists("Glue database", name, found, remedy)


def _check_exists(check: str, name: str, found: object, remedy: str) -> Finding:
    return failed(check, f"there is no {name}", remedy) if found is None else passed(check, name)
