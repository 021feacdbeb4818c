"""Data that is to stay in a region does, or nothing is listed."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowFailException
from botocore.exceptions import ClientError
from moto import mock_aws

from orchard.sensing.regions import check_regions, find_bucket_region
from orchard.sensing.sense import sense
from orchard.settings.aws import Access
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard.workflow.tasks import RunTasks
from orchard.workflow.trigger_form import params
from orchard_jobs.errors import OrchardError

PARIS = Access(region="eu-west-3")


@pytest.fixture(autouse=True)
def buckets() -> Iterator[None]:
    with mock_aws():
        client = boto3.client("s3", "us-east-1")
        client.create_bucket(Bucket="virginia")
        paris = {"LocationConstraint": "eu-west-3"}
        client.create_bucket(Bucket="paris", CreateBucketConfiguration=paris)
        yield


def test_buckets_of_the_region_pass_and_folders_have_none() -> None:
    check_regions(PARIS, "s3://paris/lake", "s3://paris/images", "file:///tmp")


def test_without_a_region_in_the_settings_nothing_is_asked() -> None:
    check_regions(Access(), "s3://virginia", "s3://nowhere")


def test_a_bucket_of_another_region_is_one_clear_error() -> None:
    with pytest.raises(
        OrchardError, match=r"^s3://virginia is in us-east-1: .*=eu-west-3\. Correct ORCHARD_"
    ):
        check_regions(PARIS, "s3://paris/lake", "s3://virginia/images")


def test_a_bucket_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(OrchardError, match=r"^no bucket s3://nowhere"):
        check_regions(PARIS, "s3://nowhere/lake")


@pytest.mark.parametrize("place", ["lake", "images"])
def test_the_first_task_refuses_before_anything_is_listed(
    place: str, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"lake": "s3://paris/lake", "images": "s3://paris/images", place: "s3://virginia/a"}
    settings = Settings.from_env(
        {
            **environ,
            "ORCHARD_REGION": "eu-west-3",
            "ORCHARD_LAKE": given["lake"],
            "ORCHARD_IMAGES": given["images"],
        }
    )
    monkeypatch.setattr("orchard.sensing.sense.list_images", lambda *_: pytest.fail("it has listed"))
    chosen = {name: param.value for name, param in params(settings).items()}
    with pytest.raises(OrchardError, match="s3://virginia is in us-east-1"):
        sense("r", RunParams.parse(chosen, settings), settings, by_hand=True)


def test_the_first_task_refuses_a_network_in_which_no_node_starts(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_env({**environ, "ORCHARD_LAKE": "s3://paris/lake"})
    monkeypatch.setattr("orchard.workflow.tasks.storage_for", lambda *_: pytest.fail("it has read the lake"))
    tasks = RunTasks("d", "r", {}, None, settings)
    with pytest.raises(AirflowFailException, match="ORCHARD_SUBNETS= with ORCHARD_SERVICE_ROLE="):
        tasks.sense()


class Refusing:
    """A client of S3 that may not ask; moto checks no permission."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

    def head_bucket(self, **_: Any) -> Any:
        answer = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPHeaders": self.headers}}
        raise ClientError(answer, "HeadBucket")  # type: ignore[arg-type]


def test_s3_names_the_region_even_where_it_denies_the_rest() -> None:
    assert find_bucket_region(Refusing({"x-amz-bucket-region": "eu-west-3"}), "somebodys") == "eu-west-3"


def test_where_the_region_is_not_told_the_log_says_so_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("orchard.sensing.regions.s3_hook", lambda _: SimpleNamespace(conn=Refusing({})))
    check_regions(PARIS, "s3://somebodys/images")
    assert (
        "Cannot determine the region of s3://somebodys: ORCHARD_REGION=eu-west-3 is not checked"
        in caplog.text
    )
