"""What Airflow's loader of plugins registers: the pages *Orchard* of Airflow's UI, and links on tasks.

The loader imports this one module by its bare name; ``.airflowignore`` keeps it out of the rest. So nothing
imports this module but the loader.

Every process of Airflow's loads it, and only the API server, which may have no DAGs at all, needs the pages:
it alone asks for ``fastapi_apps``, and only then is ``orchard.pages`` imported. That is in ``dags/``, beside
``plugins/``; `make deploy` puts it into ``plugins.zip`` as well, as a zip that no loader takes for plugins.
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
    """A page in the navigation, one beside each DAG run, and links on tasks."""

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

    @cached_property  # Airflow asks again for each list of its plugins
    def fastapi_apps(self) -> list[Any]:  # type: ignore[override] # a list there; here one that is made when needed
        try:
            app = load_app()
        except Exception:
            # Airflow would not start: its own pages are worth more than ours.
            log.exception("The pages of Orchard cannot be loaded")
            return []
        return [{"app": app, "url_prefix": "/orchard", "name": "Orchard"}]


def load_app() -> Any:
    """Return the app of the pages, from where its code is."""
    if SHIPPED.exists():
        sys.path.insert(0, str(SHIPPED))
    elif importlib.util.find_spec("orchard") is None or importlib.util.find_spec("orchard_jobs") is None:
        sys.path.extend(str(folder) for folder in BESIDE if folder.is_dir())
    return importlib.import_module("orchard.pages.app").create_app(os.environ)
