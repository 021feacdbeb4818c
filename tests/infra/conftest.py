"""The template, deployed on moto: with nothing given, and with everything."""

from tests.airflow_in_process import airflow_home  # noqa: F401 - a fixture

# isort: split

from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto import mock_aws

from orchard.settings.settings import Settings
from tests.infra.stack import GIVEN, REGION, Stack, deploy


@contextmanager
def account() -> Iterator[None]:
    """An account in which nothing is, but the role that Airflow runs as."""
    with mock_aws():
        boto3.client("iam", REGION).create_role(RoleName="airflow", AssumeRolePolicyDocument="{}")
        yield


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


def settings_of(stack: Stack, **environ: str) -> Settings:
    model = f"{stack.environ['ORCHARD_LAKE']}/models/4b8fe23a20cd"
    return Settings.from_env({**stack.environ, "ORCHARD_MODEL": model, **environ})
