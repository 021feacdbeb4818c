"""`python -m local_emr`: serves until SIGTERM or SIGINT, then ends every cluster with its processes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from local_emr.execution.work_dir import WorkDirInUseError, claim_work_dir
from local_emr.server import EmrServer
from local_emr.settings import Settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; the exit code is 0 after a signal and 2 where the server could not start."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parent = os.getppid()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = _settings(options)
        with claim_work_dir(settings.work_dir):
            server = EmrServer(settings)
            server.start()
            _announce(server.url, options.ready_file)
            while not stopping.wait(0.5):
                if options.exit_with_parent and os.getppid() != parent:
                    break
            server.stop()
    except (OSError, ValueError, WorkDirInUseError) as error:
        print(f"local EMR: {error}", file=sys.stderr)
        return 2
    return 0


def _announce(url: str, ready_file: Path | None) -> None:
    print(f"local EMR on {url}", flush=True)
    if ready_file is not None:
        # Whoever waits for the file must not read half of it.
        partial = ready_file.with_name(ready_file.name + ".partial")
        partial.write_text(url, encoding="utf-8")
        partial.replace(ready_file)


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        # Not resolved: the python of a virtual environment is a link out of that environment.
        node_python=options.node_python.absolute(),
        work_dir=options.work_dir.absolute(),
        port=options.port,
        listen=options.listen,
        names=(*Settings.names, *options.answer_to),
        spark_master=options.spark_master,
        spark_defaults=options.spark_defaults,
        cores=options.cores or os.cpu_count() or 1,
        provisioning_seconds=options.provisioning_seconds,
        stop_grace_seconds=options.stop_grace_seconds,
        speedup=options.speedup,
        page_size=options.page_size,
        container_logs=tuple(folder.absolute() for folder in options.container_logs),
        pass_env=tuple(options.pass_env),
    )


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local_emr", description="Amazon EMR on this machine.")
    add = parser.add_argument
    add("--node-python", type=Path, required=True, help="Python of the node's environment, which has pyspark")
    add(
        "--work-dir", type=Path, required=True, help="working folders of clusters; each goes with its cluster"
    )
    add("--port", type=int, default=0, help="port; 0: any free one (default)")
    add(
        "--listen",
        default=Settings.listen,
        metavar="ADDRESS",
        help="who reaches it can run programs: 127.0.0.1 (default), but in a container's own network",
    )
    add(
        "--answer-to",
        action="append",
        default=[],
        metavar="NAME",
        help="a host name beside localhost's; repeatable",
    )
    add("--spark-master", metavar="URL", help="a Spark master, or yarn; without it Spark runs in local mode")
    add(
        "--spark-defaults",
        type=Path,
        metavar="FILE",
        help="a spark-defaults.conf of the node's own; a cluster's properties count before it",
    )
    add("--cores", type=int, help="cores of Spark in local mode (default: all)")
    add("--ready-file", type=Path, help="gets the URL as soon as the server listens")
    add("--exit-with-parent", action="store_true", help="stop when the process that started this one is gone")
    add(
        "--provisioning-seconds",
        type=float,
        default=0.0,
        help="how long a cluster stays STARTING (default: 0)",
    )
    add("--stop-grace-seconds", type=float, default=5.0, help="from SIGTERM to SIGKILL (default: 5)")
    add("--speedup", type=float, default=1.0, help="EMR's idle and Spot timeouts pass this many times faster")
    add("--page-size", type=int, default=50, help="items in a page of a List action (default: 50)")
    add(
        "--container-logs",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="where a NodeManager keeps the logs of containers; repeatable",
    )
    add(
        "--pass-env",
        action="append",
        default=[],
        metavar="NAME",
        help="a variable that steps see too; repeatable",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
