"""What is refused before anything is listed, and what is said where nothing is new."""

import pytest

from orchard.sensing.sense import find_unapplied, refuse_too_many_components
from orchard_jobs.errors import OrchardError


def test_more_components_than_the_model_has_features_are_refused() -> None:
    refuse_too_many_components(1280, 1280)
    with pytest.raises(OrchardError, match="components=1281: the model has 1280 features"):
        refuse_too_many_components(1281, 1280)


def test_where_the_card_is_of_an_earlier_version_the_job_says_so() -> None:
    refuse_too_many_components(5000, None)


@pytest.mark.parametrize(
    ("components", "variance", "said"),
    [
        (
            7,
            None,
            "components=7 is not applied, because no image is new: the newest result keeps 15",
        ),
        (None, 0.9, "variance=0.9 is not applied"),
        (15, None, None),
        (None, 0.5, None),
        (None, None, None),
    ],
)
def test_what_a_run_without_new_images_does_not_do_is_said(
    components: int | None, variance: float | None, said: str | None
) -> None:
    found = find_unapplied(components, variance, {"components": 15, "variance_kept": 0.568})
    assert found is None if said is None else str(found).startswith(said)
