"""The node's ``spark-submit``: Spark's own, or one that is warm already, as ``spark.json`` says.

A start of Spark's takes ten seconds of two cores, and a fault that is not about Spark's processes looks no
different with it. So a step is handed to a Spark that all scenarios share (``warm_spark.py``), unless the
scenario says ``{"featurize": {"how": "real"}}``; ``options`` are more options of a real spark-submit. With
``"hold": true`` it first waits for the file ``release``.

Usage: spark_submit.py SOCKET JAVA_OPTIONS [spark-submit's arguments]. Standard library only.
"""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

START_SECONDS = 90.0  # of the warm Spark


def main(address: str, java_options: str, arguments: list[str]) -> int:
    at = next(place for place, argument in enumerate(arguments) if argument.endswith("/run.py"))
    job = arguments[at + 1 :]
    behaviour = behaviour_of(job)
    if behaviour.get("hold"):
        wait_for_release(scenario_of(job))
    if behaviour.get("how") == "real":
        return run_real(behaviour, java_options, arguments)
    return run_warm(address, job)


def scenario_of(job: list[str]) -> Path:
    """Return the scenario's folder: the run is in ``<scenario>/<lake>/runs/<run>``."""
    output = next(token for token in job if token.startswith("--output=file://"))
    return Path(output.removeprefix("--output=file://")).parents[2]


def behaviour_of(job: list[str]) -> dict[str, Any]:
    try:
        behaviours = json.loads((scenario_of(job) / "spark.json").read_text())
    except FileNotFoundError:
        return {}
    found: dict[str, Any] = behaviours.get(job[0], {})
    return found


def wait_for_release(scenario: Path) -> None:
    """Whoever holds a step ends it, too: EMR cancels it, or the test's end kills it."""
    while not (scenario / "release").exists():
        time.sleep(0.05)


def run_real(behaviour: dict[str, Any], java_options: str, arguments: list[str]) -> int:
    program = f"{os.environ['SPARK_HOME']}/bin/spark-submit"
    environment = {**os.environ, "JAVA_TOOL_OPTIONS": java_options}
    os.execve(program, [program, *behaviour.get("options", []), *arguments], environment)  # never returns


def run_warm(address: str, job: list[str]) -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connect(connection, address)
        connection.sendall(json.dumps(job).encode() + b"\n")
        answer = json.loads(connection.makefile().readline())
    sys.stderr.write(answer["output"])
    return int(answer["code"])


def connect(connection: socket.socket, address: str) -> None:
    """Wait until the warm Spark listens: nobody else does."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
