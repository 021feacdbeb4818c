"""People are told of what failed; what cannot be told changes nothing else."""

import html
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.log import mask_secret
from moto.server import ThreadedMotoServer

from orchard.settings.settings import Settings
from orchard.workflow.alerts import warn_ended_clusters, warn_rejected_images
from orchard_airflow.notifier import OrchardNotifier, describe_failure
from orchard_features import build_dag
from orchard_sweeper import build_sweeper
from tests.support.airflow.notification_servers import mail_server, webhook

URL = "http://airflow.example/dags/d/runs/r/tasks/reduce?try_number=3"
TI = SimpleNamespace(dag_id="d", run_id="manual__1", task_id="reduce", try_number=3, log_url=URL)
SUBJECT = "Orchard: reduce of d failed"
TEXT = f"""DAG: d
Run: manual__1
Task: reduce, try 3
Log: {URL}
What to do: fix the cause (the DAG's documentation describes each task), then clear the task with its \
downstream tasks.
Reason: <the disk> is full"""


def connect(monkeypatch: pytest.MonkeyPatch, **connection: Any) -> OrchardNotifier:
    monkeypatch.setenv("AIRFLOW_CONN_TELL", json.dumps(connection))
    return OrchardNotifier("tell")


def fail(notifier: OrchardNotifier, error: Any = RuntimeError("<the disk> is full")) -> None:  # noqa: B008
    notifier({"ti": TI, "exception": error})


