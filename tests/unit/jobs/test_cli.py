"""What follows ``run.py``: one job with its arguments, or several, one after the other."""

import pytest

from orchard_jobs.cli import main, to_jobs
from orchard_jobs.contract import ExportJob, ReduceJob

REDUCE = ReduceJob(("file:///a b/features",), "file:///a b", components=3)
EXPORT = ExportJob(("file:///a b/components",), ("file:///a b/features",), "file:///a b")


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([], "job '(none)': the jobs are featurize, reduce, export."),
        (["shrink", "--output=file:///a"], "job 'shrink': the jobs are featurize, reduce, export."),
        (["--output=file:///a", "reduce"], "job '--output=file:///a': the jobs are"),
        ([*REDUCE.command, "and", "export"], "argument 'and'"),
        ([*REDUCE.command, "export"], "missing --components"),
    ],
)
def test_what_is_no_list_of_jobs_is_refused_before_spark_starts(
    tokens: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(tokens) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"orchard: {message}")
    assert error.count("\n") == 1


def test_jobs_that_follow_each_other_have_their_own_arguments() -> None:
    tokens = [*REDUCE.command, *EXPORT.command]
    assert to_jobs(tokens) == [REDUCE, EXPORT]
    assert to_jobs(tokens[: tokens.index("export")]) == [REDUCE]
