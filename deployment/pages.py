"""The code of the pages in Airflow's UI, as one zip beside their plugin: the API server has no ``dags/``.

No more than the pages import, because managed Airflow takes a new ``plugins.zip`` only with an update that
restarts it. A test holds the list.
"""

import io
import zipfile
from collections.abc import Mapping

from bootstrap.package import EPOCH

NAME = "orchard_pages.zip"

MODULES = (
    "dags/orchard/__init__.py",
    "dags/orchard/access.py",
    "dags/orchard/environment.py",
    "dags/orchard/figures.py",
    "dags/orchard/history.py",
    "dags/orchard/hooks.py",
    "dags/orchard/lake.py",
    "dags/orchard/pages/",
    "dags/orchard/published.py",
    "dags/orchard/report/__init__.py",
    "dags/orchard/report/assets/style.css",
    "dags/orchard/report/words.py",
    "dags/orchard/storage.py",
    "dags/orchard/storage_s3.py",
    "spark_jobs/orchard_jobs/__init__.py",
    "spark_jobs/orchard_jobs/errors.py",
    "spark_jobs/orchard_jobs/run_folder.py",
)


def zip_pages(files: Mapping[str, bytes]) -> bytes:
    """Return the zip, with the same bytes wherever it is made."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(files):
            if path.startswith(MODULES):
                _, _, name = path.partition("/")
                archive.writestr(zipfile.ZipInfo(name, EPOCH), files[path])
    return buffer.getvalue()
