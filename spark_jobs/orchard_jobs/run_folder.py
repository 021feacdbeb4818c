"""Paths in a run's folder. Like ``contract``, both Airflow and the Spark jobs import this module."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunFolder:
    """The URIs inside one run's folder, ``<lake>/runs/<run_id>``."""

    uri: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "uri", self.uri.rstrip("/"))

    @property
    def manifest(self) -> str:
        return f"{self.uri}/manifest.parquet"

    @property
    def earlier(self) -> str:
        """EARLIER_COLUMNS: which rows of earlier runs still count."""
        return f"{self.uri}/earlier.parquet"

    @property
    def features(self) -> str:
        return f"{self.uri}/features"

    @property
    def statistics(self) -> str:
        """Statistics of all rows that count after this run, whichever run computed their features."""
        return f"{self.uri}/statistics/statistics.npz"

    @property
    def basis(self) -> str:
        return f"{self.uri}/basis"

    @property
    def components(self) -> str:
        """COMPONENT_COLUMNS of all rows that count after this run."""
        return f"{self.uri}/components"

    @property
    def csv(self) -> str:
        return f"{self.uri}/csv"

    @property
    def outcomes(self) -> str:
        """OUTCOME_COLUMNS of the manifest's rows, in one object."""
        return f"{self.uri}/outcomes.parquet"

    def metrics(self, job: str) -> str:
        """Counts, rates and phases of one job; rewritten while it works, with ``state`` running."""
        return f"{self.uri}/reports/{job}.json"

    @property
    def run_json(self) -> str:
        return f"{self.uri}/run.json"

    @property
    def cost(self) -> str:
        """The cost of the run's cluster, written once it has terminated."""
        return f"{self.uri}/cost.json"

    @property
    def page(self) -> str:
        """The report: one HTML file, built after the run is published."""
        return f"{self.uri}/report.html"
