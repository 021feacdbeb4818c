"""All settings, read from the environment when a DAG is built.

What a job does is defined in ``orchard_jobs.contract``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter

from orchard.deployed import deployed_environment
from orchard.settings.aws import Access
from orchard.settings.cluster import Cost, Fleet, Limits, Spark
from orchard.settings.env import Variable, place, read, require, setting, variables
from orchard.settings.sizing import spark_sizes
from orchard_jobs.contract import GLOB_CHARACTERS, BasisMode, Precision

QUEUE_PATTERN = r"https?://[A-Za-z0-9.:-]+/[0-9]{12}/[A-Za-z0-9_-]+(\.fifo)?"

LONGEST_RETRY_DELAY = 120
"""Seconds. The cluster is idle between two tries of a step."""


@dataclass(frozen=True)
class Places:
    """Where things are, as URIs."""

    lake: str = setting("URI of the lake, which holds every run, the ledger and the newest result")
    model: str = setting(
        "URI of the model artefact's folder, usually `<lake>/models/<id>`; `make model` creates it",
        shown="required, unless `make deploy` set it",
    )
    images: str = setting(
        "URI of the image folder, laid out as `<label>/<image>`", "", shown="`<lake>/images`"
    )
    allowed_images: tuple[str, ...] = setting(
        "Comma-separated URIs of further image folders that a manual run may use", ()
    )
    code: str = setting(
        "URI of the code for the nodes; a run keeps the URI that it started with",
        "",
        shown="`<lake>/code`, unless `make deploy` set it",
    )
    logs: str = setting("URI under which EMR writes its logs", "", shown="`<lake>/logs`")

    def __post_init__(self) -> None:
        for name in ("lake", "model", "images", "code", "logs"):
            object.__setattr__(self, name, place(name, getattr(self, name), self.lake))
        allowed = (place("allowed_images", uri, self.lake) for uri in self.allowed_images)
        object.__setattr__(self, "allowed_images", tuple(allowed))
        globs = " ".join(GLOB_CHARACTERS)
        is_literal = not set(self.lake) & set(GLOB_CHARACTERS)
        require(is_literal, "lake", self.lake, f"a URI without any of {globs}, which Spark would expand")
        is_plain = not self.code.startswith("s3://") or quote(self.code, safe="/:") == self.code
        rule = "an s3:// URI of letters, digits and ._~/-, because spark-submit percent-decodes it"
        require(is_plain, "code", self.code, rule)
        require(not is_inside(self.lake, self.images), "lake", self.lake, "a folder outside the image folder")


@dataclass(frozen=True)
class Waits:
    """How long to wait, in seconds, and how often to try."""

    poll_interval: int = setting("Seconds between polls of a cluster or step", 30)
    start_timeout: int = setting("Maximum seconds for a cluster to start", 1800)
    step_timeout: int = setting("Maximum seconds for one step; then it is cancelled", 21600)
    terminate_timeout: int = setting("Maximum seconds for a cluster to terminate", 1800)
    log_timeout: int = setting(
        "Maximum seconds to wait for a failed step's log, which EMR uploads every five minutes", 330
    )
    sense_interval: int = setting("Seconds between checks for new images", 300)
    sense_timeout: int = setting(
        "Maximum seconds to wait for new images before skipping the run; 0: do not wait", 0
    )
    retries: int = setting("Retries per task", 2)
    retry_delay: int = setting("Seconds before the first retry; doubles with each retry", 60)

    def __post_init__(self) -> None:
        for name in ("poll_interval", "start_timeout", "step_timeout", "terminate_timeout", "sense_interval"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 second or more")
        for name in ("log_timeout", "sense_timeout", "retries", "retry_delay"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")


class DeletedImages(StrEnum):
    """What becomes of the rows of an image that is no longer listed."""

    REMOVE = "remove"
    KEEP = "keep"


@dataclass(frozen=True)
class Nightly:
    """When the DAG runs, and the default parameters of a run."""

    cron: str = setting("When the nightly run starts, as a cron expression", "0 2 * * *")
    time_zone: str = setting("Time zone of the cron expression", "UTC")
    components: int = setting("Components to keep, unless a run's parameters set them", 15)
    precision: Precision = setting(  # noqa: RUF009 - it makes a field
        "Number format of the inference: float32 or bfloat16", Precision.FLOAT32
    )
    basis: BasisMode = setting(  # noqa: RUF009 - it makes a field
        "refit the basis on all images, or reuse the previous run's and leave old rows unchanged",
        BasisMode.REFIT,
    )
    deleted_images: DeletedImages = setting(  # noqa: RUF009 - it makes a field
        "Whether the next run removes or keeps the rows of deleted images", DeletedImages.REMOVE
    )
    retention_days: int = setting(
        "Days after which results of superseded and unfinished runs are deleted; 0: never", 0
    )
    max_failure_ratio: float = setting("Maximum share of rejected images", 0.05)

    def __post_init__(self) -> None:
        require(1 <= self.components <= 1280, "components", self.components, "1 to 1280")
        days = self.retention_days
        require(0 <= days <= 36500, "retention_days", days, "0 to 36500 days")
        require(0 <= self.max_failure_ratio <= 1, "max_failure_ratio", self.max_failure_ratio, "0 to 1")
        require(_is_cron(self.cron), "cron", self.cron, "a cron expression of five fields")
        require(_is_time_zone(self.time_zone), "time_zone", self.time_zone, "a name such as Europe/Paris")


@dataclass(frozen=True)
class Signals:
    """Notifications that Orchard sends and receives."""

    notify_conn_id: str | None = setting(
        "Airflow connection for failure alerts, of type aws (SNS), smtp or http (a webhook)", None
    )
    warning_ratio: float = setting(
        "Share of rejected images among the new ones above which a published run sends a warning", 0.01
    )
    queue_url: str | None = setting(
        "URL of an SQS queue with S3 notifications of new images, which start runs besides the cron ones",
        None,
    )
    glue_database: str | None = setting(
        "Glue database in which published runs are registered, for Athena", None
    )

    def __post_init__(self) -> None:
        require(0 <= self.warning_ratio <= 1, "warning_ratio", self.warning_ratio, "0 to 1")
        is_queue = self.queue_url is None or re.fullmatch(QUEUE_PATTERN, self.queue_url) is not None
        require(is_queue, "queue_url", self.queue_url, "https://sqs.<region>.amazonaws.com/<account>/<queue>")
        is_name = (
            self.glue_database is None or re.fullmatch("[a-z0-9_]{1,255}", self.glue_database) is not None
        )
        require(is_name, "glue_database", self.glue_database, "a name of lower-case letters, digits and _")


@dataclass(frozen=True)
class Settings:
    """All settings, by topic."""

    places: Places
    fleet: Fleet
    spark: Spark
    cost: Cost
    waits: Waits
    nightly: Nightly
    access: Access
    limits: Limits
    signals: Signals

    def __post_init__(self) -> None:
        database, lake = self.signals.glue_database, self.places.lake
        is_queryable = database is None or lake.startswith("s3://")
        require(is_queryable, "glue_database", f"{database} with ORCHARD_LAKE={lake}", "a lake in S3")
        # From a step's end to its next try: one poll, the wait for its log, the retry delay, and a minute
        # for Airflow to start the task.
        pause = self.waits.poll_interval + self.waits.log_timeout + LONGEST_RETRY_DELAY + 60
        rule = f"more than {pause} s, or EMR would terminate the cluster before a step is retried"
        given = f"{self.fleet.idle_timeout} with ORCHARD_LOG_TIMEOUT={self.waits.log_timeout}"
        require(self.fleet.idle_timeout > pause, "idle_timeout", given, rule)
        spark_sizes(self.fleet, self.spark)  # report a missing size now, not when the cluster is created

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Build the settings from ``ORCHARD_*`` variables; ``make deploy`` supplies defaults.

        Raises:
            OrchardError: for the first variable that is missing or breaks its rule.
        """
        environ = {**deployed_environment(), **{name: text for name, text in environ.items() if text.strip()}}
        return cls(
            places=read(Places, environ),
            fleet=read(Fleet, environ),
            spark=read(Spark, environ),
            cost=read(Cost, environ),
            waits=read(Waits, environ),
            nightly=read(Nightly, environ),
            access=read(Access, environ),
            limits=read(Limits, environ),
            signals=read(Signals, environ),
        )


GROUPS = (Places, Fleet, Spark, Cost, Waits, Nightly, Access, Limits, Signals)


def table() -> list[Variable]:
    """Return every variable with its default and meaning, for docs/reference/settings.md."""
    return [variable for group in GROUPS for variable in variables(group)]


def _is_cron(expression: str) -> bool:
    return len(expression.split()) == 5 and croniter.is_valid(expression)


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


def is_inside(uri: str, folder: str) -> bool:
    """Whether ``uri`` is ``folder`` or below it; local links and ``..`` are resolved."""
    return f"{_resolve(uri)}/".startswith(f"{_resolve(folder)}/")


def _resolve(uri: str) -> str:
    return f"file://{Path(uri.removeprefix('file://')).resolve()}" if uri.startswith("file://") else uri
