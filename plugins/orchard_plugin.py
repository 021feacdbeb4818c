"""The Airflow plugin: the *Orchard* pages in Airflow's UI, and links on tasks.

Airflow's plugin loader imports only this module, by its bare name; ``.airflowignore`` excludes the rest. Do
not import it elsewhere.

Every Airflow process loads it, but only the API server, which may have no DAGs, needs the pages: it alone
reads ``fastapi_apps``, which imports ``orchard.pages``. That package is in ``dags/``, beside ``plugins/``;
`make deploy` also puts it into ``plugins.zip``, as a nested zip that the loader ignores.
"""

import importlib
import importlib.util
import logging
import os
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from orchard_airflow.page_links import ROUTE, StepLogsLink, pages_path

log = logging.getLogger(__name__)

HERE = Path(__file__).resolve().parent
SHIPPED = HERE / "orchard_pages.zip"
BESIDE = (HERE.parent / "dags", HERE.parent / "spark_jobs")


class OrchardPlugin(AirflowPlugin):
    """A page in the navigation, a tab on each DAG run, and links on tasks."""

    name = "orchard"
    operator_extra_links = [StepLogsLink()]  # noqa: RUF012 - as Airflow declares it
    external_views = [  # noqa: RUF012
        {
            "name": "Orchard",
            "href": f"{pages_path()}/",
            "icon": f"{pages_path()}/icon.svg",
            "destination": "nav",
            "nav_top_level": True,
            "url_route": ROUTE,
        },
        {
            "name": "Orchard",
            "href": f"{pages_path()}/dag-run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}",
            "destination": "dag_run",
            "url_route": "orchard-run",
        },
    ]

    @cached_property  # Airflow reads it again for each list of its plugins
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override] # lazy, unlike the base class's list
        try:
            app = load_app()
        except Exception:
            # Do not keep Airflow from starting.
            log.exception("Cannot load Orchard's pages")
            return []
        return [{"app": app, "url_prefix": "/orchard", "name": "Orchard"}]


def load_app() -> Any:
    """Import and return the app of the pages."""
    if SHIPPED.exists():
        sys.path.insert(0, str(SHIPPED))
    elif importlib.util.find_spec("orchard") is None or importlib.util.find_spec("orchard_jobs") is None:
        sys.path.extend(str(folder) for folder in BESIDE if folder.is_dir())
    return importlib.import_module("orchard.pages.app").create_app(os.environ)
