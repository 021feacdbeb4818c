"""Actions that list the instances and bootstrap actions of a cluster."""

from __future__ import annotations

from collections.abc import Callable

from local_emr.errors import InvalidRequestError
from local_emr.execution.registry import ClusterRegistry
from local_emr.requests import descriptions
from local_emr.requests.paging import paginate
from local_emr.service_model import Parameters
from local_emr.settings import Settings


class HardwareActions:
    """One method for each action; `actions` names them."""

    def __init__(self, settings: Settings, clusters: ClusterRegistry) -> None:
        self._settings = settings
        self._clusters = clusters
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "ListBootstrapActions": self._list_bootstrap_actions,
            "ListInstances": self._list_instances,
            "ListInstanceFleets": self._list_instance_fleets,
            "ListInstanceGroups": self._list_instance_groups,
        }

    def _list_bootstrap_actions(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        actions = list(enumerate(cluster.request.get("BootstrapActions", [])))
        chosen, marker = paginate(actions, parameters, self._settings.page_size, lambda item: str(item[0]))
        described = [
            {
                "Name": action["Name"],
                "ScriptPath": action["ScriptBootstrapAction"]["Path"],
                "Args": action["ScriptBootstrapAction"].get("Args", []),
            }
            for _, action in chosen
        ]
        return {"BootstrapActions": described, "Marker": marker}

    def _list_instances(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        roles = {*parameters.get("InstanceGroupTypes", []), *_collect_values(parameters, "InstanceFleetType")}
        ids = _collect_values(parameters, "InstanceFleetId", "InstanceGroupId")
        states = parameters.get("InstanceStates")
        instances = [
            (collection, instance)
            for collection in cluster.hardware.collections
            if (not roles or collection.role in roles) and (not ids or collection.collection_id in ids)
            for instance in collection.instances
        ]
        chosen, marker = paginate(
            instances,
            parameters,
            self._settings.page_size,
            key=lambda item: item[1].instance_id,
            matches=lambda _: not states or descriptions.instance_state(cluster) in states,
        )
        return {
            "Instances": [descriptions.describe_instance(cluster, *item) for item in chosen],
            "Marker": marker,
        }

    def _list_instance_fleets(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        if cluster.hardware.kind != "INSTANCE_FLEET":
            raise InvalidRequestError(
                "Instance groups and instance fleets are mutually exclusive: this has groups."
            )
        size = self._settings.page_size
        chosen, marker = paginate(cluster.hardware.collections, parameters, size, lambda c: c.collection_id)
        return {
            "InstanceFleets": [descriptions.describe_fleet(cluster, fleet) for fleet in chosen],
            "Marker": marker,
        }

    def _list_instance_groups(self, parameters: Parameters) -> Parameters:
        cluster = self._clusters.find(parameters["ClusterId"])
        if cluster.hardware.kind != "INSTANCE_GROUP":
            raise InvalidRequestError(
                "Instance groups and instance fleets are mutually exclusive: this has fleets."
            )
        size = self._settings.page_size
        chosen, marker = paginate(cluster.hardware.collections, parameters, size, lambda c: c.collection_id)
        return {
            "InstanceGroups": [descriptions.describe_group(cluster, group) for group in chosen],
            "Marker": marker,
        }


def _collect_values(parameters: Parameters, *names: str) -> set[str]:
    return {parameters[name] for name in names if name in parameters}
