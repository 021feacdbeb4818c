"""``run.py <job> --key=value …``: parses, starts Spark, runs one job, says what went wrong."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

# Before NumPy loads: on two threads eigenvectors differ in their last bits from those on one, and on a busy
# machine take longer. Spark's Python workers have one thread anyway.
os.environ["OMP_NUM_THREADS"] = "1"

from pyspark.sql import SparkSession

from orchard_jobs import export, featurize, reduce
from orchard_jobs.contract import ExportJob, FeaturizeJob, Job, ReduceJob
from orchard_jobs.errors import OrchardError
from orchard_jobs.event_log import prepare_event_log
from orchard_jobs.report import Report
from orchard_jobs.run_folder import RunFolder

JOBS: dict[str, tuple[type[Job], Callable[[SparkSession, Any, Report], None]]] = {
    FeaturizeJob.NAME: (FeaturizeJob, featurize.run),
    ReduceJob.NAME: (ReduceJob, reduce.run),
    ExportJob.NAME: (ExportJob, export.run),
}


def main(tokens: Sequence[str]) -> int:
    """Run one job; return 0, or 2 after an error that one line explains."""
    try:
        _run(tokens)
    except Exception as error:
        message = str(error) if isinstance(error, OrchardError) else _find_message(str(error))
        if message is None:
            raise
        print(f"orchard: {message}", file=sys.stderr)
        return 2
    return 0


def _find_message(text: str) -> str | None:
    """An OrchardError of a Python worker arrives as the text of its traceback."""
    found = re.search(r"^orchard_jobs\.errors\.OrchardError: (.+)$", text, re.MULTILINE)
    return found.group(1) if found else None


def _run(tokens: Sequence[str]) -> None:
    if not tokens or tokens[0] not in JOBS:
        raise OrchardError(
            f"job {tokens[0] if tokens else '(none)'!r}",
            rule=f"the jobs are {', '.join(JOBS)}",
            remedy="name one, then its --key=value arguments",
        )
    name, *arguments = tokens
    kind, run = JOBS[name]
    job = kind.from_argv(arguments)
    prepare_event_log()
    spark = SparkSession.builder.getOrCreate()
    try:
        with Report(name, RunFolder(job.output).report(name)) as report:  # type: ignore[attr-defined]
            report.describe(listing=job.listing)  # type: ignore[attr-defined]
            run(spark, job, report)
    finally:
        spark.stop()
