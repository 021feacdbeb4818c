"""The template, deployed on moto: with nothing given, and with everything."""

import pytest

from orchard.settings.settings import Settings
from tests.unit.infra.stack import GIVEN, Stack, account, deploy, settings_of


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
