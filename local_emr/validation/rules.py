"""Rules that EMR's documentation states in prose, beyond the service model.

RunJobFlow: https://docs.aws.amazon.com/emr/latest/APIReference/API_RunJobFlow.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from local_emr.errors import EmrError, InvalidRequestError, ValidationError
from local_emr.service_model import Parameters
from local_emr.settings import Settings
from local_emr.validation.fleet_rules import validate_instances
from local_emr.validation.releases import validate_release

MAX_STEPS_IN_REQUEST = 100
MAX_ACTIVE_STEPS = 256
MAX_STEP_CHARACTERS = 10_240
MAX_BOOTSTRAP_ACTIONS = 16
MAX_TAGS = 50


def validate_run_job_flow(request: Parameters, settings: Settings) -> None:
    """Refuse a cluster that EMR would refuse."""
    validate_release(request, settings.releases)
    # https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-iam-roles.html
    if not request.get("ServiceRole"):
        raise ValidationError("ServiceRole is required for creating cluster.")
    if not request.get("JobFlowRole"):
        raise ValidationError("InstanceProfile is required for creating cluster.")
    validate_instances(request["Instances"], settings.instance_types)
    _validate_log_uri(request.get("LogUri"))
    validate_tags(request.get("Tags", []), ValidationError)
    if len(request.get("BootstrapActions", [])) > MAX_BOOTSTRAP_ACTIONS:
        raise ValidationError(f"A maximum of {MAX_BOOTSTRAP_ACTIONS} bootstrap actions is allowed.")
    concurrency = validate_step_concurrency(request.get("StepConcurrencyLevel", 1), ValidationError)
    validate_steps(request.get("Steps", []), concurrency)
    if "AutoTerminationPolicy" in request:
        validate_auto_termination(request["AutoTerminationPolicy"])
    if "ManagedScalingPolicy" in request:
        validate_managed_scaling(request["ManagedScalingPolicy"])


def validate_steps(steps: list[Parameters], concurrency: int) -> None:
    """Refuse steps that AddJobFlowSteps would refuse.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_AddJobFlowSteps.html
    """
    if len(steps) > MAX_STEPS_IN_REQUEST:
        raise ValidationError(
            f"{len(steps)} steps in one request: at most {MAX_STEPS_IN_REQUEST} are allowed."
        )
    for step in steps:
        # https://docs.aws.amazon.com/emr/latest/APIReference/API_StepConfig.html
        if concurrency > 1 and step.get("ActionOnFailure", "CONTINUE") != "CONTINUE":
            raise ValidationError(
                f"ActionOnFailure {step['ActionOnFailure']} is not valid with a step concurrency level "
                "greater than 1: use CONTINUE."
            )
        size = sum(map(len, _strings_in(step["HadoopJarStep"])))
        if size > MAX_STEP_CHARACTERS:
            raise ValidationError(
                f"HadoopJarStep has {size} characters: at most {MAX_STEP_CHARACTERS} are allowed."
            )


def validate_step_concurrency(level: int, error: type[EmrError]) -> int:
    """Validate the number of steps that run at a time: 1 to 256."""
    if not 1 <= level <= MAX_ACTIVE_STEPS:
        raise error(f"StepConcurrencyLevel is {level}: it must be between 1 and {MAX_ACTIVE_STEPS}.")
    return level


def validate_auto_termination(policy: Parameters) -> int:
    """Validate the idle timeout, in seconds.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-auto-termination-policy.html
    """
    timeout = policy.get("IdleTimeout")
    if timeout is None or not 60 <= timeout <= 604_800:
        raise ValidationError(f"IdleTimeout is {timeout}: it must be between 60 and 604800 seconds.")
    return int(timeout)


def validate_managed_scaling(policy: Parameters) -> Parameters:
    """Validate a managed scaling policy.

    https://docs.aws.amazon.com/emr/latest/APIReference/API_ComputeLimits.html
    """
    limits = policy.get("ComputeLimits")
    if limits is None:
        raise ValidationError("Invalid configuration for managed scaling. ComputeLimits is required.")
    least, most = limits["MinimumCapacityUnits"], limits["MaximumCapacityUnits"]
    if not 1 <= least <= most:
        raise ValidationError(
            f"Invalid configuration for managed scaling. The min capacity is {least} and the max capacity "
            f"{most}: min is at least 1 and at most max."
        )
    for name, noun in (("MaximumOnDemandCapacityUnits", "OnDemand"), ("MaximumCoreCapacityUnits", "Core")):
        if limits.get(name, 0) > most:
            raise ValidationError(
                f"Invalid configuration for managed scaling. The max {noun} capacity cannot be higher than "
                "max capacity"
            )
    return policy


def validate_tags(tags: Iterable[Parameters], error: type[EmrError] = InvalidRequestError) -> dict[str, str]:
    """Validate tags; return them as key to value.

    https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-tags.html
    """
    checked: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value", "")
        if not 1 <= len(key) <= 128 or len(value) > 256:
            raise error(f"Tag {key!r}: a key has 1 to 128 characters and a value at most 256.")
        if key.lower().startswith("aws:"):
            raise error(f"Tag {key!r}: the prefix aws: is reserved.")
        if key in checked:
            raise error(f"Tag {key!r} is given twice.")
        checked[key] = value
    validate_tag_count(len(checked), error)
    return checked


def validate_tag_count(count: int, error: type[EmrError] = InvalidRequestError) -> None:
    """Validate the number of tags: at most 50 on a resource."""
    if count > MAX_TAGS:
        raise error(f"{count} tags: a resource has at most {MAX_TAGS}.")


def _validate_log_uri(uri: str | None) -> None:
    # EMR accepts only s3:// (and s3n://); a laptop has folders.
    if uri is not None and not uri.startswith(("s3://", "s3n://", "file:///")):
        raise ValidationError(
            f"LogUri is {uri!r}: it must be s3://bucket/prefix/ (here also file:///folder/)."
        )


def _strings_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _strings_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _strings_in(member)
