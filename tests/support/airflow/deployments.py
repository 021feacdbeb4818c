"""A repository to deploy from, a bucket to deploy to, and an index of one tiny package. Fixtures."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.support.checkout import ROOT
from tests.support.tiny_wheel import make_wheel

DEPLOYED_FOLDERS = ("dags", "plugins", "spark_jobs", "bootstrap", "deployment")
BUCKET, REGION = "orchard-lake", "eu-west-3"


@dataclass(frozen=True)
class Repository:
    """A git repository with a copy of this working tree."""

    folder: Path

    def git(self, *arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        command = ["git", "-C", self.folder, *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)

    def commit(self) -> str:
        """Commit everything; return the hash."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, index: str) -> Repository:
    """A repository whose nodes need only the package in ``index``."""
    folder = tmp_path / "repository"
    for name in DEPLOYED_FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    repository = Repository(folder)
    repository.write("bootstrap/requirements.txt", index)
    repository.git("init", "--quiet")
    repository.commit()
    return repository


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for downloads, so that pip runs only once."""
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture
def index(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The pin of the only package in the index."""
    folder = tmp_path / "index"
    folder.mkdir()
    digest = hashlib.sha256(make_wheel(folder, "tiny", "1.0").read_bytes()).hexdigest()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr("deployment.deploy.WHEELS", wheels)
    return f"tiny==1.0 \\\n    --hash=sha256:{digest}\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model artefact."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.bin").write_bytes(b"weights")
    files = {"model.bin": hashlib.sha256(b"weights").hexdigest()}
    (folder / "card.json").write_text(json.dumps({"id": "m", "files": files}))
    return folder


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The endpoint of moto's AWS on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An S3 client for a server on loopback with a versioned bucket, which child processes find too."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", moto_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    client = boto3.client("s3", REGION)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    yield client
    with urlopen(Request(f"{moto_url}/moto-api/reset", method="POST")):
        pass


@pytest.fixture
def deploy(s3: Any, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run ``orchard deploy`` on the repository with ``make deploy``'s variables; return its exit code."""
    from orchard_cli.app import main  # not importable in managed Airflow's environment (`make test-mwaa`)

    monkeypatch.setattr("deployment.deploy.ROOT", repository.folder)

    def run(**variables: str) -> int:
        return main(["deploy", *deploy_options(**{"BUCKET": BUCKET, "REGION": REGION, **variables})])

    return run


def files_of_checkout() -> dict[str, bytes]:
    """Return the files of a deployment from the working tree."""
    folders = ("dags", "plugins", "spark_jobs")
    paths = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in paths
        if "__pycache__" not in path.parts
    }


def deploy_options(**variables: str) -> list[str]:
    """Return the options into which the Makefile turns variables."""
    flags = ["--dry-run"] if variables.pop("DRY_RUN", "") else []
    return [*(f"--{name.lower().replace('_', '-')}={value}" for name, value in variables.items()), *flags]


def objects(s3: Any) -> dict[str, str]:
    """Return the version of every object, by key."""
    listed = s3.list_object_versions(Bucket=BUCKET).get("Versions", ())
    return {version["Key"]: version["VersionId"] for version in listed if version["IsLatest"]}


def read(s3: Any, key: str) -> bytes:
    data: bytes = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return data
