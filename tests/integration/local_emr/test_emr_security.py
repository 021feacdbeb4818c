"""Security configurations are stored, listed and found by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.local_emr_client import describe

Run = Callable[..., str]
CONTENT = json.dumps({"InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": 2}})


@pytest.fixture
def create(emr: Any) -> Iterator[Callable[[str], Any]]:
    """Create a security configuration that is deleted after the test."""
    yield lambda name: emr.create_security_configuration(Name=name, SecurityConfiguration=CONTENT)
    for listed in emr.list_security_configurations()["SecurityConfigurations"]:
        emr.delete_security_configuration(Name=listed["Name"])


def code_and_message(refused: Any) -> tuple[str, str]:
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_security_configuration_is_created_described_and_deleted(emr: Any, create: Any) -> None:
    created = create("imds v2")
    described = emr.describe_security_configuration(Name="imds v2")
    assert (described["Name"], described["SecurityConfiguration"]) == ("imds v2", CONTENT)
    assert described["CreationDateTime"] == created["CreationDateTime"]
    emr.delete_security_configuration(Name="imds v2")
    for action in (emr.describe_security_configuration, emr.delete_security_configuration):
        with pytest.raises(ClientError) as refused:
            action(Name="imds v2")
        assert code_and_message(refused) == (
            "InvalidRequestException",
            "Security configuration with name 'imds v2' does not exist.",
        )


def test_security_configurations_are_listed_over_several_pages(emr: Any, create: Any) -> None:
    for number in range(4):
        create(f"number {number}")
    pages = list(emr.get_paginator("list_security_configurations").paginate())
    names = [[listed["Name"] for listed in page["SecurityConfigurations"]] for page in pages]
    assert names == [["number 0", "number 1", "number 2"], ["number 3"]]


def test_a_name_is_given_once(create: Any) -> None:
    create("one")
    with pytest.raises(ClientError) as refused:
        create("one")
    assert code_and_message(refused) == (
        "InvalidRequestException",
        "Security configuration with name 'one' already exists.",
    )


@pytest.mark.parametrize("content", ["", "{", "[]", "7"])
def test_a_security_configuration_is_a_json_object(emr: Any, content: str) -> None:
    with pytest.raises(ClientError, match="it must be a JSON object"):
        emr.create_security_configuration(Name="bad", SecurityConfiguration=content)


def test_a_cluster_names_a_security_configuration(emr: Any, create: Any, run: Run) -> None:
    create("imds v2")
    assert describe(emr, run(SecurityConfiguration="imds v2"))["SecurityConfiguration"] == "imds v2"
