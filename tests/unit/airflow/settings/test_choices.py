"""The form's limits, and what its parameters mean together."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import ParamValidationError

from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard.workflow.trigger_form import params
from orchard_jobs.contract import BasisMode, Precision
from orchard_jobs.errors import OrchardError

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
SETTINGS = Settings.from_env(LEAST)
DEFAULTS = {name: param.resolve() for name, param in params(SETTINGS).items()}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("images", "images"),
        ("images", "http://images"),
        ("images", "file://relative"),
        ("images", None),
        ("images", "s3://bucket/in\n"),
        ("images", "s3://bucket/a\nb"),
        ("images", "s3://\nbucket"),
        ("images", "file:///in\x00"),
        ("components", 0),
        ("components", 1281),
        ("components", 1.5),
        ("components", "15"),
        ("variance", 0),
        ("variance", 1.01),
        ("basis", "keep"),
        ("precision", "int8"),
        ("core_nodes", 0),
        ("core_nodes", 21),
        ("cost_ceiling", 0),
        ("cost_ceiling", "cheap"),
        ("recompute", "yes"),
        ("max_failure_ratio", -0.1),
        ("max_failure_ratio", 1.1),
    ],
)
def test_the_form_refuses(name: str, bad: Any) -> None:
    with pytest.raises(ParamValidationError):
        params(SETTINGS)[name].resolve(bad)


def test_each_parameter_explains_itself() -> None:
    for param in params(SETTINGS).values():
        assert param.description
        assert param.schema["title"]
        assert param.schema["type"]


def test_the_defaults_are_those_of_the_settings() -> None:
    assert RunParams.parse(DEFAULTS, SETTINGS) == RunParams(
        "s3://lake/images", 15, None, BasisMode.REFIT, Precision.FLOAT32, None, 0.05
    )


def test_a_variance_replaces_the_default_number_of_components() -> None:
    chosen = RunParams.parse({**DEFAULTS, "variance": 0.9}, SETTINGS)
    assert (chosen.components, chosen.variance) == (None, 0.9)


def test_a_whole_number_that_json_made_a_float_is_a_whole_number() -> None:
    chosen = RunParams.parse({**DEFAULTS, "components": 20.0, "core_nodes": 3.0}, SETTINGS)
    assert repr((chosen.components, chosen.core_nodes)) == "(20, 3)"


@pytest.mark.parametrize(("name", "bad"), [("components", 1.5), ("core_nodes", "2"), ("components", True)])
def test_a_number_that_is_not_whole_is_refused(name: str, bad: Any) -> None:
    with pytest.raises(OrchardError, match=f"{name}={bad!r}: it must be an integer. Trigger the run again"):
        RunParams.parse({**DEFAULTS, name: bad}, SETTINGS)


def test_components_and_variance_together_are_refused() -> None:
    with pytest.raises(OrchardError, match=r"components=3 and variance=0\.5: set only one of the two"):
        RunParams.parse({**DEFAULTS, "components": 3, "variance": 0.5}, SETTINGS)


@pytest.mark.parametrize("size", [{"components": 3}, {"variance": 0.5}])
def test_a_basis_that_is_reused_keeps_its_size(size: dict[str, Any]) -> None:
    with pytest.raises(OrchardError, match=r"basis=reuse with \w+=[\d.]+: a reused basis keeps"):
        RunParams.parse({**DEFAULTS, "basis": "reuse", **size}, SETTINGS)


def test_bfloat16_is_refused_where_the_inference_is_to_use_avx2_alone() -> None:
    settings = Settings.from_env({**LEAST, "ORCHARD_INSTRUCTION_SET": "avx2"})
    assert RunParams.parse(DEFAULTS, settings).precision is Precision.FLOAT32
    with pytest.raises(OrchardError, match="bfloat16 with ORCHARD_INSTRUCTION_SET=avx2: AVX2 has no"):
        RunParams.parse({**DEFAULTS, "precision": "bfloat16"}, settings)


@pytest.mark.parametrize(
    "images", ["s3://in/a", "s3://in/a/", "s3://in/a/b", "s3://more", "s3://more/x", "s3://third/c"]
)
def test_images_are_of_the_folders_that_the_settings_name(images: str) -> None:
    allowed = {"ORCHARD_IMAGES": "s3://in/a", "ORCHARD_ALLOWED_IMAGES": "s3://more/, s3://third/c"}
    settings = Settings.from_env({**LEAST, **allowed})
    assert RunParams.parse({**DEFAULTS, "images": images}, settings).images == images.rstrip("/")


@pytest.mark.parametrize("images", ["s3://in", "s3://in/ab", "s3://others/a", "file:///etc"])
def test_no_other_images_are_listed(images: str) -> None:
    settings = Settings.from_env({**LEAST, "ORCHARD_IMAGES": "s3://in/a"})
    with pytest.raises(
        OrchardError, match=f"images={images}: it must be one of these folders, or below one: s3://in/a"
    ):
        RunParams.parse({**DEFAULTS, "images": images}, settings)


@pytest.mark.parametrize("images", ["s3://in/a/../b", "s3://in/a/..", "s3://in/a/./b", "s3://more/../in/b"])
def test_no_dots_lead_out_of_a_prefix(images: str) -> None:
    """S3 takes a key as it is; what reads it through a file system's path would not."""
    allowed = {"ORCHARD_IMAGES": "s3://in/a", "ORCHARD_ALLOWED_IMAGES": "s3://more"}
    settings = Settings.from_env({**LEAST, **allowed})
    with pytest.raises(
        OrchardError, match="it must be one of these folders, or below one: s3://in/a, s3://more"
    ):
        RunParams.parse({**DEFAULTS, "images": images}, settings)


