"""A node's environment whose spark-submit is ours, and the Spark that it hands its steps to."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_emr.execution.node import find_spark_home
from tests.support.spark_cluster import QUICK_JVM, spark_environment

SPARK = Path(__file__).parent / "spark"


@dataclass(frozen=True)
class Node:
    """Where a node's Python is, and Spark's home."""

    python: Path
    spark_home: Path


@contextmanager
def running_node(node_env: Path, code: Path, folder: Path) -> Iterator[Node]:
    """A node as EMR has it, with a warm Spark beside it that is gone with the block."""
    # A socket's path may have a hundred characters: too few for pytest's folders.
    with tempfile.TemporaryDirectory(prefix="warm-") as short:
        socket = Path(short) / "spark"
        node = _make(node_env, folder, socket)
        with (folder / "warm_spark.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(node.spark_home / "bin" / "spark-submit", "--master", "local[2]"),
                    *("--driver-memory", "1g", "--conf", "spark.ui.enabled=false"),
                    *("--conf", "spark.driver.host=127.0.0.1"),
                    *("--py-files", code / "orchard_jobs.zip", SPARK / "warm_spark.py", socket),
                ],
                env={**spark_environment(node.spark_home, node.python), "JAVA_TOOL_OPTIONS": QUICK_JVM},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield node  # who needs it waits for it
            finally:
                # At once, it has nothing to lose; the daemon of Python workers ends with its JVM.
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _make(node_env: Path, folder: Path, socket: Path) -> Node:
    """A virtual environment with the libraries of ``node_env`` and a spark-submit of its own."""
    python = folder / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to((node_env / "bin" / "python").absolute())
    (folder / "lib").symlink_to((node_env / "lib").resolve())
    (folder / "pyvenv.cfg").write_bytes((node_env / "pyvenv.cfg").read_bytes())
    program = shlex.join([str(python), "-S", str(SPARK / "spark_submit.py"), str(socket), QUICK_JVM])
    submit = folder / "bin" / "spark-submit"
    submit.write_text(f'#!/usr/bin/env bash\nexec {program} "$@"\n')
    submit.chmod(0o755)
    spark_home = find_spark_home(python)
    assert spark_home, f"{node_env} has no pyspark"
    return Node(python, spark_home)
