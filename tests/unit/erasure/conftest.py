"""Three nights in every kind of lake."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from erasure.holdings import S3Holdings
from orchard.lake.layout import Lake
from orchard.lake.storage_s3 import S3Storage
from tests.support.airflow.erasable_lake import Place, folder_place


@pytest.fixture(scope="module")
def client() -> Any:
    """Making one takes longer than a test."""
    return boto3.client("s3")


@pytest.fixture(params=["files", "S3", "S3 without versions"])
def place(request: pytest.FixtureRequest, tmp_path: Path, client: Any) -> Iterator[Place]:
    if request.param == "files":
        yield folder_place(tmp_path)
        return
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        if request.param == "S3":
            client.put_bucket_versioning(Bucket="orchard", VersioningConfiguration={"Status": "Enabled"})
        lake = Lake("s3://orchard/a-lake")
        yield Place(lake, f"{lake.uri}/images", S3Storage(client), S3Holdings(client))


@pytest.fixture
def nights(place: Place) -> Place:
    """Three runs: the second computed b, which was changed since; of the first, a is needed."""
    place.write_run("r1", {"a": "r1", "e": "r1"})
    place.write_run("r2", {"a": "r1", "b": "r2", "e": "r1"})
    place.write_run("r3", {"a": "r1", "b": "r3"})
    place.storage.write(f"{place.images}/a", b"an image")
    return place
