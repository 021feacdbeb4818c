"""One step: its configuration and its state."""

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
    """A step of a cluster, guarded by its cluster's lock."""

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
    """Cancelled with TERMINATE_PROCESS: no grace period before SIGKILL."""

    @property
    def name(self) -> str:
        return str(self.config["Name"])

    @property
    def action_on_failure(self) -> str:
        # Unconfirmed: the API reference gives no default; the AWS CLI and Step Functions use CONTINUE.
        return str(self.config.get("ActionOnFailure", "CONTINUE"))

    @property
    def log_uri(self) -> str | None:
        """The LogUri of this step, which overrides the cluster's."""
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
        """Cancel a pending step, or ask a running one to stop. Return False if there is nothing to cancel."""
        if self.state == "PENDING":
            self.end("CANCELLED", message="Cancelled by user")
        elif self.state == "RUNNING":
            self.state, self.stop_at_once = "CANCEL_PENDING", at_once
        return self.state in ("CANCELLED", "CANCEL_PENDING")
