"""Where things are in the lake. Names only: nothing here reads or writes."""

import hashlib
import re
from dataclasses import dataclass

from orchard_jobs.run_folder import RunFolder


def run_slug(run_id: str, dag_id: str = "") -> str:
    """Return a unique name for a run that is valid in every file system and EMR tag.

    Hadoop's ``Path`` rejects ':', which Airflow's run ids contain (https://issues.apache.org/jira/browse/HADOOP-14217).
    """
    digest = hashlib.sha256(f"{dag_id}\n{run_id}".encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9._-]', '-', run_id)[:100].lstrip('.')}-{digest}"


def is_slug(name: str) -> bool:
    """Whether ``name`` can be a run's folder; no other folder is ever deleted as a run."""
    return re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) is not None


@dataclass(frozen=True)
class Lake:
    """The URIs of one lake."""

    uri: str

    @property
    def runs(self) -> str:
        """One folder per run, whatever became of it."""
        return f"{self.uri}/runs"

    def run(self, slug: str) -> RunFolder:
        return RunFolder(f"{self.runs}/{slug}")

    @property
    def ledger(self) -> str:
        """What is known of every image, one entry per published run."""
        return f"{self.uri}/ledger"

    def ledger_entry(self, slug: str) -> str:
        """What is known about every image after one run; valid once latest.json names the run."""
        return f"{self.ledger}/{slug}.parquet"

    def report_digest(self, slug: str) -> str:
        """The SHA-256 of a run's report.html, in a folder that only Airflow can write to."""
        return f"{self.ledger}/{slug}.report"

    @property
    def bases(self) -> str:
        """The bases of all published runs."""
        return f"{self.uri}/basis"

    def basis(self, basis_id: str) -> str:
        """One basis, `basis.npz` and `basis.json`: mean, components, explained variance."""
        return f"{self.bases}/{basis_id}"

    @property
    def latest(self) -> str:
        """The published runs, oldest first, and what readers need of the newest. It publishes a run."""
        return f"{self.uri}/latest.json"
