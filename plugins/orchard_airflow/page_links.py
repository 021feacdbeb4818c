"""Links from tasks to what their run has left in the lake, through Orchard's pages in Airflow's UI."""

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlsplit

from airflow.configuration import conf
from airflow.sdk.bases.operatorlink import BaseOperatorLink

from orchard_airflow.operators.create_cluster import OrchardCreateClusterOperator
from orchard_airflow.operators.step import OrchardStepOperator
from orchard_airflow.operators.terminate_cluster import OrchardTerminateClusterOperator

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


ROUTE = "orchard"
"""Of the pages in Airflow's own UI, which shows them in a frame."""


def pages_path() -> str:
    """Return where Airflow serves the pages: ``/orchard``, behind a prefix that Airflow itself may have."""
    return f"{_prefix()}/orchard"


def _prefix() -> str:
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class _OfDagRun(BaseOperatorLink):
    name: ClassVar[str]
    page: ClassVar[str]
    framed: ClassVar[bool] = True
    """Shown with Airflow's UI around it: Airflow follows a link to itself in the window that it is in."""

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002
        dag_id, run_id = quote(ti_key.dag_id, safe=""), quote(ti_key.run_id, safe="")
        shown_in = f"{_prefix()}/plugin/{ROUTE}" if self.framed else ""
        return f"{shown_in}{pages_path()}/{self.page}dag_id={dag_id}&run_id={run_id}"


class ReportLink(_OfDagRun):
    """To the report of a published run."""

    name = "Report"
    page = "dag-run?show=report&"


class CsvLink(_OfDagRun):
    """To its CSV, which is saved, and leaves the window as it is."""

    name = "CSV"
    page = "dag-run?show=csv&"
    framed = False


class StepLogsLink(_OfDagRun):
    """To what the steps of the run's cluster have written. Airflow asks for it when it shows a task: so it is
    there while the task works, and when it was killed.
    """

    name = "Logs of the steps"
    page = "logs?"
    operators: ClassVar[list[Any]] = [
        OrchardCreateClusterOperator,
        OrchardStepOperator,
        OrchardTerminateClusterOperator,
    ]


RESULT_LINKS = (ReportLink(), CsvLink())
"""Links of a task that publishes. They become XComs at its end."""
