"""The node's Python environment on this machine, and what Spark takes from here."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchard_jobs.errors import OrchardError

ROOT = Path(__file__).resolve().parent.parent
# Environments, samples and logs of the demo; tests keep theirs elsewhere.
STATE = Path(os.environ.get("ORCHARD_STATE", ROOT / ".orchard"))
NODE_ENV = ROOT / ".venv-node"
NODE_PYTHON = NODE_ENV / "bin" / "python"
CODE = ROOT / "build"
# What the download of Keras's weights may need.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PASSED_ON = (
    *("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KERAS_HOME"),
    *PROXIES,
    *(name.lower() for name in PROXIES),
)


def run_node_python(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    """Run the node's Python with the jobs' package on its path; return what it printed.

    Args:
        environ: What it gets of the caller's environment; little by default, and no credentials.

    Raises:
        OrchardError: where it fails: the last line that it printed, or that there is no such environment.
    """
    if not NODE_PYTHON.exists():
        raise OrchardError(
            f"no {NODE_PYTHON}",
            rule="Spark and TensorFlow are in that environment",
            remedy="run `make setup`",
        )
    done = subprocess.run(
        [str(NODE_PYTHON), *arguments],
        env={
            **(_passed_on() if environ is None else environ),
            "PYTHONPATH": str(ROOT / "spark_jobs"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [describe_end(done.returncode, NODE_PYTHON.name)]
        raise OrchardError.from_line(lines[-1].removeprefix("orchard: "))
    return done.stdout


def _passed_on() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def describe_end(code: int, who: str) -> str:
    """Say how a process ended that has left no error; a shell tells of a signal by 128 and its number."""
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"{who} ended with exit code {code}, and said nothing"
    memory = ", as Linux does where memory runs out" if name == "SIGKILL" else ""
    return f"{who} was ended by {name}{memory}"
