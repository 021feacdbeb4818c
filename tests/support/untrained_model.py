"""A model that needs no download. A fixture."""

from pathlib import Path

import pytest

from tests.support.run_inputs import export_untrained


@pytest.fixture(scope="session")
def untrained_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model artefact with untrained weights, which TensorFlow needs ten seconds to create."""
    return export_untrained(tmp_path_factory.mktemp("models"))
