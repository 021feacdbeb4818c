"""The template, deployed on moto: with nothing given, and with everything."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# Airflow reads this when it is first imported.
HOME = os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="orchard-airflow-")

import boto3
import pytest
from moto import mock_aws

from orchard.settings import Settings
from tests.infra.stack import GIVEN, REGION, Stack, deploy


@contextmanager
def account() -> Iterator[None]:
    """An account in which nothing is, but the role that Airflow runs as."""
    with mock_aws():
        boto3.client("iam", REGION).create_role(RoleName="airflow", AssumeRolePolicyDocument="{}")
        yield


@pytest.fixture(scope="session", autouse=True)
def _remove_home() -> Iterator[None]:
    yield
    shutil.rmtree(HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def plain() -> Stack:
    """The stack as it is with no parameter given."""
    with account():
        return deploy()


@pytest.fixture(scope="session")
def given() -> Stack:
    """The stack with every optional thing, in a VPC that was there."""
    with account():
        return deploy(**GIVEN)


@pytest.fixture
def settings(plain: Stack) -> Settings:
    """Orchard's settings as the outputs of the stack give them, with a model."""
    return settings_of(plain)


def settings_of(stack: Stack) -> Settings:
    model = f"{stack.environ['ORCHARD_LAKE']}/models/4b8fe23a20cd"
    return Settings.from_env({**stack.environ, "ORCHARD_MODEL": model})
