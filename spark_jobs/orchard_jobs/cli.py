"""``run.py <job> --key=value …``: parses the arguments, starts Spark, runs the job, prints any error.

Several jobs on one command line, each followed by its arguments, run in one application, so Spark starts only
once. On a cluster each step is one job, so that it fails, is retried and is monitored on its own.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchard_jobs.kernels import blas_variables

# Set before NumPy loads: the last bits of eigenvectors depend on BLAS kernels and threads. Spark's Python
# workers do not need this: they multiply integers, project with NumPy's own loop, and have one thread.
os.environ.update(blas_variables())

from pyspark import SparkContext

from orchard_jobs import export, featurize, reduce
from orchard_jobs.contract import ExportJob, FeaturizeJob, Job, ReduceJob
from orchard_jobs.errors import OrchardError
from orchard_jobs.event_log import prepare_event_log
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.spark_tasks import stop

JOBS: dict[str, tuple[type[Job], Callable[[SparkContext, Any, JobMetrics], None]]] = {
    FeaturizeJob.NAME: (FeaturizeJob, featurize.run),
    ReduceJob.NAME: (ReduceJob, reduce.run),
    ExportJob.NAME: (ExportJob, export.run),
}


def main(tokens: Sequence[str]) -> int:
    """Run the jobs; return 0, or 2 after printing a one-line error."""
    try:
        _run(tokens)
    except OrchardError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    return 0


def _run(tokens: Sequence[str]) -> None:
    jobs = to_jobs(tokens)
    prepare_event_log()
    context = SparkContext.getOrCreate()
    try:
        for job in jobs:
            with JobMetrics(job.NAME, RunFolder(job.output).metrics(job.NAME)) as metrics:
                metrics.describe(listing=job.listing)
                JOBS[job.NAME][1](context, job, metrics)
    finally:
        stop(context)


def to_jobs(tokens: Sequence[str]) -> list[Job]:
    """Parse the jobs, each from its name and the arguments that follow it.

    Raises:
        OrchardError: for a missing or unknown job, or invalid arguments.
    """
    return [kind.from_argv(arguments) for kind, arguments in _split(tokens)]


def _split(tokens: Sequence[str]) -> Iterator[tuple[type[Job], Sequence[str]]]:
    if not tokens or tokens[0] not in JOBS:
        raise OrchardError(
            f"job {tokens[0] if tokens else '(none)'!r}",
            rule=f"the jobs are {', '.join(JOBS)}",
            remedy="name one, then its --key=value arguments",
        )
    names = [place for place, token in enumerate(tokens) if token in JOBS]
    for name, end in itertools.pairwise((*names, len(tokens))):
        yield JOBS[tokens[name]][0], tokens[name + 1 : end]
