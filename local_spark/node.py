"""The node's Python environment on this machine, and the folders that Spark uses."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchard_jobs.errors import OrchardError

ROOT = Path(__file__).resolve().parent.parent
# State of local runs: samples, models, logs. Tests use another folder.
STATE = Path(os.environ.get("ORCHARD_STATE", ROOT / ".orchard"))
NODE_ENV = ROOT / ".venv-node"
NODE_PYTHON = NODE_ENV / "bin" / "python"
CODE = ROOT / "build"
# The download of Keras's weights may need these.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PASSED_ON = (
    *("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KERAS_HOME"),
    *PROXIES,
    *(name.lower() for name in PROXIES),
)


def run_node_python(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> str:
    """Run the node's Python with the jobs' package on its path; return its standard output.

    Args:
        environ: The process's environment. Default: a few of the caller's variables, without credentials.

    Raises:
        OrchardError: if it fails, with its last line on standard error; or if there is no such environment.
    """
    if not NODE_PYTHON.exists():
        raise OrchardError(
            f"no {NODE_PYTHON}",
            rule="that environment contains Spark and TensorFlow",
            remedy="run `make setup`",
        )
    done = subprocess.run(
        [str(NODE_PYTHON), *arguments],
        env={
            **(_filter_environ() if environ is None else environ),
            "PYTHONPATH": str(ROOT / "spark_jobs"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [describe_exit(done.returncode, NODE_PYTHON.name)]
        raise OrchardError.from_line(lines[-1].removeprefix("orchard: "))
    return done.stdout


def _filter_environ() -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ}


def describe_exit(code: int, process: str) -> str:
    """Describe how a process ended that printed no error. A shell reports a signal as 128 plus its number."""
    number = -code if code < 0 else code - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"{process} exited with code {code} and printed no error"
    memory = ", probably because the machine ran out of memory" if name == "SIGKILL" else ""
    return f"{process} was killed by {name}{memory}"
