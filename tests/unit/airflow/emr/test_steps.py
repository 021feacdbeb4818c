"""Steps carry a job's arguments unharmed from the DAG to the driver."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_emr.execution.jars import drop_ignored_arguments
from orchard.emr.job_args import RunJobs
from orchard.emr.steps import build_step
from orchard.lake.layout import run_slug
from orchard.settings.cluster import DeployMode
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard_jobs.contract import (
    BasisMode,
    DamagedImages,
    Decoding,
    ExportJob,
    FeaturizeJob,
    InstructionSet,
    Precision,
    ReduceJob,
)
from orchard_jobs.errors import OrchardError

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
SENSED = {
    "listing": "l1",
    "images": "s3://in",
    "model": "s3://lake/models/m",
    "feature_spec": {"model": "m", "precision": "bfloat16", "decoding": "scaled"},
    "builds_on": None,
}
CHOICES = RunParams("s3://in", None, 0.9, BasisMode.REFIT, Precision.BFLOAT16, 2, 0.1)


def test_the_whole_step() -> None:
    job = ExportJob(components=("s3://lake/c",), features=("s3://lake/f",), output="s3://lake/runs/r")
    assert build_step(job, "r", "s3://lake/code") == {
        "Name": "export r",
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {
            "Jar": "command-runner.jar",
            "Args": [
                "spark-submit",
                "--deploy-mode",
                "client",
                "--name",
                "orchard export r",
                "--py-files",
                "s3://lake/code/orchard_jobs.zip",
                "s3://lake/code/run.py",
                "export",
                "--components=s3://lake/c",
                "--features=s3://lake/f",
                "--output=s3://lake/runs/r",
                "--shards=1",
            ],
        },
    }


def test_the_driver_runs_where_it_is_asked_for() -> None:
    job = ExportJob(components=("s3://lake/c",), features=("s3://lake/f",), output="s3://lake/runs/r")
    client, cluster = (
        build_step(job, "r", "s3://lake/code", mode)["HadoopJarStep"]["Args"] for mode in DeployMode
    )
    assert cluster[1:3] == ["--deploy-mode", "cluster"]
    assert client == [*cluster[:2], "client", *cluster[3:]]


@pytest.mark.parametrize("root", ["file://", "s3://lake"])
def test_code_in_a_folder_with_a_space_is_quoted_for_spark_submit_alone(root: str) -> None:
    job = FeaturizeJob(images=f"{root}/an image", model=f"{root}/m", output=f"{root}/a lake")
    arguments = build_step(job, "r", f"{root}/100% #ü")["HadoopJarStep"]["Args"]
    quoted = f"{root}/100%25%20%23%C3%BC"
    assert arguments[6:8] == [f"{quoted}/orchard_jobs.zip", f"{quoted}/run.py"]
    assert f"--images={root}/an image" in arguments


@given(
    text=st.text(st.characters(exclude_categories=["Cs", "Cc"])).filter(lambda text: "}}" not in text),
    ratio=st.floats(0, 1),
)
def test_any_text_reaches_the_driver_as_it_was(text: str, ratio: float) -> None:
    """Also a text that is empty: it stands behind its key, so that no argument is."""
    job = FeaturizeJob(images=text, model=text, output="o", max_failure_ratio=ratio)
    arguments = build_step(job, "r", "s3://lake/code")["HadoopJarStep"]["Args"]
    assert drop_ignored_arguments(arguments) == (arguments, [])
    assert FeaturizeJob.from_argv(arguments[arguments.index("featurize") + 1 :]) == job


@pytest.mark.parametrize("name", ["images", "model"])
def test_a_step_whose_arguments_emr_would_change_says_so(name: str) -> None:
    job = FeaturizeJob(**{"images": "i", "model": "m", "output": "o", name: "s3://b/{{a}}"})
    with pytest.raises(OrchardError, match="EMR drops empty arguments, and removes }} from others"):
        build_step(job, "r", "s3://lake/code")


def test_code_in_a_folder_with_braces_is_quoted_so_that_emr_leaves_it() -> None:
    job = FeaturizeJob(images="i", model="m", output="o")
    arguments = build_step(job, "r", "s3://lake/{{code}}")["HadoopJarStep"]["Args"]
    assert drop_ignored_arguments(arguments) == (arguments, [])


def test_a_step_that_emr_would_refuse_for_its_length_says_so() -> None:
    job = ReduceJob(
        features=tuple(f"s3://lake/runs/{n}/features" for n in range(400)), output="o", components=1
    )
    with pytest.raises(OrchardError, match="EMR's maximum is 10240"):
        build_step(job, "r", "s3://lake/code")


def test_the_jobs_of_a_run() -> None:
    jobs = RunJobs("new", CHOICES, Settings.from_env(LEAST))
    runs = "s3://lake/runs"
    assert jobs.featurize(SENSED | {"listed": 7}) == FeaturizeJob(
        images="s3://in",
        model="s3://lake/models/m",
        output=f"{runs}/new",
        manifest=f"{runs}/new/manifest.parquet",
        precision=Precision.BFLOAT16,
        decoding=Decoding.SCALED,
        max_failure_ratio=0.1,
        listed=7,
        listing="l1",
    )
    assert jobs.reduce(SENSED) == ReduceJob(
        features=(f"{runs}/new/features",),
        output=f"{runs}/new",
        variance=0.9,
        model="s3://lake/models/m",
        listing="l1",
    )
    assert jobs.export(SENSED) == ExportJob(
        components=(f"{runs}/new/components",),
        features=(f"{runs}/new/features",),
        output=f"{runs}/new",
        listing="l1",
    )


def test_features_are_computed_as_the_settings_say() -> None:
    chosen = {"INSTRUCTION_SET": "avx2", "DECODING": "scaled", "DAMAGED_IMAGES": "accept"}
    settings = Settings.from_env({**LEAST, **{f"ORCHARD_{name}": value for name, value in chosen.items()}})
    choices = replace(CHOICES, precision=Precision.FLOAT32)
    spec = FeatureSpec.of_run("m", choices, settings)
    jobs = RunJobs("new", choices, settings)
    featurize = jobs.featurize(SENSED | {"listed": 7, "feature_spec": spec.to_json()})
    assert featurize.precision is Precision.FLOAT32
    assert featurize.decoding is Decoding.SCALED
    assert featurize.damaged_images is DamagedImages.ACCEPT
    assert featurize.instruction_set is InstructionSet.AVX2


@pytest.mark.parametrize(
    ("mode", "of_the_basis"),
    [
        (BasisMode.REFIT, {"variance": 0.9, "signs_like": "s3://lake/runs/old/basis"}),
        (
            BasisMode.REUSE,
            {"basis": "s3://lake/runs/old/basis", "projected": "s3://lake/runs/old/components"},
        ),
    ],
)
def test_a_run_that_continues_another_refits_or_reuses_its_basis(mode: BasisMode, of_the_basis: Any) -> None:
    jobs = RunJobs("new", replace(CHOICES, basis=mode), Settings.from_env(LEAST))
    assert jobs.reduce(SENSED | {"builds_on": "old"}) == ReduceJob(
        features=("s3://lake/runs/new/features",),
        output="s3://lake/runs/new",
        earlier="s3://lake/runs/new/earlier.parquet",
        statistics=("s3://lake/runs/old/statistics/statistics.npz",),
        model="s3://lake/models/m",
        listing="l1",
        **of_the_basis,
    )


@given(st.text(), st.text())
def test_slugs_are_plain_and_differ_where_run_ids_differ(one: str, other: str) -> None:
    slug = run_slug(one)
    assert set(slug) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert not slug.startswith(".")
    assert len(slug) <= 128
    assert (slug == run_slug(other)) == (one == other)


def test_settings_that_change_after_the_listing_change_neither_images_nor_features() -> None:
    changed = Settings.from_env(
        {**LEAST, "ORCHARD_MODEL": "s3://lake/models/m2", "ORCHARD_INSTRUCTION_SET": "avx2"}
    )
    jobs = RunJobs("new", replace(CHOICES, images="s3://others", precision=Precision.FLOAT32), changed)
    featurize = jobs.featurize(SENSED | {"listed": 7})
    assert (featurize.precision, featurize.decoding) == (Precision.BFLOAT16, Decoding.SCALED)
    assert featurize.instruction_set is None
    assert featurize.images == "s3://in"
    assert {featurize.model, jobs.reduce(SENSED).model} == {"s3://lake/models/m"}


@given(st.text(), st.text())
def test_runs_of_two_dags_never_share_a_folder(one: str, other: str) -> None:
    assert (run_slug("r", one) == run_slug("r", other)) == (one == other)
