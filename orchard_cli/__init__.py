"""The command ``orchard``.

The editable install makes only the top of the checkout importable: Airflow loads ``dags/`` itself, and tests
check that deployed code imports nothing else from the checkout. Only the command adds the folders below.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = [str(ROOT / name) for name in ("dags", "plugins", "spark_jobs")]

sys.path[:0] = [path for path in FOLDERS if path not in sys.path]
