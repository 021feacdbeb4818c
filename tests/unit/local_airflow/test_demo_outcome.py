"""The demo ends with the outcome of the run."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_airflow.demo import print_outcome
from local_spark.model import Model

RUN = {
    "counts": {"listed": 3, "featurized": 2, "known": 1, "deleted": 0, "rejected": 0},
    "rejected": {},
    "seconds": {"featurize": 1.25},
    "components": 15,
    "variance_kept": 0.5,
    "rows": 3,
    "weights": "imagenet",
    "images_per_second": 90.5,
    "cluster": {"id": "j-1"},
    "cost": None,
    "estimate": None,
    "csv": "file:///lake/runs/r/csv/features.csv",
}


def outcome(lake: Path, *, published: bool, succeeded: bool) -> bool:
    folder = lake / "runs" / "r"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(RUN))
    latest = {"run": "r" if published else "before", "run_json": "file:///lake/runs/r/run.json", "csv": "c"}
    (lake / "latest.json").write_text(json.dumps(latest))
    (lake / "log").write_text("orchard: no basis at file:///lake\n")
    seen = {"cluster_states": lambda: ["WAITING"], "idle_seconds": lambda: 1.25}
    watch: Any = SimpleNamespace(run_folder=folder, **seen)
    return print_outcome(lake, watch, Model("m"), succeeded=succeeded, log=lake / "log")


def test_a_run_that_succeeded_ends_with_where_its_results_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(tmp_path, published=True, succeeded=True)
    said = capsys.readouterr().out
    assert "csv              file:///lake/runs/r/csv/features.csv\n" in said
    assert "cluster          j-1: WAITING; idle for 1.2 s, between Airflow's tasks\n" in said
    assert "report           file:///lake/runs/r/report.html\n" in said


@pytest.mark.parametrize(
    ("published", "said"),
    [(True, "failed after it was published."), (False, "failed and nothing was published.")],
)
def test_a_run_that_failed_says_whether_it_is_published(
    published: bool, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not outcome(tmp_path, published=published, succeeded=False)
    assert capsys.readouterr().err.startswith(f"\norchard: the run {said} no basis at file:///lake\n")
