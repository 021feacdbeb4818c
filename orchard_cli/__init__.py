"""The command ``orchard``.

The editable install has the top of the checkout importable, and no more: Airflow loads ``dags/`` by itself,
and tests hold that what is deployed needs nothing of the checkout. The command alone adds what it runs.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = [str(ROOT / name) for name in ("dags", "plugins", "spark_jobs")]

sys.path[:0] = [path for path in FOLDERS if path not in sys.path]
