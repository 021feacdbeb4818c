"""What is asked for that the newest result of the same images has not, and nothing that it has already."""

from pathlib import Path

import pytest

from orchard.lake.layout import Lake
from orchard.lake.run_index import RunIndex
from orchard.sensing.refit import describe_refit
from orchard.settings.run_params import RunParams
from orchard_jobs.contract import BasisMode, Precision
from tests.support.airflow.report_lake import ReportLake, clusters


@pytest.fixture
def index(tmp_path: Path) -> RunIndex:
    """A lake whose run keeps 4 components, which explain 1/2, 1/4, 1/8 and 1/16 of about all variance."""
    made = ReportLake(Lake(f"file://{tmp_path}"))
    made.publish("a", clusters({"plum": 5}))
    return RunIndex.load(made.storage, made.lake)


def ask_for(
    components: int | None = None, variance: float | None = None, basis: BasisMode = BasisMode.REFIT
) -> RunParams:
    return RunParams("file:///images", components, variance, basis, Precision.FLOAT32, None, 0.05)


@pytest.mark.parametrize(
    "asked",
    [ask_for(4), ask_for(variance=0.9), ask_for(basis=BasisMode.REUSE)],
    ids=["K", "variance", "reuse"],
)
def test_what_the_newest_result_is_already_is_not_fitted_again(asked: RunParams, index: RunIndex) -> None:
    assert describe_refit(index, "a", asked) is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ask_for(7), "components=7"),
        (ask_for(3), "components=3"),
        (ask_for(variance=0.99), "variance=0.99"),
        (ask_for(variance=0.5), "variance=0.5"),
        (ask_for(variance=0.6), "variance=0.6"),
    ],
)
def test_another_size_is_a_refit_a_smaller_one_too(asked: RunParams, said: str, index: RunIndex) -> None:
    assert describe_refit(index, "a", asked) == (
        f"{said}, where the newest result has 4 components with 75.0% of the variance, basis refit"
    )


def test_a_basis_that_was_reused_is_fitted_anew_where_that_is_asked_for(tmp_path: Path) -> None:
    made = ReportLake(Lake(f"file://{tmp_path}"))
    made.publish("a", clusters({"plum": 5}), basis="reuse")
    index = RunIndex.load(made.storage, made.lake)
    assert str(describe_refit(index, "a", ask_for(4))).startswith("basis=refit, where")
    assert describe_refit(index, "a", ask_for(basis=BasisMode.REUSE)) is None
