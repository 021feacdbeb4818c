"""An S3 on loopback and a local EMR whose node reads s3:// through S3A, as EMR's nodes do."""

from tests.airflow_in_process import airflow_db, airflow_home  # noqa: F401 - fixtures

# isort: split

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local_emr.execution.spark_conf import render_properties
from local_emr.launcher import running_emr
from tests.faults.node import QUICK_JVM
from tests.ingredients import NODE_PYTHON, draw_images, export_untrained, package_code
from tests.jars import JARS, require_jars
from tests.s3a.buckets import CODE, IMAGES, LAKE, upload
from tests.s3a.s3_server import S3Server

HARD_NAMES = ("a b/two  spaces.jpg", "a b/#1.jpg", "50%/100%.jpg", "50%/%20.jpg", "ü/é.jpg", "a+b/1+1 &=.jpg")
CORRUPT = "a b/corrupt #1.jpg"


@pytest.fixture(scope="session")
def _needs_jars() -> None:
    require_jars("s3a")


@pytest.fixture(scope="session")
def s3(_needs_jars: None) -> Iterator[S3Server]:
    """An S3 with empty buckets; AWS_ENDPOINT_URL_S3 points to it."""
    server = S3Server()
    with server.running():
        os.environ["AWS_ENDPOINT_URL_S3"] = server.url
        for bucket in (IMAGES, LAKE):
            boto3.client("s3").create_bucket(Bucket=bucket)
        yield server
        del os.environ["AWS_ENDPOINT_URL_S3"]


@pytest.fixture(scope="session")
def images(_needs_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn images, some of them under names that URIs and shells would take apart, and a corrupt one."""
    folder = tmp_path_factory.mktemp("images")
    draw_images(folder, per_class=6)
    drawn = sorted(folder.glob("*/*.jpg"))
    for path, name in zip(drawn, HARD_NAMES, strict=False):
        (folder / name).parent.mkdir(exist_ok=True)
        path.rename(folder / name)
    (folder / CORRUPT).write_bytes(drawn[-1].read_bytes()[:500])
    return folder


@pytest.fixture(scope="session")
def code(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of what `make package` makes. It is in S3, too; but there a bootstrap action needs the AWS CLI."""
    folder = tmp_path_factory.mktemp("code")
    package_code(folder)
    upload(folder, CODE)
    return f"file://{folder}"


@pytest.fixture(scope="session")
def artefact(_needs_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an untrained model."""
    return export_untrained(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def model(s3: S3Server, artefact: Path) -> str:
    """URI of the artefact in S3."""
    upload(artefact, f"s3://{LAKE}/models/{artefact.name}")
    return f"s3://{LAKE}/models/{artefact.name}"


@pytest.fixture(scope="session")
def emr_url(s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint of the local EMR; AWS_ENDPOINT_URL_EMR points to it."""
    folder = tmp_path_factory.mktemp("emr")
    defaults = folder / "spark-defaults.conf"
    defaults.write_text(render_properties(node_defaults(s3.url)))
    options = ["--spark-defaults", str(defaults), "--cores", "2", "--stop-grace-seconds", "2"]
    with running_emr(NODE_PYTHON, folder / "work", log_file=folder / "log", options=options) as url:
        os.environ["AWS_ENDPOINT_URL_EMR"] = url
        yield url
        del os.environ["AWS_ENDPOINT_URL_EMR"]


def node_defaults(s3_url: str) -> dict[str, str]:
    """Return the Spark properties that a node of EMR has of itself: S3A, under s3://, and where S3 is."""
    return {
        "spark.driver.extraClassPath": f"{JARS['s3a'].folder}/*",
        "spark.executor.extraClassPath": f"{JARS['s3a'].folder}/*",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": s3_url,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.driver.extraJavaOptions": QUICK_JVM,
    }


@pytest.fixture(scope="session")
def environ(model: str, code: str) -> dict[str, str]:
    """Settings of the tests, but for lake and images."""
    return {
        "ORCHARD_MODEL": model,
        "ORCHARD_CODE": code,
        "ORCHARD_NODE_ENV": str(NODE_PYTHON.parents[1]),
        "ORCHARD_BOOTSTRAP_ARGS": "--with-tensorflow",
        "ORCHARD_COMPONENTS": "5",
        "ORCHARD_DRIVER_MEMORY": "1g",
        "ORCHARD_MAX_FAILURE_RATIO": "0.2",
        "ORCHARD_SENSE_TIMEOUT": "0",
        "ORCHARD_POLL_INTERVAL": "1",
        "ORCHARD_LOG_TIMEOUT": "5",
        "ORCHARD_RETRIES": "0",
        "ORCHARD_RETRY_DELAY": "0",
    }
