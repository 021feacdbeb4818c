"""notebooks/explore.ipynb, run on a real lake in an environment of its own."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from tests.support.airflow.in_process import OUTSIDE
from tests.support.checkout import ROOT

NOTEBOOK = ROOT / "notebooks" / "explore.ipynb"
PYTHON = ROOT / ".venv-notebook" / "bin" / "python"
# Over a socket file: the kernel listens on no port.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
from traitlets.config import Config
notebook = nbformat.read(sys.argv[1], as_version=4)
config = Config({"KernelManager": {"transport": "ipc"}})
NotebookClient(notebook, timeout=300, config=config).execute()
nbformat.write(notebook, sys.argv[2])
"""


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return found


def test_it_reads_the_newest_run_plots_and_tells_the_labels_apart(lake: Path, tmp_path: Path) -> None:
    environment = {
        **OUTSIDE,
        "LAKE": str(lake),
        "MPLCONFIGDIR": str(tmp_path),
        "IPYTHONDIR": str(tmp_path),
    }
    done = subprocess.run(
        [PYTHON, "-c", RUN, NOTEBOOK, tmp_path / "run.ipynb"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outputs = [output for cell in cells(tmp_path / "run.ipynb") for output in cell.get("outputs", ())]
    said = "".join("".join(output.get("text", "")) for output in outputs)
    assert "12 images, 3 labels, 2 components" in said
    assert f"{json.loads((lake / 'latest.json').read_text())['run']}, published" in said
    accuracy, held_out = re.search(r"accuracy ([0-9.]+) on (\d+) held-out images", said).groups()  # type: ignore[union-attr]
    assert 0 <= float(accuracy) <= 1
    assert held_out == "3"
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3


def test_its_outputs_are_not_in_git() -> None:
    assert [
        cell["id"] for cell in cells(NOTEBOOK) if cell.get("outputs") or cell.get("execution_count")
    ] == []
