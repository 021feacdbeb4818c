"""Where things are in the lake. Names only: nothing here reads or writes."""

import hashlib
import re
from dataclasses import dataclass

from orchard_jobs.contract import RunFolder


def run_slug(run_id: str) -> str:
    """Return a name for a run that every file system and EMR tag takes, different for every run id.

    Hadoop's ``Path`` refuses ':', which Airflow's run ids contain (https://issues.apache.org/jira/browse/HADOOP-14217).
    """
    digest = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', run_id)[:100].lstrip('.')}-{digest}"


@dataclass(frozen=True)
class Lake:
    """The places of one lake."""

    uri: str

    def run(self, slug: str) -> RunFolder:
        return RunFolder(f"{self.uri}/runs/{slug}")

    @property
    def ledger(self) -> str:
        return f"{self.uri}/ledger"

    def ledger_entry(self, slug: str) -> str:
        """What is known of every image after one run; it counts once latest.json names the run."""
        return f"{self.ledger}/{slug}.parquet"

    def basis(self, basis_id: str) -> str:
        return f"{self.uri}/basis/{basis_id}"

    @property
    def latest(self) -> str:
        """The published runs, oldest first, and what readers need of the newest."""
        return f"{self.uri}/latest.json"
