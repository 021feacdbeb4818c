"""What is refused before anything is listed."""

import pytest

from orchard.sensing.sense import validate_component_count
from orchard_jobs.errors import OrchardError


def test_more_components_than_the_model_has_features_are_refused() -> None:
    validate_component_count(1280, 1280)
    with pytest.raises(OrchardError, match="components=1281: the model has 1280 features"):
        validate_component_count(1281, 1280)


def test_where_the_card_is_of_an_earlier_version_the_job_says_so() -> None:
    validate_component_count(5000, None)
