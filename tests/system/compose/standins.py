"""Base images: the real ones if they can be pulled, or else replacements built from Debian and PyPI."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.support.checkout import ROOT
from tests.system.compose.command import FailedError, run, say

FOLDER = Path(__file__).parent / "standins"
DEBIAN = "orchard-standin/debian:bookworm"
PYTHON = "orchard-standin/python:3.11"
STANDINS = {
    "POSTGRES_IMAGE": "orchard-standin/postgres:17",
    "AIRFLOW_IMAGE": "orchard-standin/airflow:3.3.2",
    "PYTHON_IMAGE": PYTHON,
}
PACKAGES = "ca-certificates,netbase,python3-pip,python3.11,python3.11-venv,tzdata"
PULL_SECONDS = 600.0


def choose_bases(wanted: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """Return an image for each variable of .env.example that names one."""
    chosen = {}
    for variable, image in wanted.items():
        chosen[variable] = image if _can_pull(image) else _build(variable, scratch)
        say(f"{variable:<15} {chosen[variable]}")
    return chosen


def _can_pull(image: str) -> bool:
    try:
        run("docker", "pull", "--quiet", image, timeout=PULL_SECONDS)
    except (FailedError, subprocess.TimeoutExpired):
        return False
    return True


def _build(variable: str, scratch: Path) -> str:
    image = STANDINS[variable]
    needed = [PYTHON] if variable == "AIRFLOW_IMAGE" else []
    context = scratch / "context"
    if not context.exists():
        _fill(context)
        _import_debian(scratch)
    for tag in (*needed, image):
        name = tag.partition("/")[2].partition(":")[0]
        run(
            "docker",
            "build",
            "--quiet",
            "--tag",
            tag,
            "--file",
            str(context / f"{name}.Dockerfile"),
            str(context),
        )
    return image


def _fill(context: Path) -> None:
    """Write the build context: Dockerfiles, Airflow's pins, and the certificates that this machine trusts."""
    shutil.copytree(FOLDER, context)
    shutil.copy(ROOT / "requirements.txt", context)
    (context / "certificates").mkdir()
    for certificate in Path("/usr/local/share/ca-certificates").rglob("*.crt"):
        shutil.copy(certificate, context / "certificates")


def _import_debian(scratch: Path) -> None:
    """Build a minimal Debian image; debootstrap needs root."""
    if run("docker", "images", "--quiet", DEBIAN).strip():
        return
    root = scratch / "debian"
    run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root))
    archive = scratch / "debian.tar"
    run("tar", "--directory", str(root), "--create", "--file", str(archive), ".")
    run("docker", "import", str(archive), DEBIAN)
    archive.unlink()
    shutil.rmtree(root)
