"""``make history``: Spark's history server, on loopback, on the event logs of a lake."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from local.emr.node import find_spark_home
from local.emr.spark_conf import render_properties
from local.node import NODE_PYTHON, STATE

DEFAULT_PORT = "18080"
SERVER = "org.apache.spark.deploy.history.HistoryServer"


class NoHistoryError(Exception):
    """One line: what was found, the rule, the remedy."""


def main() -> int:
    try:
        folder = find_folder(os.environ.get("LAKE") or "lake")
        port = check_port(os.environ.get("PORT") or DEFAULT_PORT)
        print(f"Spark history  http://127.0.0.1:{port}   of {folder}   Ctrl-C ends it", flush=True)
        serve(folder, port)
    except NoHistoryError as error:
        print(f"orchard: {error}", file=sys.stderr)
    return 2


def find_folder(lake: str) -> Path:
    """Return the folder of the lake's event logs.

    Raises:
        NoHistoryError: where there is none.
    """
    if "://" in lake and not lake.startswith("file:///"):
        raise NoHistoryError(
            f"LAKE={lake}: it takes a folder here. Copy the event logs first: aws s3 sync "
            f"{lake.rstrip('/')}/logs/spark-events lake/logs/spark-events, then make history LAKE=lake"
        )
    folder = Path(lake.removeprefix("file://")).expanduser().absolute() / "logs" / "spark-events"
    if not folder.is_dir():
        raise NoHistoryError(
            f"no folder {folder}: the first run of a lake makes it. Name a lake that has run: LAKE=…"
        )
    return folder


def check_port(port: str) -> str:
    """Refuse what is no port. Raises NoHistoryError."""
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise NoHistoryError(f"PORT={port}: it takes a number from 1 to 65535")
    return port


def serve(folder: Path, port: str) -> None:
    """Become the server; does not return. Raises NoHistoryError where there is no Spark."""
    spark_home = find_spark_home(NODE_PYTHON)
    if spark_home is None:
        raise NoHistoryError(f"{NODE_PYTHON} has no pyspark: make it with `make setup`")
    properties = {
        "spark.history.fs.logDirectory": f"file://{folder}",
        "spark.history.ui.port": port,
        "spark.history.fs.update.interval": "10s",
    }
    conf = STATE / "history.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(render_properties(properties), encoding="utf-8")
    environment = {
        **os.environ,
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",  # where it listens
        "SPARK_DAEMON_MEMORY": os.environ.get("SPARK_DAEMON_MEMORY", "1g"),
    }
    program = str(spark_home / "bin" / "spark-class")
    command = [program, SERVER, "--properties-file", str(conf)]
    os.execve(program, command, environment)  # noqa: S606 - a list, and no shell


if __name__ == "__main__":
    sys.exit(main())
