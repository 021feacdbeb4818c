"""A YARN, and a local EMR that submits to it what EMR would; images, model and lake are in S3."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr.authentication import Endpoint
from local_emr.execution.node import find_spark_home
from local_emr.execution.spark_conf import render_properties
from local_emr.launcher import running_emr
from tests.support.checkout import NODE_PYTHON
from tests.support.jars import JARS, require_jars
from tests.support.local_emr_client import point_to
from tests.support.s3a.node import node_defaults
from tests.support.s3a.server import S3Server
from tests.support.spark_cluster import QUICK_JVM
from tests.system.yarn.yarn import Yarn, running_yarn

PASSED = ("HADOOP_CONF_DIR", "JAVA_TOOL_OPTIONS", "SPARK_DIST_CLASSPATH")


@pytest.fixture(scope="session")
def spark_home() -> Path:
    found = find_spark_home(NODE_PYTHON)
    assert found, f"{NODE_PYTHON} has no pyspark"
    return found


@pytest.fixture(scope="session")
def yarn(s3_server: S3Server, spark_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yarn]:
    require_jars("yarn")
    with running_yarn(spark_home, tmp_path_factory.mktemp("yarn")) as yarn:
        yield yarn


@pytest.fixture(scope="session")
def emr(
    yarn: Yarn, s3_server: S3Server, spark_home: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Endpoint]:
    """The endpoint of the local EMR, which AWS's clients find."""
    folder = tmp_path_factory.mktemp("emr")
    defaults = folder / "spark-defaults.conf"
    defaults.write_text(
        render_properties(
            {
                **node_defaults(s3_server.url),
                "spark.yarn.jars": f"local:{spark_home}/jars/*",
                "spark.yarn.stagingDir": f"file://{folder}/staging",
                "spark.yarn.am.memory": "512m",
            }
        )
    )
    options = ["--spark-master", "yarn", "--spark-defaults", str(defaults), "--stop-grace-seconds", "2"]
    options += [f"--pass-env={name}" for name in PASSED]
    options += [f"--container-logs={folder}" for folder in yarn.container_logs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HADOOP_CONF_DIR", str(yarn.conf_dir))
        patch.setenv("JAVA_TOOL_OPTIONS", QUICK_JVM)
        # In cluster mode spark-submit itself reads s3://, to give YARN what the driver needs.
        patch.setenv("SPARK_DIST_CLASSPATH", f"{JARS['s3a'].folder}/*")
        with running_emr(NODE_PYTHON, folder / "work", log_file=folder / "log", options=options) as endpoint:
            point_to(endpoint, patch)
            yield endpoint
