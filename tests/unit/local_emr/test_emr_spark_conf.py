"""A cluster's Spark settings, adapted to a machine without YARN."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_emr.execution.spark_conf import (
    Adapted,
    Capabilities,
    adapt_property,
    build_defaults,
    read_exports,
    read_properties,
    render_properties,
)
from local_emr.execution.spark_submit import adapt_arguments, names_properties

MACHINE = f"{psutil.virtual_memory().total >> 20}m"


def test_defaults_keep_what_was_asked_for_and_end_with_what_the_machine_needs() -> None:
    asked = {
        "spark.sql.shuffle.partitions": "8",
        "spark.master": "yarn",
        "spark.dynamicAllocation.enabled": "true",
        "spark.executor.memory": "1g",
        "spark.ui.enabled": "true",
        "spark.driver.defaultJavaOptions": "-Xss4m",
    }
    defaults, notes = build_defaults(asked, "local[2]", Path("/work dir/tmp"))
    assert defaults == {
        "spark.sql.shuffle.partitions": "8",
        "spark.executor.memory": "1g",
        "spark.master": "local[2]",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.defaultJavaOptions": '"-Djava.io.tmpdir=/work dir/tmp" -Xss4m',
        "spark.ui.enabled": "false",
        "spark.local.dir": "/work dir/tmp",
    }
    assert notes == [
        "spark.master=yarn is left out: this machine has no YARN",
        "spark.dynamicAllocation.enabled=true is left out: this machine has no YARN",
    ]


@pytest.mark.parametrize("size", ["900t", "900T", "900tb", f"{1 << 50}k"])
def test_memory_beyond_the_machine_is_capped(size: str) -> None:
    note = f"spark.driver.memory={size} is more than this machine has: using {MACHINE}"
    assert adapt_property("spark.driver.memory", size) == Adapted(MACHINE, note)


@pytest.mark.parametrize("size", ["512m", "1g", "1024", "lots"])
def test_memory_within_the_machine_and_what_is_no_memory_pass(size: str) -> None:
    assert adapt_property("spark.driver.memory", size) == Adapted(size)


def test_the_committer_that_only_emr_has_gives_way_to_hadoops() -> None:
    name = "spark.hadoop.fs.s3a.committer.name"
    note = f"{name}=magicv2 exists only on EMR: using Hadoop's magic committer"
    assert adapt_property(name, "magicv2") == Adapted("magic", note)
    assert adapt_property(name, "directory") == Adapted("directory")


def test_a_python_of_emr_nodes_gives_way_to_the_nodes_own() -> None:
    assert adapt_property("spark.pyspark.python", "/opt/orchard/no/such/python").value is None
    assert adapt_property("spark.pyspark.python", sys.executable) == Adapted(sys.executable)


def test_where_bootstrap_actions_make_the_python_its_path_is_kept() -> None:
    missing = "/opt/orchard/no/such/python"
    assert adapt_property("spark.pyspark.python", missing, Capabilities(own_python=True)) == Adapted(missing)
    option = ["--conf", f"spark.pyspark.python={missing}", "run.py"]
    assert adapt_arguments(option, Capabilities(own_python=True)) == (option, [])
    defaults, notes = build_defaults(
        {"spark.pyspark.python": missing}, "local", Path("/tmp"), Capabilities(own_python=True)
    )
    assert (defaults["spark.pyspark.python"], notes) == (missing, [])


def test_options_of_spark_submit_are_adapted_and_the_applications_are_not() -> None:
    application = ["s3://b/run.py", "--master", "yarn", "--conf", "spark.master=yarn", "--driver-memory=900t"]
    options = [
        *("--master", "yarn", "--deploy-mode=cluster", "--verbose", "--driver-memory", "900t"),
        *(
            "--conf",
            "spark.dynamicAllocation.enabled=true",
            "--conf",
            "spark.a=b=c",
            "--py-files",
            "s3://b/x.zip",
        ),
    ]
    adapted, notes = adapt_arguments([*options, *application])
    assert adapted == [
        *("--verbose", "--driver-memory", MACHINE, "--conf", "spark.a=b=c", "--py-files", "s3://b/x.zip"),
        *application,
    ]
    assert len(notes) == 4


def test_where_there_is_yarn_what_needs_it_is_kept() -> None:
    capabilities = Capabilities(yarn=True)
    options = ["--master", "yarn", "--deploy-mode", "cluster", "--conf", "spark.yarn.maxAppAttempts=1"]
    assert adapt_arguments([*options, "run.py"], capabilities) == ([*options, "run.py"], [])
    assert adapt_property("spark.yarn.maxAppAttempts", "1", capabilities) == Adapted("1")


@given(st.lists(st.text()))
def test_arguments_of_an_application_are_never_touched(arguments: list[str]) -> None:
    assert adapt_arguments(["run.py", *arguments]) == (["run.py", *arguments], [])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--properties-file", "own.conf"], True),
        (["--verbose", "--properties-file=own.conf"], True),
        (["--load-spark-defaults", "--name", "x"], True),
        (["--name", "--properties-file"], False),
        ([], False),
    ],
)
def test_the_properties_that_a_step_names_are_seen_among_its_options_alone(
    options: list[str], expected: bool
) -> None:
    assert names_properties([*options, "run.py", "--properties-file", "the application's"]) is expected


def test_classifications_are_found_and_later_ones_win() -> None:
    configurations: list[dict[str, Any]] = [
        {"Classification": "spark-defaults", "Properties": {"a": "1", "b": "1"}},
        {"Classification": "yarn-site", "Properties": {"a": "9"}},
        {"Classification": "spark-defaults", "Properties": {"b": "2"}},
        {
            "Classification": "spark-env",
            "Configurations": [{"Classification": "export", "Properties": {"X": "y"}}],
        },
    ]
    assert read_properties(configurations, "spark-defaults") == {"a": "1", "b": "2"}
    assert read_exports(configurations) == {"X": "y"}


def test_a_value_stays_on_its_line() -> None:
    assert render_properties({"spark.a b": " x\\y\nz"}) == "spark.a\\ b \\ x\\\\y\\nz\n"


def test_event_logs_stay_in_a_lake_and_are_left_out_where_they_are_for_hdfs() -> None:
    lake = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": "s3://lake/logs/spark-events"}
    defaults, notes = build_defaults(lake, "local", Path("/tmp"))
    assert (lake.items() <= defaults.items(), notes) == (True, [])
    hdfs = lake | {"spark.eventLog.dir": "hdfs:///var/log/spark/apps"}
    defaults, notes = build_defaults(hdfs, "local", Path("/tmp"))
    assert [key for key in defaults if key.startswith("spark.eventLog")] == []
    assert notes == ["spark.eventLog.dir=hdfs:///var/log/spark/apps is left out: this machine has no HDFS"]
