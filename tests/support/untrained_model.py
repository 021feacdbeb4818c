"""A model that no internet is asked for. A fixture."""

from pathlib import Path

import pytest

from tests.support.run_inputs import export_untrained


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an artefact with untrained weights: TensorFlow takes ten seconds to make one."""
    return export_untrained(tmp_path_factory.mktemp("models"))
