"""Actions on the steps of a cluster."""

from __future__ import annotations

from collections.abc import Callable

from local_emr.clusters.cluster import Cluster
from local_emr.clusters.step import Step
from local_emr.errors import InvalidRequestError
from local_emr.execution.registry import ClusterRegistry
from local_emr.requests import descriptions
from local_emr.requests.paging import paginate
from local_emr.service_model import Parameters
from local_emr.settings import Settings

_MAX_STEP_IDS = 10
_MAX_CANCELLED = 256


class StepActions:
    """One method for each action; `actions` names them."""

    def __init__(self, settings: Settings, clusters: ClusterRegistry) -> None:
        self._settings = settings
        self._clusters = clusters
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "AddJobFlowSteps": self._add_job_flow_steps,
            "CancelSteps": self._cancel_steps,
            "DescribeStep": self._describe_step,
            "ListSteps": self._list_steps,
        }

    def _add_job_flow_steps(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find_job_flow(parameters["JobFlowId"])
        return {"StepIds": cluster.add_steps(parameters["Steps"], parameters.get("ExecutionRoleArn"))}

    def _cancel_steps(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        step_ids = parameters["StepIds"]
        if len(step_ids) > _MAX_CANCELLED:
            raise InvalidRequestError(
                f"{len(step_ids)} steps: at most {_MAX_CANCELLED} can be cancelled at once."
            )
        at_once = parameters.get("StepCancellationOption") == "TERMINATE_PROCESS"
        steps = [_find_step(cluster, step_id) for step_id in step_ids]
        return {"CancelStepsInfoList": [_cancel(cluster, step, at_once) for step in steps]}

    def _describe_step(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        with cluster.changed:
            return {"Step": descriptions.describe_step(_find_step(cluster, parameters["StepId"]))}

    def _list_steps(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        step_ids, states = parameters.get("StepIds"), parameters.get("StepStates")
        if step_ids and len(step_ids) > _MAX_STEP_IDS:
            raise InvalidRequestError(f"{len(step_ids)} StepIds: at most {_MAX_STEP_IDS} are allowed.")
        with cluster.changed:
            chosen, marker = paginate(
                list(reversed(cluster.steps)),
                parameters,
                self._settings.page_size,
                key=lambda step: step.step_id,
                matches=lambda step: (
                    (not step_ids or step.step_id in step_ids) and (not states or step.state in states)
                ),
            )
            return {
                "Steps": [descriptions.summarise_step(step) for step in chosen],
                "Marker": marker,
            }


def _find_step(cluster: Cluster, step_id: str) -> Step:
    for step in cluster.steps:
        if step.step_id == step_id:
            return step
    raise InvalidRequestError(f"Step id '{step_id}' is not valid.")


def _cancel(cluster: Cluster, step: Step, at_once: bool) -> Parameters:
    if cluster.cancel_step(step, at_once):
        return {"StepId": step.step_id, "Status": "SUBMITTED"}
    return {
        "StepId": step.step_id,
        "Status": "FAILED",
        "Reason": f"Step is {step.state}: it cannot be cancelled.",
    }
