"""``orchard notebook``: JupyterLab with the notebooks of this project, on loopback."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import NoReturn

from local_spark.node import ROOT
from orchard_jobs.errors import OrchardError

READY = ".venv-notebook/.jupyterlab-ready"
"""The Makefile creates this file once JupyterLab is installed."""


def serve_notebook(lake: str) -> NoReturn:
    """Install JupyterLab if needed, and replace this process with it. Its LAKE variable names the lake.

    Raises:
        OrchardError: if it cannot be installed, or the lake is not on this machine.
    """
    if "://" in lake and not lake.startswith("file:///"):
        raise OrchardError(
            f"the lake {lake}",
            rule="the notebook reads a local folder",
            remedy="copy the newest run first: the notebook lists the files",
        )
    if os.getuid() == 0:
        raise OrchardError(
            "you are root",
            rule="JupyterLab runs code that a browser sends, so it must not run as root",
            remedy="run it as another user",
        )
    if not (ROOT / READY).exists() and subprocess.run(["make", READY], cwd=ROOT, check=False).returncode:
        raise OrchardError(
            f"JupyterLab cannot be installed in {ROOT / '.venv-notebook'}",
            rule="the notebook needs it",
            remedy="fix the error that make or pip printed above, and try again",
        )
    program = str(ROOT / ".venv-notebook" / "bin" / "jupyter")
    environment = {**os.environ, "LAKE": str(Path(lake.removeprefix("file://")).expanduser().absolute())}
    command = [program, "lab", "--ip=127.0.0.1", str(ROOT / "notebooks")]
    os.execve(program, command, environment)  # noqa: S606 - a list, and no shell
