"""Build the EMR step of a job. Pure."""

from typing import Any
from urllib.parse import quote

from orchard.settings.cluster import DeployMode
from orchard_jobs.contract import Job
from orchard_jobs.errors import OrchardError

LONGEST_STEP = 10240
"""Maximum characters of a HadoopJarStep: https://docs.aws.amazon.com/emr/latest/APIReference/API_AddJobFlowSteps.html"""


def build_step(job: Job, slug: str, code: str, deploy_mode: DeployMode = DeployMode.CLIENT) -> dict[str, Any]:
    """Return the step that runs ``job`` for the run ``slug`` with the code at the URI ``code``.

    Raises:
        OrchardError: if EMR would reject the step for its length, or change its arguments.
    """
    arguments = [
        "spark-submit",
        "--deploy-mode",
        str(deploy_mode),
        "--name",
        f"orchard {job.NAME} {slug}",
        "--py-files",
        f"{_for_spark_submit(code)}/orchard_jobs.zip",
        f"{_for_spark_submit(code)}/run.py",
        *job.command,
    ]
    _validate_length(arguments, job.NAME)
    _validate_unchanged(arguments, job.NAME)
    return {
        "Name": f"{job.NAME} {slug}",
        # The cluster survives a failed step: its task reads the log, and may retry.
        "ActionOnFailure": "CONTINUE",
        "HadoopJarStep": {"Jar": "command-runner.jar", "Args": arguments},
    }


def _for_spark_submit(uri: str) -> str:
    """Percent-encode: unlike Hadoop's ``Path``, spark-submit decodes the URIs of the code."""
    return quote(uri, safe="/:")


def _validate_unchanged(arguments: list[str], name: str) -> None:
    """Reject what EMR's command-runner.jar silently changes: https://github.com/Yelp/mrjob/pull/2082"""
    for argument in arguments:
        if not argument or "}}" in argument:
            raise OrchardError(
                f"the step '{name}' has the argument {argument!r}",
                rule="EMR drops empty arguments, and removes }} from others",
                remedy="use folders without }} in their names for images, lake, model and code",
            )


def _validate_length(arguments: list[str], name: str) -> None:
    length = len("command-runner.jar") + sum(map(len, arguments))
    if length > LONGEST_STEP:
        raise OrchardError(
            f"the step '{name}' is {length} characters long",
            rule=f"EMR's maximum is {LONGEST_STEP}",
            remedy="shorten the URIs of the lake, the images or the code",
        )
