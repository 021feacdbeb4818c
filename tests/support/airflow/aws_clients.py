"""Clients of AWS that are made in a fraction of the time: the suites make thousands. A fixture."""

import functools
from collections.abc import Iterator

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from botocore.loaders import create_loader


@pytest.fixture(scope="session", autouse=True)
def quick_clients() -> Iterator[None]:
    """The descriptions of AWS's services are read once for all, and no hook looks for who has called it.

    boto3 reads them anew for every session, and Airflow's hooks make one for every client; of its caller a
    hook tells AWS in the User-Agent, which nothing here reads, and searches the stack for it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", functools.cache(create_loader))
        patch.setattr(AwsGenericHook, "_generate_user_agent_extra_field", _keep)
        yield


def _keep(_: AwsGenericHook, existing_user_agent_extra: str) -> str:
    return existing_user_agent_extra
