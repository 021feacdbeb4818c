"""The default arguments of Orchard's DAGs."""

from datetime import timedelta
from typing import Any

from orchard.settings.settings import LONGEST_RETRY_DELAY, Settings
from orchard.workflow.alerts import notifier


def default_args(settings: Settings) -> dict[str, Any]:
    """Return the ``default_args`` of a DAG."""
    waits = settings.waits
    return {
        "execution_timeout": timedelta(hours=1),
        "retries": waits.retries,
        "retry_delay": timedelta(seconds=waits.retry_delay),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(seconds=LONGEST_RETRY_DELAY),
        # On the task, after its last try: the DAG's own callback does not know the reason.
        "on_failure_callback": notifier(settings),
    }
