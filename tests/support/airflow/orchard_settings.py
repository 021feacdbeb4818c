"""Orchard's settings for a test's own lake. Fixtures."""

from pathlib import Path

import pytest

from orchard.settings.settings import Settings


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Settings for a lake and images in a folder whose name contains a space."""
    return environ_of(tmp_path)


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_env(environ)


def environ_of(folder: Path) -> dict[str, str]:
    base = f"file://{folder}/a lake"
    return {
        "ORCHARD_LAKE": base,
        "ORCHARD_MODEL": f"{base}/models/m",
        "ORCHARD_IMAGES": f"file://{folder}/images",
        "ORCHARD_POLL_INTERVAL": "1",
        "ORCHARD_LOG_TIMEOUT": "5",
        "ORCHARD_RETRIES": "0",
        "ORCHARD_RETRY_DELAY": "0",
    }
