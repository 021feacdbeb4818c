"""The layout of a deployment. Pure: maps a revision's files, wheels and a model to objects of a bucket.

::

    code/<revision>/             what a cluster needs: ORCHARD_CODE
    code/wheelhouse/<digest>/    the wheels, which many revisions share
    models/<id>/                 the model artefact
    startup.sh                   the variables of managed Airflow, where a stack or settings are given
    requirements.txt             what managed Airflow installs
    plugins.zip                  the plugins, and the code of the pages in Airflow's UI
    dags/                        the DAGs, what they import, and dags/orchard/deployed.json

The first three are named by their content and never change, so that what a running cluster reads is as it was
when its run began. ``deployed.json`` is written last: with it the DAGs use the new ones.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.package import code_files
from deployment import pages
from deployment.archive import zip_files
from deployment.model import Model
from deployment.revision import Revision

STAMP = "dags/orchard/deployed.json"
READER_OF_STAMP = "dags/orchard/deployed.py"
AIRFLOW_REQUIREMENTS = ("deployment/requirements-mwaa.txt", "deploy/requirements-mwaa.txt")
"""Managed Airflow's requirements, with their path in older revisions, for rollbacks to those."""

PAGES_PLUGINS = frozenset({"orchard_plugin.py", "orchard_pages.py"})
"""The plugin that mounts the pages: its name now, and in older revisions."""


@dataclass(frozen=True)
class Item:
    """An object to upload.

    Args:
        group: The part of the deployment that it belongs to, for display.
        is_final: Whether it never changes after the upload.
    """

    key: str
    group: str
    content: bytes | Path
    is_final: bool = False

    def read(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()

    @property
    def size(self) -> int:
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True)
class Plan:
    """The objects of a deployment in upload order, and the objects to delete."""

    items: tuple[Item, ...]
    removed: tuple[str, ...]


def build_plan(
    revision: Revision, wheels: Sequence[Path], model: Model, bucket: str, deployed: Mapping[str, Any]
) -> Plan:
    """Return the plan. ``deployed`` is the content of the bucket's deployed.json, {} if it has none.

    Raises:
        OrchardError: if the revision is from before ``make deploy``.
    """
    revision.read(READER_OF_STAMP)
    requirements = revision.read(*AIRFLOW_REQUIREMENTS)
    wheelhouse = f"code/wheelhouse/{_digest_of(wheels)}"
    code = f"code/{revision.name}"
    items = [
        *(Item(f"{wheelhouse}/{path.name}", wheelhouse, path, True) for path in wheels),
        *_code(revision, code, f"s3://{bucket}/{wheelhouse}"),
        *_model(model, bucket),
        Item("requirements.txt", "requirements.txt", requirements),
        Item("plugins.zip", "plugins.zip", zip_plugins(revision.files)),
        *(Item(key, "dags", data) for key, data in sorted(dag_files(revision.files).items())),
    ]
    keys = [item.key for item in items if item.group == "dags"]
    environment = {"ORCHARD_CODE": f"s3://{bucket}/{code}", "ORCHARD_MODEL": model.uri}
    stamp = {"revision": revision.commit, "environment": environment, "files": keys}
    items.append(Item(STAMP, "dags", json.dumps(stamp, indent=1).encode() + b"\n"))
    # Delete from dags/ only what an earlier deployment put there: the rest belongs to someone else.
    return Plan(tuple(items), tuple(sorted({*deployed.get("files", ())} - {*keys})))


def dag_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return ``dags/`` with the jobs' package, whose contract it imports."""
    jobs = {f"dags/{path}": data for path, data in _below(files, "spark_jobs/orchard_jobs/", "spark_jobs/")}
    return {**{f"dags/{path}": data for path, data in _below(files, "dags/", "dags/")}, **jobs}


def zip_plugins(files: Mapping[str, bytes]) -> bytes:
    """Return ``plugins/`` and the pages as a reproducible zip."""
    plugins = dict(_below(files, "plugins/", "plugins/"))
    if PAGES_PLUGINS & plugins.keys():  # older revisions have no pages
        plugins[pages.NAME] = pages.zip_pages(files)
    return zip_files(plugins)


def _code(revision: Revision, folder: str, wheelhouse: str) -> Iterator[Item]:
    files = {**code_files(revision.files), "wheelhouse.txt": f"{wheelhouse}\n".encode()}
    for name, data in sorted(files.items()):
        yield Item(f"{folder}/{name}", folder, data, True)


def _model(model: Model, bucket: str) -> Iterator[Item]:
    folder = model.uri.removeprefix(f"s3://{bucket}/")
    for name, path in model.files.items():
        yield Item(f"{folder}/{name}", folder, path, True)


def _below(files: Mapping[str, bytes], folder: str, top: str) -> Iterator[tuple[str, bytes]]:
    for path, data in files.items():
        if path.startswith(folder):
            yield path.removeprefix(top), data


def _digest_of(wheels: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in wheels:
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]
