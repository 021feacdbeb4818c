"""What is left of the earlier tries of a step, which are steps of its name. Pure: of what ListSteps says."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from orchard_emr_api import UNFINISHED_STEP_STATES


def reusable(steps: Iterable[Mapping[str, Any]], name: str) -> str | None:
    """Return the id of the newest step of this very name, if it waits, works or has completed.

    Args:
        steps: Newest first.
    """
    newest = next((step for step in steps if step["Name"] == name), None)
    if newest and _state(newest) in ("PENDING", "RUNNING", "COMPLETED"):
        return str(newest["Id"])
    return None


def unfinished(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of steps that have not ended."""
    return [step["Id"] for step in steps if _state(step) in UNFINISHED_STEP_STATES]


def cancelled(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of steps that did not end by themselves."""
    return [step["Id"] for step in steps if _state(step) not in ("COMPLETED", "FAILED")]


def runs_in_container(step: Mapping[str, Any]) -> bool:
    """Whether YARN runs its driver (``--deploy-mode cluster``): cancelling the step does not end that."""
    return ("--deploy-mode", "cluster") in pairwise(step["HadoopJarStep"]["Args"])


def _state(step: Mapping[str, Any]) -> str:
    return str(step["Status"]["State"])
