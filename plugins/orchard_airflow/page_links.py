"""Task links to their run's results, through Orchard's pages in Airflow's UI."""

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
"""URL route of the pages in Airflow's UI, which shows them in a frame."""


def pages_path() -> str:
    """Return the URL path of the pages: ``/orchard``, after Airflow's own prefix, if any."""
    return f"{_prefix()}/orchard"


def _prefix() -> str:
    return urlsplit(conf.get("api", "base_url", fallback="") or "").path.rstrip("/")


class _OfDagRun(BaseOperatorLink):
    name: ClassVar[str]
    page: ClassVar[str]
    framed: ClassVar[bool] = True
    """Whether to show the page within Airflow's UI: Airflow opens links to itself in the same window."""

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002
        dag_id, run_id = quote(ti_key.dag_id, safe=""), quote(ti_key.run_id, safe="")
        shown_in = f"{_prefix()}/plugin/{ROUTE}" if self.framed else ""
        return f"{shown_in}{pages_path()}/{self.page}dag_id={dag_id}&run_id={run_id}"


class ReportLink(_OfDagRun):
    """Link to the report of a published run."""

    name = "Report"
    page = "dag-run?show=report&"


class CsvLink(_OfDagRun):
    """Link to its CSV, which the browser downloads."""

    name = "CSV"
    page = "dag-run?show=csv&"
    framed = False


class StepLogsLink(_OfDagRun):
    """Link to the logs of the run's steps. Airflow computes it when it shows a task, so it exists while the
    task runs, and after it was killed.
    """

    name = "Logs of the steps"
    page = "logs?"
    operators: ClassVar[list[Any]] = [
        OrchardCreateClusterOperator,
        OrchardStepOperator,
        OrchardTerminateClusterOperator,
    ]


RESULT_LINKS = (ReportLink(), CsvLink())
"""Links of publish and report, which become XComs when the task ends."""
