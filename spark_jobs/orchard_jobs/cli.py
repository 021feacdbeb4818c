"""``run.py <job> --key=value …``: parses, starts Spark, runs the job, says what went wrong.

Jobs that are named one after the other, each with its arguments, run one after the other in one application:
so Spark starts once. A step of a cluster is one job, which fails, is retried and is seen by itself.
"""

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchard_jobs.kernels import blas_variables

# Before NumPy loads: the last bits of eigenvectors follow kernels and threads. Spark's Python workers need
# none of it: they multiply integers, project by NumPy's own loop, and have one thread anyway.
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
    """Run jobs; return 0, or 2 after an error that one line explains."""
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
    """Return the jobs that are named, each with the arguments that follow its name.

    Raises:
        OrchardError: for another name, no name, or arguments that are not the job's.
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
