"""Wait for a trigger's event, deferred or in the task's process."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.amazon.aws.hooks.emr import EmrHook

from orchard_airflow.triggers import EmrStateTrigger

if TYPE_CHECKING:
    from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
    from airflow.sdk import Context

GRACE = 300
"""Seconds after a trigger's own deadline when Airflow times it out."""


def wait_for(
    operator: "AwsBaseOperator[EmrHook]",
    context: "Context",
    trigger: EmrStateTrigger,
) -> Any:
    """Defer to ``trigger``, or run it here if the operator is not deferrable.

    Then the operator's ``complete`` is called with the context, the event, and the ids that it waited for:
    see ``is_stale_event``.
    """
    if operator.deferrable:  # type: ignore[attr-defined]
        _defer(operator, trigger)
    event = asyncio.run(_first_event(trigger))
    return operator.complete(context, event, trigger.ids)  # type: ignore[attr-defined]


def is_stale_event(event: Mapping[str, Any], waited_for: Mapping[str, str] | None) -> bool:
    """Whether an event is about another cluster or step than this task waits for.

    Airflow finds an event's task by its trigger id. On SQLite a new trigger can get the id of one from before
    the task was cleared that has not ended yet. ``dag.test()`` runs the trigger inline, where no other event
    is possible, and does not pass ``waited_for``: it is None.
    """
    return any(event[name] != value for name, value in (waited_for or {}).items())


def deadline_in(seconds: float) -> float:
    """Return the time in that many seconds, in seconds since the epoch."""
    return time.time() + seconds


def _defer(operator: "AwsBaseOperator[EmrHook]", trigger: EmrStateTrigger) -> NoReturn:
    left = max(trigger.poll_interval, trigger.deadline - time.time())
    operator.defer(
        trigger=trigger, method_name="complete", kwargs={"waited_for": trigger.ids}, timeout=left + GRACE
    )


async def _first_event(trigger: EmrStateTrigger) -> Any:
    async for event in trigger.run():
        return event.payload
    raise RuntimeError(f"{trigger!r} ended without an event")
