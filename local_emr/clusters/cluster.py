"""The record of one cluster, and its changes by requests and by its lifecycle."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from local_emr.clusters.hardware import plan_hardware
from local_emr.clusters.identifiers import new_id, now
from local_emr.clusters.step import Failure, Step
from local_emr.errors import EmrError, ValidationError
from local_emr.service_model import Parameters
from local_emr.settings import Settings
from local_emr.validation.rules import MAX_ACTIVE_STEPS, validate_steps

log = logging.getLogger(__name__)

TERMINAL = frozenset({"TERMINATED", "TERMINATED_WITH_ERRORS"})
ENDING = TERMINAL | {"TERMINATING"}
FIRST_STEP_SECONDS = 30.0
"""How long a cluster that ends after its last step waits for its first. EMR's clusters take minutes to start,
in which clients add steps; a local one would end before that."""


@dataclass(frozen=True)
class Ending:
    """Why a cluster ends: code and message of its state change."""

    code: str
    message: str

    @property
    def state(self) -> str:
        return (
            "TERMINATED" if self.code in ("USER_REQUEST", "ALL_STEPS_COMPLETED") else "TERMINATED_WITH_ERRORS"
        )


class Cluster:
    """A cluster (job flow). `changed` guards every field that changes after construction."""

    def __init__(self, request: Parameters, settings: Settings) -> None:
        instances = request["Instances"]
        self.request = request
        self.settings = settings
        self.cluster_id = new_id("j-")
        self.folder: Path = settings.work_dir / self.cluster_id
        self.hardware = plan_hardware(instances)
        self.changed = threading.Condition()
        self.state = "STARTING"
        self.code: str | None = None
        self.message = "Provisioning Amazon EC2 capacity"
        self.created = now()
        self._born = time.monotonic()
        self.ready: float | None = None
        self.ended: float | None = None
        self.ending: Ending | None = None
        self.idle_since: float | None = None
        self.tags = {tag["Key"]: tag.get("Value", "") for tag in request.get("Tags", [])}
        self.keep_alive = bool(instances.get("KeepJobFlowAliveWhenNoSteps", False))
        self.termination_protected = bool(instances.get("TerminationProtected", False))
        self.step_concurrency = int(request.get("StepConcurrencyLevel", 1))
        self.idle_timeout: int | None = request.get("AutoTerminationPolicy", {}).get("IdleTimeout")
        self.managed_scaling: Parameters | None = request.get("ManagedScalingPolicy")
        self.visible = bool(request.get("VisibleToAllUsers", True))
        self.steps = [Step(config) for config in request.get("Steps", [])]

    # Changes by requests

    @property
    def state(self) -> str:
        """The current state. The log has every state, however short."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state
        log.info("cluster %s is %s", self.cluster_id, state)

    def add_steps(self, configs: list[Parameters], execution_role: str | None = None) -> list[str]:
        """Queue steps. Raises ValidationError if EMR would refuse them."""
        with self.changed:
            self.raise_if_ending()
            validate_steps(configs, self.step_concurrency)
            if sum(step.is_active for step in self.steps) + len(configs) > MAX_ACTIVE_STEPS:
                raise ValidationError(
                    "Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') "
                    f"for cluster exceeded: {MAX_ACTIVE_STEPS}."
                )
            steps = [Step(config, execution_role) for config in configs]
            self.steps.extend(steps)
            self.idle_since = None
            self.changed.notify_all()
            return [step.step_id for step in steps]

    def raise_if_ending(self, error: type[EmrError] = ValidationError) -> None:
        if self.state in ENDING:
            raise error("A job flow that is shutting down, terminated, or finished may not be modified.")

    def cancel_step(self, step: Step, at_once: bool) -> bool:
        """Cancel a step; return whether there was something to cancel."""
        with self.changed:
            accepted = step.request_cancel(at_once)
            self.changed.notify_all()
            return accepted

    def terminate(self, ending: Ending) -> None:
        """Start to terminate the cluster, unless it is already terminating."""
        with self.changed:
            if self.state in ENDING:
                return
            self.ending = ending
            self.state, self.code, self.message = "TERMINATING", ending.code, ending.message
            self.cancel_steps()
            self.changed.notify_all()

    def cancel_steps(self, only_pending: bool = False) -> None:
        for step in self.steps:
            if step.state == "PENDING" or not only_pending:
                step.request_cancel()

    # Changes by the lifecycle

    def move_to(self, state: str, message: str) -> None:
        """Change the state, unless the cluster is terminating."""
        with self.changed:
            if self.state not in ENDING:
                self.state, self.code, self.message = state, None, message
                self.changed.notify_all()

    def start_pending_steps(self) -> list[Step]:
        """Mark the steps that can start now as RUNNING, and return them."""
        with self.changed:
            running = sum(step.state in ("RUNNING", "CANCEL_PENDING") for step in self.steps)
            pending = [step for step in self.steps if step.state == "PENDING"]
            steps = pending[: max(self.step_concurrency - running, 0)]
            for step in steps:
                step.start()
            if steps:
                self.move_to("RUNNING", "Running step")
            return steps

    def settle_step(self, step: Step, exit_code: int, failure: Failure | None) -> None:
        """Record how a step ended, and apply its ActionOnFailure."""
        with self.changed:
            if step.state == "CANCEL_PENDING":
                step.end("CANCELLED", message="Cancelled by user")
            elif exit_code == 0:
                step.end("COMPLETED")
            else:
                step.end("FAILED", failure)
                self._act_on_failure(step)
            self.changed.notify_all()

    def _act_on_failure(self, step: Step) -> None:
        # https://docs.aws.amazon.com/emr/latest/APIReference/API_StepConfig.html
        if step.action_on_failure == "CONTINUE" or self.step_concurrency > 1:
            return
        # https://docs.aws.amazon.com/emr/latest/ManagementGuide/UsingEMR_TerminationProtection.html
        stays = self.termination_protected and self.keep_alive
        if step.action_on_failure == "CANCEL_AND_WAIT" or stays:
            self.cancel_steps(only_pending=True)
        else:
            self.terminate(Ending("STEP_FAILURE", "Shut down as step failed"))

    def become_idle(self) -> float | None:
        """With no step to start, wait or terminate. Return the longest sleep (None: until a change)."""
        if self.state in ENDING or any(step.is_active for step in self.steps):
            return None
        if not self.keep_alive:
            if (left := self._seconds_for_first_step()) > 0:
                return left
            failed = any(step.state == "FAILED" for step in self.steps)
            self.terminate(
                Ending("ALL_STEPS_COMPLETED", "Steps completed with errors" if failed else "Steps completed")
            )
            return None
        if self.idle_since is None:
            self.idle_since = time.monotonic()
        self.move_to("WAITING", self._waiting_message())
        return self._idle_seconds_left()

    def _seconds_for_first_step(self) -> float:
        if self.steps:
            return 0.0
        return self._born + FIRST_STEP_SECONDS / self.settings.speedup - time.monotonic()

    def _idle_seconds_left(self) -> float | None:
        # Unconfirmed: we assume that termination protection overrides the auto-termination policy.
        if self.idle_timeout is None or self.idle_since is None or self.termination_protected:
            return None
        left = self.idle_since + self.idle_timeout / self.settings.speedup - time.monotonic()
        if left <= 0:
            self.terminate(
                Ending(
                    "USER_REQUEST",
                    f"Cluster was idle for {self.idle_timeout} seconds: auto-termination policy",
                )
            )
            return None
        return left

    def _waiting_message(self) -> str:
        ended = [step for step in self.steps if step.ended is not None]
        if not ended:
            return "Cluster ready to run steps."
        last = max(ended, key=lambda step: step.ended or 0.0)
        return f"Cluster ready after last step {last.state.lower()}."
