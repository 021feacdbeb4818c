"""``orchard history``: Spark's history server for the event logs of a lake, on loopback."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

from local_emr.execution.node import find_spark_home
from local_emr.execution.spark_conf import render_properties
from local_spark.node import NODE_PYTHON, STATE
from orchard_jobs.errors import OrchardError

DEFAULT_PORT = 18080
SERVER = "org.apache.spark.deploy.history.HistoryServer"


def find_folder(lake: str) -> Path:
    """Return the folder of the lake's event logs.

    Raises:
        OrchardError: if there is none.
    """
    if "://" in lake and not lake.startswith("file:///"):
        raise OrchardError(
            f"the lake {lake}",
            rule="the history server reads a local folder",
            remedy=f"copy the event logs first: aws s3 sync {lake.rstrip('/')}/logs/spark-events "
            "lake/logs/spark-events, then orchard history --lake=lake",
        )
    folder = Path(lake.removeprefix("file://")).expanduser().absolute() / "logs" / "spark-events"
    if not folder.is_dir():
        raise OrchardError(
            f"no folder {folder}",
            rule="the first run in a lake creates it",
            remedy="name a lake with runs: --lake=DIR, or LAKE=DIR with make",
        )
    return folder


def serve_history(lake: str, port: int) -> NoReturn:
    """Replace this process with the server.

    Raises:
        OrchardError: if Spark is not installed, or the lake has no event logs.
    """
    folder = find_folder(lake)
    spark_home = find_spark_home(NODE_PYTHON)
    if spark_home is None:
        raise OrchardError(
            f"{NODE_PYTHON} has no pyspark", rule="the history server needs it", remedy="run `make setup`"
        )
    properties = {
        "spark.history.fs.logDirectory": f"file://{folder}",
        "spark.history.ui.port": str(port),
        "spark.history.fs.update.interval": "10s",
    }
    conf = STATE / "history.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(render_properties(properties), encoding="utf-8")
    environment = {
        **os.environ,
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",  # listen on loopback only
        "SPARK_DAEMON_MEMORY": os.environ.get("SPARK_DAEMON_MEMORY", "1g"),
    }
    print(f"Spark history  http://127.0.0.1:{port}   for {folder}   Ctrl-C stops it", flush=True)
    program = str(spark_home / "bin" / "spark-class")
    command = [program, SERVER, "--properties-file", str(conf)]
    os.execve(program, command, environment)  # noqa: S606 - a list, and no shell
