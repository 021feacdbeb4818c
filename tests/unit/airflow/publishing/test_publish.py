"""A run exists for readers from its last write on, and not at all if it does not add up."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from orchard.lake.layout import Lake
from orchard.lake.ledger import read_ledger
from orchard.lake.run_index import RunIndex
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import publish
from orchard.report.run_figures import noise
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.contract import Decoding, InstructionSet, Precision
from orchard_jobs.errors import OrchardError
from tests.support.airflow import finished_runs
from tests.support.airflow.finished_runs import (
    CLUSTER,
    basis_id_of,
    basis_of,
    finish_jobs,
    latest_of,
    publication,
    published_runs,
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(f"file://{tmp_path}")


def test_a_published_run_is_described_whole(lake: Lake) -> None:
    finish_jobs(lake, "r1")
    summary = publish(FileStorage(Path("/")), lake, publication("r1"))
    assert summary == json.loads(FileStorage(Path("/")).read(lake.run("r1").run_json).data)
    published_at = summary["published_at"]
    assert summary == {
        "run": "r1",
        "dag_id": "d",
        "run_id": "id of r1",
        "published_at": published_at,
        "counts": {"listed": 3, "featurized": 1, "rejected": 1, "known": 1, "deleted": 6},
        "rejected": {"corrupt": 1},
        "images": "s3://in",
        "code": "s3://code",
        "builds_on": None,
        "basis": "refit",
        "basis_id": basis_id_of("r1"),
        "components": 2,
        "rank": 2,
        "variance_kept": 0.75,
        "fitted_rows": 2,
        "rows": 2,
        "weights": "imagenet",
        "model": {"id": "m", "weights": "imagenet"},
        "runtime": "openvino",
        "precision": "float32",
        "decoding": "exact",
        "damaged_images": "reject",
        "instruction_set": None,
        "images_per_second": 90.5,
        "seconds": {"featurize": 2.5, "reduce": 2.5, "export": 2.5},
        "times": {
            job: [f"2026-11-22T0{hour}:00:00+00:00", f"2026-11-22T0{hour}:59:59+00:00"]
            for hour, job in enumerate(("featurize", "reduce", "export"))
        },
        "phases": {"featurize": {"a": 1.5}, "reduce": {"a": 1.5}, "export": {"a": 1.5}},
        "worker_seconds": {},
        "versions": {"spark": "4"},
        "cluster": CLUSTER,
        "estimate": {"dollars": 1.5},
        "cost": {"dollars": 1.25},
        "csv": f"{lake.uri}/runs/r1/csv/features.csv",
        "files": [f"{lake.uri}/runs/r1/csv/features.csv"],
    }
    assert read_ledger(FileStorage(Path("/")), lake, "r1").to_pylist() == [
        {"path": "a", "etag": "1", "status": "ok", "run": "r0"},
        {"path": "b", "etag": "1", "status": "ok", "run": "r1"},
        {"path": "c", "etag": "2", "status": "corrupt", "run": "r1"},
    ]
    for name, data in basis_of("r1").items():
        assert FileStorage(Path("/")).read(f"{lake.basis(basis_id_of('r1'))}/{name}").data == data
    assert latest_of(lake) == {
        "run": "r1",
        "published_at": published_at,
        "images": "s3://in",
        "basis_id": basis_id_of("r1"),
        "run_json": f"{lake.uri}/runs/r1/run.json",
        "csv": f"{lake.uri}/runs/r1/csv/features.csv",
        "runs": [
            {
                "run": "r1",
                "images": "s3://in",
                "model": "m",
                "published_at": published_at,
                "basis_id": basis_id_of("r1"),
                "dag_id": "d",
            }
        ],
    }


def test_runs_are_known_in_the_order_of_their_publication(lake: Lake) -> None:
    for slug, earlier in (("z", ()), ("a", ("z",))):
        finish_jobs(lake, slug)
        publish(FileStorage(Path("/")), lake, publication(slug, *earlier))
    assert published_runs(lake) == ["z", "a"]


@pytest.mark.parametrize("counts", [{"ok": 1}, {"ok": 4}, {"corrupt": 3}])
def test_counts_that_do_not_add_up_are_not_published(lake: Lake, counts: dict[str, int]) -> None:
    finish_jobs(lake, "r1", **counts)
    with pytest.raises(OrchardError, match="listed = featurized"):
        publish(FileStorage(Path("/")), lake, publication("r1"))
    assert published_runs(lake) == []


@pytest.mark.parametrize(
    ("job", "fact"), [("export", "rows"), ("reduce", "rows"), ("reduce", "counted_rows")]
)
def test_a_row_that_is_lost_between_the_jobs_is_not_published(lake: Lake, job: str, fact: str) -> None:
    finish_jobs(lake, "r1")
    report = lake.run("r1").metrics(job)
    content = json.loads(FileStorage(Path("/")).read(report).data)
    FileStorage(Path("/")).write(report, json.dumps({**content, fact: 1 + content[fact]}).encode())
    with pytest.raises(OrchardError, match=r"exported=\d reduced=\d counted=\d kept\+featurized=2: exp"):
        publish(FileStorage(Path("/")), lake, publication("r1"))
    assert published_runs(lake) == []


@pytest.mark.parametrize(("again", "stale"), [("featurize", "reduce"), ("reduce", "export")])
def test_a_job_that_ran_again_after_the_next_one_is_not_published_without_that(
    lake: Lake, again: str, stale: str
) -> None:
    finish_jobs(lake, "r1")
    report = lake.run("r1").metrics(again)
    content = json.loads(FileStorage(Path("/")).read(report).data) | {
        "finished_at": "2026-11-22T09:00:00+00:00"
    }
    FileStorage(Path("/")).write(report, json.dumps(content).encode())
    with pytest.raises(OrchardError, match=f"'{again}' has run again since .* Clear .* '{stale}' with"):
        publish(FileStorage(Path("/")), lake, publication("r1"))
    assert published_runs(lake) == []


def test_features_of_another_model_than_the_run_has_sensed_are_not_published(lake: Lake) -> None:
    finish_jobs(lake, "r1")
    with pytest.raises(OrchardError, match="features of the model m: 'sense' found the model m2"):
        publish(FileStorage(Path("/")), lake, publication("r1", model="m2"))
    assert published_runs(lake) == []


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.unlink(), "no metrics at .*: 'reduce' writes them"),
        (lambda path: path.write_text('{"state": "running"}'), "has state running"),
        (
            lambda path: path.write_text('{"state": "succeeded", "listing": "l0"}'),
            "has the listing l0, the run has l1: 'sense' has run again since",
        ),
    ],
)
def test_a_job_that_has_not_succeeded_is_not_published(
    lake: Lake, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    finish_jobs(lake, "r1")
    spoil(tmp_path / "runs" / "r1" / "reports" / "reduce.json")
    with pytest.raises(OrchardError, match=message):
        publish(FileStorage(Path("/")), lake, publication("r1"))
    assert published_runs(lake) == []


def test_how_features_were_computed_is_what_sense_decided_and_not_what_a_node_says(lake: Lake) -> None:
    finish_jobs(lake, "r1")
    report = lake.run("r1").metrics("featurize")
    lie = {"precision": "float64", "decoding": "none", "instruction_set": "mmx"}
    said = json.loads(FileStorage(Path("/")).read(report).data)
    FileStorage(Path("/")).write(report, json.dumps(said | lie).encode())

    record = publish(
        FileStorage(Path("/")), lake, publication("r1", decoding="scaled", instruction_set="avx2")
    )

    assert (record["precision"], record["decoding"], record["instruction_set"]) == (
        "float32",
        "scaled",
        "avx2",
    )
    assert latest_of(lake)["runs"] == [
        {
            "run": "r1",
            "images": "s3://in",
            "model": "m",
            "decoding": "scaled",
            "instruction_set": "avx2",
            "published_at": record["published_at"],
            "basis_id": basis_id_of("r1"),
            "dag_id": "d",
        }
    ]


@pytest.mark.parametrize(
    "other",
    [
        FeatureSpec("m", precision=Precision.BFLOAT16),
        FeatureSpec("m", decoding=Decoding.SCALED),
        FeatureSpec("m", instruction_set=InstructionSet.AVX2),
    ],
)
def test_a_run_with_features_of_another_spec_takes_none_over(lake: Lake, other: FeatureSpec) -> None:
    finish_jobs(lake, "r1")
    publish(FileStorage(Path("/")), lake, publication("r1"))
    finish_jobs(lake, "r2")
    publish(FileStorage(Path("/")), lake, publication("r2", "r1", **other.to_json()))
    index = RunIndex.load(FileStorage(Path("/")), lake)
    assert index.builds_on("s3://in", other) == "r2"
    assert index.builds_on("s3://in", FeatureSpec("m")) == "r1"
    assert index.builds_on("s3://in", FeatureSpec("new model")) is None


def test_runs_from_before_there_was_a_choice_count_as_exact_and_float32(lake: Lake) -> None:
    latest = {"run": "r1", "runs": [{"run": "r1", "images": "s3://in", "model": "m"}]}
    FileStorage(Path("/")).write(lake.latest, json.dumps(latest).encode())
    index = RunIndex.load(FileStorage(Path("/")), lake)
    assert index.builds_on("s3://in", FeatureSpec("m", Precision.FLOAT32, Decoding.EXACT)) == "r1"
    assert index.builds_on("s3://in", FeatureSpec("m", decoding=Decoding.SCALED)) is None


@pytest.mark.parametrize("fact", [{"decoding": "cubist"}, {"colours": "grey"}])
def test_a_lake_whose_features_this_version_cannot_tell_apart_is_refused(
    lake: Lake, fact: dict[str, str]
) -> None:
    latest = {"run": "r1", "runs": [{"run": "r1", "images": "s3://in", "model": "m", **fact}]}
    FileStorage(Path("/")).write(lake.latest, json.dumps(latest).encode())
    with pytest.raises(OrchardError, match="is damaged, or from a newer version of Orchard"):
        RunIndex.load(FileStorage(Path("/")), lake)


def test_a_run_builds_on_runs_of_the_same_images_and_spec_only(lake: Lake) -> None:
    finish_jobs(lake, "r1")
    publish(FileStorage(Path("/")), lake, publication("r1"))
    finish_jobs(lake, "trial")
    trial = publication("trial", "r1", images="s3://others")
    publish(FileStorage(Path("/")), lake, trial)
    history = RunIndex.load(FileStorage(Path("/")), lake)
    assert history.latest == "trial"
    assert history.builds_on("s3://in", FeatureSpec("m")) == "r1"
    assert history.builds_on("s3://others", FeatureSpec("m")) == "trial"
    assert history.builds_on("s3://in", FeatureSpec("another model")) is None


@pytest.mark.parametrize(("variances", "rank"), [([0.5, 0.25], 2), ([0.5, 1e-16], 1), ([0.0, 0.0], 0)])
def test_components_that_explain_nothing_are_told(
    variances: list[float], rank: int, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = finished_runs._arrays_of("r1") | {"explained_variance": np.array(variances)}
    monkeypatch.setattr(finished_runs, "_arrays_of", lambda slug: arrays)
    finish_jobs(lake, "r1")
    record = publish(FileStorage(Path("/")), lake, publication("r1"))
    assert record["rank"] == rank
    assert (
        noise(record)
        == {
            0: "No component explains anything: all features of the 2 images of the basis are the same",
            1: "PC2 explains nothing: the 2 images of the basis vary in 1 direction only. "
            "Keep 1 component, or add images",
            2: None,
        }[rank]
    )
    assert noise({**record, "rank": 1, "fitted_rows": None}) == (
        "PC2 explains nothing: the images of the basis vary in 1 direction only. "
        "Keep 1 component, or add images"
    )
    assert noise({**record, "rank": 1, "components": 15}) == (
        "PC2 to PC15 explain nothing: the 2 images of the basis vary in 1 direction only. "
        "Keep 1 component, or add images"
    )
