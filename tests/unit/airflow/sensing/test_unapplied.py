"""What a run without new images does not do is said, and nothing that it need not do."""

from pathlib import Path

import pytest

from orchard.lake.layout import Lake
from orchard.lake.run_index import RunIndex
from orchard.sensing.unapplied import find_unapplied
from orchard_jobs.contract import BasisMode
from tests.support.airflow.report_lake import ReportLake, clusters


@pytest.fixture
def index(tmp_path: Path) -> RunIndex:
    """A lake whose run keeps 4 components, which explain 1/2, 1/4, 1/8 and 1/16 of about all variance."""
    made = ReportLake(Lake(f"file://{tmp_path}"))
    made.publish("a", clusters({"plum": 5}))
    return RunIndex.load(made.storage, made.lake)


@pytest.mark.parametrize(
    ("components", "variance", "basis"),
    [
        (None, None, None),
        (4, None, None),
        (None, 0.9, None),
        (None, None, BasisMode.REFIT),
        (None, None, BasisMode.REUSE),
    ],
)
def test_what_the_newest_result_is_already_is_not_told(
    components: int | None, variance: float | None, basis: BasisMode | None, index: RunIndex
) -> None:
    assert find_unapplied(index, "a", components, variance, basis) is None


@pytest.mark.parametrize(
    ("components", "variance", "said"),
    [
        (7, None, "components=7"),
        (None, 0.99, "variance=0.99"),
        (None, 0.5, "variance=0.5"),
        (None, 0.6, "variance=0.6"),
    ],
)
def test_another_size_is_told_a_smaller_one_too(
    components: int | None, variance: float | None, said: str, index: RunIndex
) -> None:
    assert find_unapplied(index, "a", components, variance, None) == (
        f"{said} is not applied, because no image is new: the newest result keeps 4 components with 75.0% of "
        "the variance, basis refit"
    )


def test_a_refit_of_a_basis_that_was_reused_is_told(tmp_path: Path) -> None:
    made = ReportLake(Lake(f"file://{tmp_path}"))
    made.publish("a", clusters({"plum": 5}), basis="reuse")
    index = RunIndex.load(made.storage, made.lake)
    assert str(find_unapplied(index, "a", None, None, BasisMode.REFIT)).startswith(
        "basis=refit is not applied"
    )
    assert find_unapplied(index, "a", None, None, None) is None
