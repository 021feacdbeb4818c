"""Job arguments survive the way from Airflow to the driver, and bad ones get one clear line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard_jobs.contract import (
    GLOB_CHARACTERS,
    DamagedImages,
    Decoding,
    ExportJob,
    FeaturizeJob,
    InstructionSet,
    Job,
    Precision,
    ReduceJob,
    Runtime,
    is_hidden,
    label_of,
)
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

uris = st.text(st.characters(exclude_characters=GLOB_CHARACTERS), min_size=1)

jobs = st.one_of(
    st.builds(
        FeaturizeJob,
        images=uris,
        model=uris,
        output=uris,
        manifest=st.none() | uris,
        runtime=st.just(Runtime.OPENVINO),
        precision=st.sampled_from(Precision),
        decoding=st.sampled_from(Decoding),
        damaged_images=st.sampled_from(DamagedImages),
        batch_size=st.integers(1, 1024),
        concurrent_reads=st.integers(1, 256),
        max_failure_ratio=st.floats(0, 1),
    ),
    st.builds(
        FeaturizeJob, images=uris, model=uris, output=uris, instruction_set=st.sampled_from(InstructionSet)
    ),
    st.builds(
        ReduceJob,
        features=st.lists(uris, min_size=1).map(tuple),
        output=uris,
        components=st.integers(1, 1280),
        earlier=st.none() | uris,
        statistics=st.lists(uris).map(tuple),
        signs_like=st.none() | uris,
        listing=st.none() | uris,
    ),
    st.builds(ReduceJob, features=st.tuples(uris), output=uris, basis=uris, earlier=uris, projected=uris),
    st.builds(ReduceJob, features=st.tuples(uris), output=uris, variance=st.floats(0, 1, exclude_min=True)),
    st.builds(
        ExportJob, components=st.tuples(uris), features=st.tuples(uris), output=uris, shards=st.integers(1, 9)
    ),
)


@given(jobs)
def test_any_job_comes_back_from_its_arguments_unchanged(job: Job) -> None:
    assert type(job).from_argv(job.to_argv()) == job


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["--output=o"], "missing --images, --model: these arguments are required. Add them."),
        (
            ["images"],
            "argument 'images': arguments have the form --key=value. Join the key and its value with '='.",
        ),
        (
            ["--images=i", "--model=m", "--output=o", "--runtime=torch"],
            "--runtime=torch: it must be one of openvino, tensorflow. Correct --runtime.",
        ),
        (
            ["--images=i", "--model=m", "--output=o", "--batch-size=many"],
            "--batch-size=many: it must be an integer. Correct --batch-size.",
        ),
        (
            ["--images=i", "--model=m", "--output=o", "--max-failure-ratio=nan"],
            "--max-failure-ratio=nan: it must be from 0 to 1. Correct --max-failure-ratio.",
        ),
        (["--images=i", "--images=j"], "--images given 2 times: it accepts one value. Give it once."),
    ],
)
def test_a_bad_argument_gets_one_line_with_the_rule_and_the_remedy(tokens: list[str], message: str) -> None:
    with pytest.raises(OrchardError) as caught:
        FeaturizeJob.from_argv(tokens)
    assert str(caught.value) == message


def test_the_reference_runtime_computes_in_float32_only() -> None:
    with pytest.raises(OrchardError, match="float32 with --runtime=tensorflow"):
        FeaturizeJob("i", "m", "o", runtime=Runtime.TENSORFLOW, precision=Precision.BFLOAT16)


@pytest.mark.parametrize("other", [{"runtime": Runtime.TENSORFLOW}, {"precision": Precision.BFLOAT16}])
def test_an_instruction_set_is_for_float32_on_openvino_only(other: dict[str, Any]) -> None:
    with pytest.raises(OrchardError, match=r"--instruction-set=avx2: it must be none with --runtime="):
        FeaturizeJob("i", "m", "o", instruction_set=InstructionSet.AVX2, **other)


@pytest.mark.parametrize("character", GLOB_CHARACTERS)
def test_a_uri_that_spark_would_expand_is_refused(character: str) -> None:
    with pytest.raises(OrchardError, match="Spark would expand"):
        ExportJob(components=(f"file:///l{character}k/components",), features=("f",), output="o")


@pytest.mark.parametrize("chosen", [{}, {"components": 2, "variance": 0.5}, {"components": 2, "basis": "b"}])
def test_reduce_takes_exactly_one_of_components_variance_and_basis(chosen: dict[str, object]) -> None:
    with pytest.raises(OrchardError, match="exactly one of the three"):
        ReduceJob(features=("f",), output="o", **chosen)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"components": 2, "earlier": "e"}, {"basis": "b"}])
def test_projected_rows_need_their_basis_and_the_list_of_those_that_stay(given: dict[str, object]) -> None:
    with pytest.raises(OrchardError, match="a folder together with --basis and --earlier"):
        ReduceJob(features=("f",), output="o", projected="p", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("variance", [0.0, 1.5, float("nan")])
def test_reduce_refuses_a_variance_that_is_no_share(variance: float) -> None:
    with pytest.raises(OrchardError, match="above 0 and at most 1"):
        ReduceJob(features=("f",), output="o", variance=variance)


def test_the_label_is_the_parent_folder() -> None:
    assert [label_of(path) for path in ("Apple/1.jpg", "2024/Pear/1.jpg", "1.jpg")] == ["Apple", "Pear", ""]


def test_hidden_files_and_what_is_in_hidden_folders_are_none_of_ours() -> None:
    shown = [
        path
        for path in ("a/.DS_Store", ".git/a.jpg", "a/b.jpg", "a/../b.jpg", "a/x.y")
        if not is_hidden(path)
    ]
    assert shown == ["a/b.jpg", "a/../b.jpg", "a/x.y"]


def test_a_run_folder_is_named_without_a_trailing_slash() -> None:
    assert RunFolder("s3://lake/runs/r/").features == "s3://lake/runs/r/features"
