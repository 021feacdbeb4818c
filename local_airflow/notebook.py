"""``orchard notebook``: JupyterLab on the notebooks of this project, on loopback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NoReturn

from local_spark.node import ROOT
from orchard_jobs.errors import OrchardError

READY = ".venv-notebook/.jupyterlab-ready"
"""What the Makefile makes once JupyterLab is installed."""


def serve_notebook(lake: str) -> NoReturn:
    """Become JupyterLab; install it first where it is not. The notebook finds the folder of the lake in LAKE.

    Raises:
        OrchardError: where it cannot be installed, or the lake is not on this machine.
    """
    if "://" in lake and not lake.startswith("file:///"):
        raise OrchardError(
            f"the lake {lake}",
            rule="the notebook reads a folder of this machine",
            remedy="copy the newest run first: the notebook says which files",
        )
    if os.getuid() == 0:
        raise OrchardError(
            "you are root",
            rule="JupyterLab runs what a browser sends it, and not as root",
            remedy="run it as another user",
        )
    if not (ROOT / READY).exists() and subprocess.run(["make", READY], cwd=ROOT, check=False).returncode:
        raise OrchardError(
            f"JupyterLab cannot be installed in {ROOT / '.venv-notebook'}",
            rule="make and pip say above why",
            remedy="mend that, and try again",
        )
    program = str(ROOT / ".venv-notebook" / "bin" / "jupyter")
    environment = {**os.environ, "LAKE": str(Path(lake.removeprefix("file://")).expanduser().absolute())}
    command = [program, "lab", "--ip=127.0.0.1", str(ROOT / "notebooks")]
    os.execve(program, command, environment)  # noqa: S606 - a list, and no shell
