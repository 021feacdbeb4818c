"""An S3 server on loopback with images, code and a model. Fixtures of suites that run jobs on S3."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.support.checkout import NODE_PYTHON
from tests.support.jars import require_jars
from tests.support.run_inputs import draw_images, package_code
from tests.support.s3a.buckets import CODE, CORRUPT, HARD_NAMES, IMAGES, LAKE, upload
from tests.support.s3a.jobs import RunOnFiles, start_on_files
from tests.support.s3a.server import S3Server


@pytest.fixture(scope="session")
def s3a_jars() -> None:
    require_jars("s3a")


@pytest.fixture(scope="session")
def s3_server(s3a_jars: None) -> Iterator[S3Server]:
    """An S3 server with empty buckets; AWS_ENDPOINT_URL_S3 points to it."""
    server = S3Server()
    with server.running(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_S3", server.url)
        for bucket in (IMAGES, LAKE):
            boto3.client("s3").create_bucket(Bucket=bucket)
        yield server


@pytest.fixture(scope="session")
def image_folder(s3a_jars: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn images, some with names that are special in URIs and shells, and a corrupt one."""
    folder = tmp_path_factory.mktemp("images")
    draw_images(folder, per_class=6)
    drawn = sorted(folder.glob("*/*.jpg"))
    for path, name in zip(drawn, HARD_NAMES, strict=False):
        (folder / name).parent.mkdir(exist_ok=True)
        path.rename(folder / name)
    (folder / CORRUPT).write_bytes(drawn[-1].read_bytes()[:500])
    return folder


@pytest.fixture(scope="session")
def code_in_s3(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """URI of the files of `make package`. In S3, a bootstrap action would need the AWS CLI."""
    folder = tmp_path_factory.mktemp("code")
    package_code(folder)
    upload(folder, CODE)
    return f"file://{folder}"


@pytest.fixture(scope="session")
def model_in_s3(s3_server: S3Server, untrained_model: Path) -> str:
    """URI of the model artefact in S3."""
    upload(untrained_model, f"s3://{LAKE}/models/{untrained_model.name}")
    return f"s3://{LAKE}/models/{untrained_model.name}"


@pytest.fixture(scope="session")
def run_on_files(
    image_folder: Path, untrained_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunOnFiles]:
    """A run on the same images in a local folder, for comparison; it runs in parallel."""
    running = start_on_files(image_folder, untrained_model, tmp_path_factory.mktemp("run"))
    yield running
    running.process.kill()  # no effect if it has ended


@pytest.fixture(scope="session")
def s3_environ(model_in_s3: str, code_in_s3: str) -> dict[str, str]:
    """Settings of the tests, except for lake and images."""
    return {
        "ORCHARD_MODEL": model_in_s3,
        "ORCHARD_CODE": code_in_s3,
        "ORCHARD_NODE_ENV": str(NODE_PYTHON.parents[1]),
        "ORCHARD_BOOTSTRAP_ARGS": "--with-tensorflow",
        "ORCHARD_SUBNETS": "subnet-0a1b2c3d",
        "ORCHARD_COMPONENTS": "5",
        "ORCHARD_DRIVER_MEMORY": "1g",
        "ORCHARD_MAX_FAILURE_RATIO": "0.2",
        "ORCHARD_SENSE_TIMEOUT": "0",
        "ORCHARD_POLL_INTERVAL": "1",
        "ORCHARD_LOG_TIMEOUT": "5",
        "ORCHARD_RETRIES": "0",
        "ORCHARD_RETRY_DELAY": "0",
    }
