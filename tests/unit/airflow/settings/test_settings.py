"""Settings come from the environment alone, and a wrong one says what to do."""

import pytest

from orchard.settings.settings import Settings, table
from orchard_jobs.contract import Precision
from orchard_jobs.errors import OrchardError

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}


def test_places_default_to_folders_of_the_lake() -> None:
    places = Settings.from_env({**LEAST, "ORCHARD_LAKE": "s3://bucket/lake/"}).places
    assert (places.lake, places.images, places.code, places.logs) == (
        "s3://bucket/lake",
        "s3://bucket/lake/images",
        "s3://bucket/lake/code",
        "s3://bucket/lake/logs",
    )


def test_every_kind_of_value_is_parsed() -> None:
    settings = Settings.from_env(
        {
            **LEAST,
            "ORCHARD_SUBNETS": "subnet-1, subnet-2",
            "ORCHARD_CORE_NODES": "3",
            "ORCHARD_PRECISION": "bfloat16",
            "ORCHARD_MAX_FAILURE_RATIO": "0.5",
            "ORCHARD_SECURITY_CONFIGURATION": "imdsv2",
            "ORCHARD_AWS_CONN_ID": "",
        }
    )
    assert settings.fleet.subnets == ("subnet-1", "subnet-2")
    assert settings.fleet.core_nodes == 3
    assert settings.nightly.precision is Precision.BFLOAT16
    assert settings.nightly.max_failure_ratio == 0.5
    assert settings.fleet.security_configuration == "imdsv2"
    assert settings.access.hook == {"aws_conn_id": None, "region_name": None}


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "ORCHARD_MODEL",
            "",
            "ORCHARD_MODEL is not set: URI of the model artefact's folder, usually",
        ),
        (
            "ORCHARD_LAKE",
            "/data/lake",
            "ORCHARD_LAKE=/data/lake: it must be s3://bucket/prefix or file:///path",
        ),
        ("ORCHARD_LAKE", "file://data/lake", "ORCHARD_LAKE=file://data/lake: it must be"),
        ("ORCHARD_IMAGES", "s3://", "ORCHARD_IMAGES=s3://: it must be"),
        (
            "ORCHARD_IMAGES",
            "s3://b/{{x}}",
            "ORCHARD_IMAGES=s3://b/{{x}}: it must be a URI without }}, which EMR",
        ),
        ("ORCHARD_CODE", "s3://code/a b", "ORCHARD_CODE=s3://code/a b: it must be an s3:// URI of letters"),
        ("ORCHARD_CORE_NODES", "two", "ORCHARD_CORE_NODES=two: it must be an integer"),
        ("ORCHARD_CORE_NODES", "21", "ORCHARD_CORE_NODES=21: it must be 1 to 20"),
        (
            "ORCHARD_CORE_TYPES",
            "m5.xlarge,m7g.xlarge",
            "ORCHARD_CORE_TYPES=m5.xlarge,m7g.xlarge: it must be x86-64 types",
        ),
        (
            "ORCHARD_CORE_TYPES",
            "p4d.24xlarge",
            "ORCHARD_EXECUTOR_MEMORY=: it must be set if the memory",
        ),
        (
            "ORCHARD_PRIMARY_TYPES",
            "x1.32xlarge",
            "ORCHARD_DRIVER_MEMORY=: it must be set if the memory",
        ),
        ("ORCHARD_COST_CEILING", "0", "ORCHARD_COST_CEILING=0.0: it must be more than 0 dollars"),
        ("ORCHARD_IMAGES_PER_CORE", "0", "ORCHARD_IMAGES_PER_CORE=0.0: it must be more than 0"),
        ("ORCHARD_BOOT_SECONDS", "-1", "ORCHARD_BOOT_SECONDS=-1: it must be 0 or more"),
        ("ORCHARD_SECURITY_GROUPS", "sg-1", "ORCHARD_SECURITY_GROUPS=sg-1: it must be two groups, or none"),
        ("ORCHARD_DECODING", "draft", "ORCHARD_DECODING=draft: it must be one of exact, scaled"),
        ("ORCHARD_PRECISION", "int8", "ORCHARD_PRECISION=int8: it must be one of float32, bfloat16"),
        ("ORCHARD_MAX_FAILURE_RATIO", "1.5", "ORCHARD_MAX_FAILURE_RATIO=1.5: it must be 0 to 1"),
        ("ORCHARD_IDLE_TIMEOUT", "59", "ORCHARD_IDLE_TIMEOUT=59: it must be 60 to 604800 seconds"),
        (
            "ORCHARD_IDLE_TIMEOUT",
            "540",
            "ORCHARD_IDLE_TIMEOUT=540 with ORCHARD_LOG_TIMEOUT=330: it must be more than 540 s, or EMR",
        ),
        (
            "ORCHARD_LOG_TIMEOUT",
            "700",
            "ORCHARD_IDLE_TIMEOUT=900 with ORCHARD_LOG_TIMEOUT=700: it must be more than 910 s, or EMR",
        ),
        (
            "ORCHARD_LAKE",
            "s3://lake/[a]",
            "ORCHARD_LAKE=s3://lake/[a]: it must be a URI without any of * ? [",
        ),
        ("ORCHARD_REGION", "Paris", "ORCHARD_REGION=Paris: it must be a region name, such as eu-west-3"),
        (
            "ORCHARD_DRIVER_MEMORY",
            "lots",
            "ORCHARD_DRIVER_MEMORY=lots: it must be a number followed by m or g",
        ),
        ("ORCHARD_CRON", "0 2 * *", "ORCHARD_CRON=0 2 * *: it must be a cron expression of five fields"),
        (
            "ORCHARD_CRON",
            "0 25 * * *",
            "ORCHARD_CRON=0 25 * * *: it must be a cron expression of five fields",
        ),
        (
            "ORCHARD_TIME_ZONE",
            "Mars/Base",
            "ORCHARD_TIME_ZONE=Mars/Base: it must be a name such as Europe/Paris",
        ),
        (
            "ORCHARD_BOOTSTRAP_ARGS",
            "--a 'b",
            "ORCHARD_BOOTSTRAP_ARGS=--a 'b: it must be arguments with balanced",
        ),
        ("ORCHARD_MAX_CLUSTERS", "0", "ORCHARD_MAX_CLUSTERS=0: it must be 1 or more"),
        (
            "ORCHARD_MAX_CLUSTER_HOURS",
            "0",
            "ORCHARD_MAX_CLUSTER_HOURS=0.0: it must be more than 0 and at most",
        ),
        (
            "ORCHARD_MAX_CLUSTER_HOURS",
            "169",
            "ORCHARD_MAX_CLUSTER_HOURS=169.0: it must be more than 0 and at",
        ),
        ("ORCHARD_SWEEP_GRACE", "-1", "ORCHARD_SWEEP_GRACE=-1: it must be 0 or more"),
        ("ORCHARD_WARNING_RATIO", "1.5", "ORCHARD_WARNING_RATIO=1.5: it must be 0 to 1"),
        (
            "ORCHARD_QUEUE_URL",
            "images",
            "ORCHARD_QUEUE_URL=images: it must be https://sqs.<region>.amazonaws.com",
        ),
        ("ORCHARD_NODE_ENV", "venv", "ORCHARD_NODE_ENV=venv: it must be an absolute path"),
    ],
)
def test_a_wrong_setting_names_itself_its_value_and_the_rule(variable: str, value: str, message: str) -> None:
    with pytest.raises(OrchardError) as error:
        Settings.from_env({**LEAST, variable: value})
    assert str(error.value).startswith(message)


def test_a_lake_inside_the_images_is_refused_because_its_files_would_be_listed() -> None:
    with pytest.raises(OrchardError, match="ORCHARD_LAKE=file:///data/lake: it must be a folder outside"):
        Settings.from_env({**LEAST, "ORCHARD_LAKE": "file:///data/lake", "ORCHARD_IMAGES": "file:///data"})


def test_a_neighbour_whose_name_begins_like_the_images_folder_is_no_part_of_it() -> None:
    settings = Settings.from_env(
        {**LEAST, "ORCHARD_LAKE": "file:///data-lake", "ORCHARD_IMAGES": "file:///data"}
    )
    assert settings.places.lake == "file:///data-lake"


def test_the_table_lists_each_variable_once_with_its_default() -> None:
    rows = {variable.name: variable for variable in table()}
    assert len(rows) == len(table())
    assert rows["ORCHARD_LAKE"].default == "required"
    assert rows["ORCHARD_IMAGES"].default == "`<lake>/images`"
    assert rows["ORCHARD_CORE_NODES"].default == "none: derived from the number of new images"
    assert rows["ORCHARD_SUBNETS"].default == "none"
    assert all(variable.description for variable in rows.values())
