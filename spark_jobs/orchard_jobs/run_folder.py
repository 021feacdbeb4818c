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
        """The images that were new."""
        return f"{self.uri}/manifest.parquet"

    @property
    def earlier(self) -> str:
        """The ledger before the run, and which of its rows still count."""
        return f"{self.uri}/earlier.parquet"

    @property
    def features(self) -> str:
        """One row per new image, in Parquet files."""
        return f"{self.uri}/features"

    @property
    def statistics(self) -> str:
        """Count, sum and Gram matrix of all rows of the result, whichever run computed their features."""
        return f"{self.uri}/statistics/statistics.npz"

    @property
    def basis(self) -> str:
        """The basis as the job reduce wrote it; publishing checks it and copies it to `basis/`."""
        return f"{self.uri}/basis"

    @property
    def components(self) -> str:
        """The components of all rows of the result, in Parquet files."""
        return f"{self.uri}/components"

    @property
    def csv(self) -> str:
        """The result, features.csv, and the rejected images of the run, rejects.csv."""
        return f"{self.uri}/csv"

    @property
    def outcomes(self) -> str:
        """The outcome for each new image."""
        return f"{self.uri}/outcomes.parquet"

    def metrics(self, job: str) -> str:
        """The metrics of one job: counts, rates, phases. Rewritten every two seconds while it works."""
        return f"{self.uri}/reports/{job}.json"

    @property
    def run_json(self) -> str:
        """The record of a published run."""
        return f"{self.uri}/run.json"

    @property
    def cost(self) -> str:
        """The cost of the run's clusters, written once they have terminated."""
        return f"{self.uri}/cost.json"

    @property
    def page(self) -> str:
        """The report: one HTML file below 5 MB that needs no network."""
        return f"{self.uri}/report.html"
