"""One step: what was asked for and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_emr.clusters.identifiers import new_id, now
from local_emr.service_model import Parameters

ACTIVE = frozenset({"PENDING", "RUNNING", "CANCEL_PENDING"})


@dataclass(frozen=True)
class Failure:
    """Why a step failed: FailureDetails of DescribeStep."""

    reason: str
    message: str | None = None
    log_file: str | None = None


@dataclass
class Step:
    """A step of a cluster; its cluster's lock guards it."""

    config: Parameters
    execution_role: str | None = None
    step_id: str = field(default_factory=lambda: new_id("s-"))
    state: str = "PENDING"
    created: float = field(default_factory=now)
    started: float | None = None
    ended: float | None = None
    failure: Failure | None = None
    state_message: str | None = None
    stop_at_once: bool = False
    """Cancelled with TERMINATE_PROCESS: no grace between the request and SIGKILL."""

    @property
    def name(self) -> str:
        return str(self.config["Name"])

    @property
    def action_on_failure(self) -> str:
        # Unconfirmed: the API reference gives no default; the AWS CLI and Step Functions use CONTINUE.
        return str(self.config.get("ActionOnFailure", "CONTINUE"))

    @property
    def log_uri(self) -> str | None:
        """Where this step's logs go instead of the cluster's LogUri."""
        monitoring = self.config.get("StepMonitoringConfiguration", {}).get("S3MonitoringConfiguration", {})
        uri: str | None = monitoring.get("LogUri")
        return uri

    @property
    def is_active(self) -> bool:
        return self.state in ACTIVE

    def start(self) -> None:
        self.state, self.started = "RUNNING", now()

    def end(self, state: str, failure: Failure | None = None, message: str | None = None) -> None:
        self.state, self.ended, self.failure, self.state_message = state, now(), failure, message

    def request_cancel(self, at_once: bool = False) -> bool:
        """Cancel what is pending, ask what runs to stop; False where there is nothing to cancel."""
        if self.state == "PENDING":
            self.end("CANCELLED", message="Cancelled by user")
        elif self.state == "RUNNING":
            self.state, self.stop_at_once = "CANCEL_PENDING", at_once
        return self.state in ("CANCELLED", "CANCEL_PENDING")
