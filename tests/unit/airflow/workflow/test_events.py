"""What starts the DAG beside the clock, and what other DAGs start on."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.simple import AssetTriggeredTimetable

from orchard.settings.settings import Settings
from orchard.workflow.schedule import results, schedule
from orchard_features import build_dag

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
QUEUE_URL = "https://sqs.eu-west-3.amazonaws.com/111122223333/images"


@pytest.mark.parametrize(
    ("lake", "uri"),
    [
        ("s3://lake", "s3://lake/latest.json"),
        ("s3://lake/a b", "s3://lake/a%20b/latest.json"),
        ("file:///data/lake", "file:///data/lake/latest.json"),
        ("file:///data/lake #1", "file:///data/lake%20%231/latest.json"),
        ("file:///data/é%20&=+@", "file:///data/%C3%A9%2520%26%3D%2B%40/latest.json"),
    ],
)
def test_the_asset_of_a_lake_is_named_as_airflow_keeps_it(lake: str, uri: str) -> None:
    asset = results(lake)
    assert (asset.name, asset.uri) == (uri, uri)


def test_without_a_queue_the_clock_alone_starts_runs() -> None:
    assert isinstance(schedule(Settings.from_env(LEAST)), CronTriggerTimetable)


def test_with_a_queue_the_clock_starts_runs_too_and_the_scheduler_can_read_that() -> None:
    dag = build_dag(
        Settings.from_env({**LEAST, "ORCHARD_QUEUE_URL": QUEUE_URL, "ORCHARD_REGION": "eu-west-3"})
    )
    stored = json.loads(json.dumps(DagSerialization.serialize_dag(dag), default=str))
    timetable = DagSerialization.deserialize_dag(stored).timetable
    assert isinstance(timetable, AssetTriggeredTimetable)
    assert "0 2 * * *" in timetable.summary
    assert [asset.uri for _, asset in timetable.asset_condition.iter_assets()] == [QUEUE_URL]
    (watcher,) = stored["timetable"]["__var"]["asset_condition"]["objects"][0]["watchers"]
    assert watcher["name"] == "messages"
    assert watcher["trigger"]["classpath"] == "airflow.providers.amazon.aws.triggers.sqs.SqsSensorTrigger"


# --- the queue


@pytest.fixture
def aws(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for service in ("S3", "SQS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", moto_url)
    yield
    with urlopen(Request(f"{moto_url}/moto-api/reset", method="POST")):
        pass


@pytest.fixture
def queue(aws: None) -> str:
    return str(boto3.client("sqs").create_queue(QueueName="images")["QueueUrl"])


@pytest.fixture
def trigger(queue: str) -> Any:
    """The trigger as the DAG has it."""
    timetable = schedule(Settings.from_env({**LEAST, "ORCHARD_QUEUE_URL": queue}))
    assert isinstance(timetable, AssetOrTimeSchedule)
    (asset,) = timetable.asset_condition.objects
    return asset.watchers[0].trigger


def first_event(trigger: Any) -> list[str]:
    """Return the bodies of the messages in the trigger's first event."""

    async def first() -> Any:
        return await anext(trigger.run())

    return [message["Body"] for message in asyncio.run(first()).payload["message_batch"]]


def messages_left(queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    counts = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(map(int, counts.values()))


def test_new_images_and_whatever_else_is_in_the_queue_become_one_event(queue: str, trigger: Any) -> None:
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    s3.create_bucket(Bucket="images")
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(  # sends an s3:TestEvent
        Bucket="images",
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]
        },
    )
    for number in range(12):
        s3.put_object(Bucket="images", Key=f"apple/{number}.jpg", Body=b"an image")
    for junk in ("no JSON {", "[]", "é"):
        sqs.send_message(QueueUrl=queue, MessageBody=junk)
    bodies = first_event(trigger)
    assert len(bodies) == 16
    assert sum('"eventName": "ObjectCreated:Put"' in body for body in bodies) == 12
    assert sum('"s3:TestEvent"' in body for body in bodies) == 1
    assert messages_left(queue) == 0


def test_a_burst_is_taken_a_hundred_at_a_time_and_only_what_was_read_is_deleted(
    queue: str, trigger: Any
) -> None:
    sqs = boto3.client("sqs")
    for _ in range(13):
        entries = [{"Id": str(number), "MessageBody": "image"} for number in range(10)]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert len(first_event(trigger)) == 100
    assert messages_left(queue) == 30


def test_the_trigger_survives_its_serialization(trigger: Any) -> None:
    _, arguments = trigger.serialize()
    assert type(trigger)(**json.loads(json.dumps(arguments))).serialize() == trigger.serialize()
