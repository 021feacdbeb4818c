"""Releases and instance types, compared with EMR's responses that moto has recorded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local_emr.errors import ValidationError
from local_emr.validation.instance_types import INSTANCE_TYPES, validate_instance_type
from local_emr.validation.releases import describe_applications, find_spark_version, validate_release


@pytest.fixture
def collected(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An EMR client for moto."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EMR"):
        monkeypatch.delenv(name, raising=False)
    credentials = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    with mock_aws():
        yield boto3.client("emr", region_name="us-east-1", **credentials)


def is_since_5_20(label: str) -> bool:
    *version, patch = label.removeprefix("emr-").removeprefix("spark-").split(".")
    return patch.isdigit() and tuple(map(int, version)) >= (5, 20)


def test_every_release_since_5_20_is_known(collected: Any) -> None:
    told = [label for label in collected.list_release_labels()["ReleaseLabels"] if is_since_5_20(label)]
    assert len(told) > 60
    assert [label for label in told if find_spark_version(label, {}) is None] == []


def test_the_instance_types_are_those_that_emr_lists(collected: Any) -> None:
    told = collected.list_supported_instance_types(ReleaseLabel="emr-7.12.0")["SupportedInstanceTypes"]
    assert {item["Type"] for item in told} == INSTANCE_TYPES


@pytest.mark.parametrize(
    ("label", "version"),
    [("emr-spark-8.1.0", "4.1.1"), ("emr-7.1.0", "3.5.0"), ("emr-6.11.1", "3.3.2"), ("emr-5.36.2", "2.4.8")],
)
def test_the_spark_of_a_release_is_known(label: str, version: str) -> None:
    assert find_spark_version(label, {}) == version


@pytest.mark.parametrize("label", ["emr-7.1.1", "emr-7.99.0", "emr-7.1", "7.1.0", "emr-7.1.0-latest", ""])
def test_a_label_of_no_release_is_refused(label: str) -> None:
    with pytest.raises(ValidationError, match="The supplied release label is invalid"):
        validate_release({"ReleaseLabel": label}, {})


def test_applications_are_told_as_emr_spells_them_and_with_the_versions_that_are_known() -> None:
    names = [{"Name": "hadoop"}, {"Name": "Spark"}, {"Name": "ZOOKEEPER", "Args": ["x"]}]
    assert describe_applications({"ReleaseLabel": "emr-6.0.0", "Applications": names}, {}) == [
        {"Name": "Hadoop", "Version": "3.2.1"},
        {"Name": "Spark", "Version": "2.4.4"},
        {"Name": "ZooKeeper", "Args": ["x"], "Version": None},
    ]


def test_what_emr_has_by_now_can_be_added() -> None:
    validate_release({"ReleaseLabel": "emr-7.99.0"}, {"emr-7.99.0": "3.5.99"})
    asked = {"ReleaseLabel": "emr-7.99.0", "Applications": [{"Name": "SPARK"}]}
    (spark,) = describe_applications(asked, {"emr-7.99.0": "3.5.99"})
    assert spark == {"Name": "Spark", "Version": "3.5.99"}
    validate_instance_type("m99.xlarge", ["m99.xlarge"])
    with pytest.raises(ValidationError, match=r"Instance type 'm99\.xlarge' is not supported\."):
        validate_instance_type("m99.xlarge", [])
