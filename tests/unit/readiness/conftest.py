"""A sound account, for each test its own."""

from collections.abc import Iterator

import pytest

from readiness.target import Clients
from tests.unit.infra.stack import account
from tests.unit.readiness.sound_account import SoundAccount, make_account


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundAccount]:
    """The account, which every preflight asks from here on."""
    with account():
        made = make_account()
        with made.answering() as get:
            monkeypatch.setattr(Clients, "get", lambda _, service: get(service))
            yield made
