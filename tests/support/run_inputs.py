"""The inputs of a run: a model, images and code, created with the node's Python as in `make demo`."""

import os
import subprocess
from pathlib import Path

from tests.support.checkout import NODE_PYTHON, ROOT


def export_untrained(folder: Path) -> Path:
    """Export a model artefact with untrained weights below ``folder``; return the artefact's folder."""
    export = ["-m", "orchard_jobs.models.model_export", "--weights=untrained", f"--output=file://{folder}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "spark_jobs"), "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([NODE_PYTHON, *export], env=environment, check=True, capture_output=True)
    return next(folder.glob("*/card.json")).parent


def draw_images(folder: Path, per_class: int) -> None:
    """Draw images of three classes, as ``<class>/<n>_100.jpg``."""
    command = [NODE_PYTHON, ROOT / "local_airflow" / "sample_images.py", folder]
    subprocess.run(
        [*command, "--classes", "3", "--per-class", str(per_class)], check=True, capture_output=True
    )


def package_code(folder: Path) -> None:
    """Build the files of `make package`."""
    subprocess.run(["python3", ROOT / "bootstrap" / "package.py", folder], check=True)
