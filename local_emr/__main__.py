"""`python -m local_emr`: serves until SIGTERM or SIGINT, then ends every cluster with its processes."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from local_emr.authentication import CREDENTIALS, Endpoint
from local_emr.execution.node import WorkDirInUseError, claim_work_dir
from local_emr.server import EmrServer
from local_emr.settings import Settings

_DESCRIPTION = """\
Amazon EMR on this machine. Serves EMR's API on loopback and runs bootstrap actions and steps as real
processes of this user. SIGTERM or Ctrl-C ends every cluster with its processes.
"""
_EXAMPLE = """\
example:
  $ python -m local_emr --port 8998 --node-python .venv/bin/python
  local EMR on http://127.0.0.1:8998, sign with AWS_SHARED_CREDENTIALS_FILE=/tmp/local-emr-k3v1/credentials
  $ export AWS_SHARED_CREDENTIALS_FILE=/tmp/local-emr-k3v1/credentials
  $ AWS_ENDPOINT_URL_EMR=http://127.0.0.1:8998 python starts_a_cluster_with_boto3.py

exit codes: 0 after a signal, 2 if the server cannot start
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve. Return the exit code: 0 after a signal, 2 if the server could not start."""
    options = _build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    parent = os.getppid()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with (
            _open_work_dir(options.work_dir) as work_dir,
            EmrServer(_build_settings(options, work_dir)) as server,
            _write_credentials(
                server.endpoint, options.credentials_file or work_dir / CREDENTIALS
            ) as credentials,
        ):
            _announce(server.url, credentials, options.ready_file)
            while not stopping.wait(0.5):
                if options.exit_with_parent and os.getppid() != parent:
                    break
    except (OSError, ValueError, WorkDirInUseError) as error:
        print(f"local EMR: {error}", file=sys.stderr)
        return 2
    return 0


@contextmanager
def _open_work_dir(folder: Path | None) -> Iterator[Path]:
    """Claim the given folder, or create one that is removed when the server ends."""
    if folder is None:
        with TemporaryDirectory(prefix="local-emr-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
    else:
        with claim_work_dir(folder.absolute()):
            yield folder.absolute()


@contextmanager
def _write_credentials(endpoint: Endpoint, file: Path) -> Iterator[Path]:
    """Write the server's key to a file, and remove the file when the server ends."""
    endpoint.access_key.write(file)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _announce(url: str, credentials: Path, ready_file: Path | None) -> None:
    print(f"local EMR on {url}, sign with AWS_SHARED_CREDENTIALS_FILE={credentials}", flush=True)
    if ready_file is not None:
        # A process that waits for the file must not read half of it.
        partial = ready_file.with_name(ready_file.name + ".partial")
        partial.write_text(url, encoding="utf-8")
        partial.replace(ready_file)


def _build_settings(options: argparse.Namespace, work_dir: Path) -> Settings:
    return Settings(
        # Not resolved: the python of a virtual environment is a symbolic link to one outside.
        node_python=options.node_python.absolute(),
        work_dir=work_dir,
        port=options.port,
        listen=options.listen,
        host_names=(*Settings.host_names, *options.answer_to),
        spark_master=options.spark_master,
        spark_defaults=options.spark_defaults,
        driver_java_options=options.driver_java_options,
        cores=options.cores or os.cpu_count() or 1,
        provisioning_seconds=options.provisioning_seconds,
        stop_grace_seconds=options.stop_grace_seconds,
        speedup=options.speedup,
        page_size=options.page_size,
        s3_logs=options.s3_logs.absolute() if options.s3_logs else None,
        releases=dict(options.release),
        instance_types=tuple(options.instance_type),
        container_logs=tuple(folder.absolute() for folder in options.container_logs),
        pass_env=tuple(options.pass_env),
    )


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local_emr",
        usage="%(prog)s [options]",
        description=_DESCRIPTION,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_server_options(parser.add_argument_group("server").add_argument)
    _add_node_options(parser.add_argument_group("node").add_argument)
    _add_emr_options(parser.add_argument_group("EMR").add_argument)
    return parser


def _add_server_options(add: Callable[..., object]) -> None:
    add("--port", type=int, default=0, help="0 means any free port (default)")
    add(
        "--listen",
        default=Settings.listen,
        metavar="ADDRESS",
        help="clients can run programs, so change 127.0.0.1 (default) only in a container's own network",
    )
    add(
        "--answer-to",
        action="append",
        default=[],
        metavar="NAME",
        help="another host name to accept besides localhost; repeatable",
    )
    add(
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="folder for the clusters' working folders, removed with each cluster (default: a temporary one)",
    )
    add(
        "--credentials-file",
        type=Path,
        metavar="FILE",
        help="where to write this start's access key, with which clients sign (default: in the work dir)",
    )
    add(
        "--ready-file", type=Path, metavar="FILE", help="where to write the URL as soon as the server listens"
    )
    add("--exit-with-parent", action="store_true", help="stop when the parent process ends")


def _add_node_options(add: Callable[..., object]) -> None:
    add(
        "--node-python",
        type=Path,
        default=Path(sys.executable),
        metavar="FILE",
        help="the node's Python, with pyspark for spark-submit steps (default: this one)",
    )
    add("--cores", type=int, help="cores for Spark in local mode (default: all)")
    add(
        "--spark-master",
        metavar="URL",
        help="URL of a Spark master, or yarn (default: Spark runs in local mode)",
    )
    add(
        "--spark-defaults",
        type=Path,
        metavar="FILE",
        help="the node's spark-defaults.conf; a cluster's properties override it",
    )
    add(
        "--driver-java-options",
        default="",
        metavar="OPTIONS",
        help="Java options for every driver that spark-submit starts, for example for a class data archive",
    )
    add(
        "--pass-env",
        action="append",
        default=[],
        metavar="NAME",
        help="an environment variable to pass to steps; repeatable",
    )
    add(
        "--container-logs",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a NodeManager's folder for container logs; repeatable",
    )


def _add_emr_options(add: Callable[..., object]) -> None:
    add(
        "--provisioning-seconds",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="seconds that a cluster stays STARTING (default: 0)",
    )
    add(
        "--stop-grace-seconds",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="seconds from SIGTERM to SIGKILL (default: 5)",
    )
    add(
        "--speedup",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="divide EMR's idle and Spot timeouts by this (default: 1)",
    )
    add(
        "--s3-logs",
        type=Path,
        metavar="DIR",
        help="write logs for s3://bucket/prefix/ to DIR/bucket/prefix/ (default: to S3)",
    )
    add(
        "--release",
        type=_release,
        action="append",
        default=[],
        metavar="LABEL=SPARK",
        help="accept a newer release label, with its Spark version; repeatable",
    )
    add(
        "--instance-type",
        action="append",
        default=[],
        metavar="NAME",
        help="accept a newer instance type; repeatable",
    )
    add(
        "--page-size",
        type=int,
        default=50,
        metavar="N",
        help="items per page of a List action (default: 50)",
    )


def _release(text: str) -> tuple[str, str]:
    label, _, version = text.partition("=")
    if not label or not version:
        raise argparse.ArgumentTypeError(f"{text!r} does not have the form emr-7.99.0=3.5.9")
    return label, version


if __name__ == "__main__":
    sys.exit(main())
