"""Makes AWS clients faster to create, because the suites create thousands. A fixture."""

import functools
from collections.abc import Iterator

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
from botocore.loaders import create_loader


@pytest.fixture(scope="session", autouse=True)
def quick_clients() -> Iterator[None]:
    """Load the service descriptions only once, and skip the hooks' search for their caller.

    boto3 loads them for each session, and Airflow's hooks create a session for each client. A hook also
    searches the stack for its caller, for the User-Agent, which no test reads.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", functools.cache(create_loader))
        patch.setattr(AwsGenericHook, "_generate_user_agent_extra_field", _keep)
        yield


def _keep(_: AwsGenericHook, existing_user_agent_extra: str) -> str:
    return existing_user_agent_extra