PLACES = {"ORCHARD_IMAGES": "s3://in/a+b (1)", "ORCHARD_ALLOWED_IMAGES": "s3://more, file:///mnt/pictures"}


@pytest.mark.parametrize(
    "images",
    [
        "s3://in/a+b (1)",
        "s3://in/a+b (1)/",
        "s3://in/a+b (1)/c/..d",
        "s3://more",
        "file:///mnt/pictures/x",
        "/mnt/pictures",
        "/mnt/pictures/x/",
    ],
)
def test_the_form_takes_the_folders_that_the_settings_name(images: str) -> None:
    assert params(Settings.from_env({**LEAST, **PLACES}))["images"].resolve(images) == images


@pytest.mark.parametrize("images", ["/mnt/pictures/x", "/mnt/pictures/x/", "file:///mnt/pictures/x"])
def test_a_path_is_taken_as_the_uri_that_it_is(images: str) -> None:
    settings = Settings.from_env({**LEAST, **PLACES})
    assert RunParams.parse({**DEFAULTS, "images": images}, settings).images == "file:///mnt/pictures/x"


@pytest.mark.parametrize(
    "images",
    [
        "s3://in",
        "s3://in/a+b (1)c",
        "s3://in/aab (1)",
        "s3://others",
        "s3://moreover",
        "s3://more/..",
        "s3://more/../in",
        "s3://more/.",
        "s3://more/x\n",
        "file:///mnt/pictures2",
        "file:///etc",
        "/etc",
        "mnt/pictures",
        "/mnt/pictures2",
        "/more",
    ],
)
def test_the_form_takes_no_other_images(images: str) -> None:
    settings = Settings.from_env({**LEAST, **PLACES})
    with pytest.raises(ParamValidationError):
        params(settings)["images"].resolve(images)


def test_the_form_takes_its_own_default_whatever_the_settings_say() -> None:
    for images in ("s3://in/a/../b", "file:///mnt/../pictures", "s3://in"):
        form = params(Settings.from_env({**LEAST, "ORCHARD_IMAGES": images}))
        assert form["images"].resolve() == images


def test_no_link_or_dots_lead_out_of_the_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "secret").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "secret")
    settings = Settings.from_env({**LEAST, "ORCHARD_IMAGES": f"file://{tmp_path}/in"})
    for images in ("in/link", "in/../secret"):
        with pytest.raises(OrchardError, match="it must be one of these folders, or below one"):
            RunParams.parse({**DEFAULTS, "images": f"file://{tmp_path}/{images}"}, settings)


def test_images_whose_name_emr_would_change_are_refused_before_there_is_a_cluster() -> None:
    settings = Settings.from_env({**LEAST, "ORCHARD_IMAGES": "s3://in"})
    with pytest.raises(OrchardError, match="a URI must not contain }}, which EMR removes"):
        RunParams.parse({**DEFAULTS, "images": "s3://in/{{a}}"}, settings)


def test_images_that_contain_the_lake_are_refused() -> None:
    with pytest.raises(OrchardError, match="the lake, s3://lake, must be outside the image folder"):
        RunParams.parse({**DEFAULTS, "images": "s3://lake/"}, SETTINGS)