# --- the three ways


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Any]]:
    """The ARN of an SNS topic, and a function that takes the next message from a queue behind it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    for service in ("SNS", "SQS"):
        url = "http://{}:{}".format(*server.get_host_and_port())
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
    # Another region than the default one: the topic's counts.
    sns, sqs = boto3.client("sns", "eu-west-3"), boto3.client("sqs", "eu-west-3")
    arn = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="people")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])

    def take() -> Any:
        (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        return json.loads(message["Body"])

    yield arn, take
    server.stop()


def test_an_aws_connection_publishes_to_its_topic_in_the_topics_region(
    topic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn, take = topic
    fail(connect(monkeypatch, conn_type="aws", extra={"topic_arn": arn}))
    message = take()
    assert (message["TopicArn"], message["Subject"], message["Message"]) == (arn, SUBJECT, TEXT)


def test_a_subject_that_sns_would_refuse_is_made_plain(topic: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    arn, take = topic
    connect(monkeypatch, conn_type="aws", extra={"topic_arn": arn}).send("é\n" + "x" * 200, "text é")
    message = take()
    assert (message["Subject"], message["Message"]) == ("? " + "x" * 98, "text é")


@pytest.mark.parametrize("to", [["a@example.org", "b@example.org"], "a@example.org, b@example.org"])
def test_an_smtp_connection_mails_to_its_recipients(to: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as (port, received):
        extra = {"to": to, "from_email": "o@example.org", "disable_ssl": True, "disable_tls": True}
        fail(connect(monkeypatch, conn_type="smtp", host="127.0.0.1", port=port, extra=extra))
    ((recipients, mail),) = received
    assert recipients == ["a@example.org", "b@example.org"]
    assert (mail["Subject"], mail["From"]) == (SUBJECT, "o@example.org")
    (body,) = mail.get_payload()
    assert body.get_payload(decode=True).decode() == f"<pre>{html.escape(TEXT)}</pre>"


def test_an_http_connection_posts_to_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (url, received):
        fail(connect(monkeypatch, conn_type="http", host=f"{url}/services/T/B/key"))
    # As Slack asks for it: what an image is called makes no link, and calls nobody.
    assert received == [{"text": f"{SUBJECT}\n{TEXT}".replace("<the disk>", "&lt;the disk&gt;")}]


# --- what is said


def test_a_long_reason_is_cut_and_an_unknown_one_is_admitted() -> None:
    long = describe_failure({"ti": TI, "exception": RuntimeError("first line\n" + "x" * 5000)})[1]  # type: ignore[typeddict-item]
    assert long.endswith("Reason: first line\n" + "x" * 989)
    assert describe_failure({"ti": TI})[1].endswith("Reason: unknown: the task's process was killed")  # type: ignore[typeddict-item]


def test_a_secret_that_airflow_knows_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    mask_secret("hunter2hunter2")
    with webhook() as (url, received):
        fail(connect(monkeypatch, conn_type="http", host=url), RuntimeError("no login with hunter2hunter2"))
    assert received[0]["text"].endswith("Reason: no login with ***")


# --- what cannot be told


@pytest.mark.parametrize(
    ("connection", "why"),
    [
        ({"conn_type": "slack"}, "its type is slack: it must be aws (SNS), smtp or http (a webhook)"),
        ({"conn_type": "aws"}, 'its extra has no topic_arn. Add one, such as {"topic_arn": "arn:aws:sns:'),
        ({"conn_type": "smtp", "host": "127.0.0.1"}, "its extra has no to. Add one"),
        ({"conn_type": "aws", "extra": {"topic_arn": "alerts"}}, "EndpointConnectionError"),
        ({"conn_type": "http", "host": "http://127.0.0.1:9/services/T0PSECRET"}, "ConnectionError"),
        ({"conn_type": "smtp", "host": "127.0.0.1", "port": 9, "extra": {"to": "a@b.org"}}, "refused"),
    ],
)
def test_what_cannot_be_told_is_a_line_in_the_log(
    connection: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:9")
    fail(connect(monkeypatch, **connection))
    (said,) = [line for line in capfd.readouterr().out.splitlines() if "Could not send" in line]
    assert f"Could not send '{SUBJECT}' through connection 'tell': " in said
    assert why in said
    assert "T0PSECRET" not in said


def test_a_connection_that_does_not_exist_is_a_line_in_the_log(capfd: Any, airflow_db: None) -> None:
    fail(OrchardNotifier("nowhere"))
    assert "through connection 'nowhere': AirflowNotFoundException" in capfd.readouterr().out


def test_a_webhook_that_refuses_is_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    with webhook(status=500) as (url, received):
        fail(connect(monkeypatch, conn_type="http", host=url))
    assert len(received) == 1
    assert (
        "through connection 'tell': ValueError: the server answered 500 Internal Server Error"
        in capfd.readouterr().out
    )


# --- who is told


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]) -> Iterator[list[Any]]:
    """What has been posted; the settings name the connection."""
    with webhook() as (url, received):
        connect(monkeypatch, conn_type="http", host=url)
        environ["ORCHARD_NOTIFY_CONN_ID"] = "tell"
        yield received


def test_a_failed_task_of_a_run_is_told_with_its_reason(
    told: list[Any], settings: Settings, airflow_db: None
) -> None:
    dag_run = build_dag(settings).test()
    (text,) = [message["text"] for message in told]
    assert text.startswith("Orchard: sense of orchard_features failed\nDAG: orchard_features\n")
    assert f"Run: {dag_run.run_id}\nTask: sense, try 1\nLog: http" in text
    assert f"Reason: no model artefact at {settings.places.model}: " in text


def test_a_run_fails_as_it_would_where_nobody_can_be_told(
    environ: dict[str, str],
    airflow_db: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    connect(monkeypatch, conn_type="http", host="http://127.0.0.1:9/services/T0PSECRET")
    environ["ORCHARD_NOTIFY_CONN_ID"] = "tell"
    dag_run = build_dag(Settings.from_env(environ)).test()
    assert str(dag_run.get_task_instance("sense").state) == "failed"
    said = capfd.readouterr().out
    assert "no model artefact at" in said
    assert said.count("Could not send") == 1
    assert "T0PSECRET" not in said


def test_every_task_tells_of_its_failure_and_none_does_without_a_connection(
    settings: Settings, environ: dict[str, str]
) -> None:
    def callbacks(settings: Settings) -> list[Any]:
        tasks = [*build_dag(settings).tasks, *build_sweeper(settings).tasks]
        return [task.on_failure_callback for task in tasks]

    assert not any(callbacks(settings))
    telling = callbacks(Settings.from_env({**environ, "ORCHARD_NOTIFY_CONN_ID": "tell"}))
    assert {notifier.conn_id for (notifier,) in telling} == {"tell"}


SUMMARY = {
    "run_id": "manual__1",
    "counts": {"listed": 1000, "featurized": 980, "rejected": 20, "known": 0},
    "rejected": {"corrupt": 19, "empty": 1},
    "csv": "s3://lake/runs/r/csv/features.csv",
}


def test_a_published_run_that_rejected_many_images_is_told(told: list[Any], environ: dict[str, str]) -> None:
    warn_rejected_images(Settings.from_env(environ), SUMMARY)
    assert told == [
        {
            "text": "Orchard: 20 images were rejected\nRun: manual__1\n"
            "The run is published, but 20 of 1000 new images (2.0%) were rejected: 19 corrupt, 1 empty. "
            "The threshold is 1.0% (ORCHARD_WARNING_RATIO).\n"
            "Rejected images and reasons: s3://lake/runs/r/csv/rejects.csv"
        }
    ]


def test_as_many_as_the_ratio_are_not_told(told: list[Any], environ: dict[str, str]) -> None:
    environ["ORCHARD_WARNING_RATIO"] = "0.02"
    warn_rejected_images(Settings.from_env(environ), SUMMARY)
    assert told == []


def test_clusters_that_were_left_behind_are_told(told: list[Any], environ: dict[str, str]) -> None:
    warn_ended_clusters(Settings.from_env(environ), {})
    assert told == []
    warn_ended_clusters(Settings.from_env(environ), {"j-1": "it is 12.1 h old, the limit is 12 h"})
    assert [message["text"].splitlines()[:2] for message in told] == [
        ["Orchard: terminated leftover clusters: 1", "j-1: it is 12.1 h old, the limit is 12 h"]
    ]
