"""Actions that list what a cluster is made of."""

from __future__ import annotations

from collections.abc import Callable

from local_emr.errors import InvalidRequestError
from local_emr.execution.registry import Clusters
from local_emr.requests import descriptions
from local_emr.requests.paging import page
from local_emr.service_model import Parameters
from local_emr.settings import Settings


class HardwareActions:
    """One method for each action; `actions` names them."""

    def __init__(self, settings: Settings, clusters: Clusters) -> None:
        self._settings = settings
        self._clusters = clusters
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "ListBootstrapActions": self._list_bootstrap_actions,
            "ListInstances": self._list_instances,
            "ListInstanceFleets": self._list_instance_fleets,
            "ListInstanceGroups": self._list_instance_groups,
        }

    def _list_bootstrap_actions(self, asked: Parameters) -> Parameters:
        actions = list(enumerate(self._clusters.find(asked["ClusterId"]).request.get("BootstrapActions", [])))
        chosen, marker = page(
            actions, asked.get("Marker"), self._settings.page_size, lambda item: str(item[0])
        )
        described = [
            {
                "Name": action["Name"],
                "ScriptPath": action["ScriptBootstrapAction"]["Path"],
                "Args": action["ScriptBootstrapAction"].get("Args", []),
            }
            for _, action in chosen
        ]
        return {"BootstrapActions": described, "Marker": marker}

    def _list_instances(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ClusterId"])
        roles = {*asked.get("InstanceGroupTypes", []), *_given(asked, "InstanceFleetType")}
        ids = _given(asked, "InstanceFleetId", "InstanceGroupId")
        states = asked.get("InstanceStates")
        instances = [
            (collection, instance)
            for collection in cluster.hardware.collections
            if (not roles or collection.role in roles) and (not ids or collection.collection_id in ids)
            for instance in collection.instances
            if not states or descriptions.instance_state(cluster) in states
        ]
        size = self._settings.page_size
        chosen, marker = page(instances, asked.get("Marker"), size, lambda item: item[1].instance_id)
        return {
            "Instances": [descriptions.describe_instance(cluster, *item) for item in chosen],
            "Marker": marker,
        }

    def _list_instance_fleets(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ClusterId"])
        if cluster.hardware.kind != "INSTANCE_FLEET":
            raise InvalidRequestError(
                "Instance groups and instance fleets are mutually exclusive: this has groups."
            )
        size = self._settings.page_size
        chosen, marker = page(
            cluster.hardware.collections, asked.get("Marker"), size, lambda c: c.collection_id
        )
        return {
            "InstanceFleets": [descriptions.describe_fleet(cluster, fleet) for fleet in chosen],
            "Marker": marker,
        }

    def _list_instance_groups(self, asked: Parameters) -> Parameters:
        cluster = self._clusters.find(asked["ClusterId"])
        if cluster.hardware.kind != "INSTANCE_GROUP":
            raise InvalidRequestError(
                "Instance groups and instance fleets are mutually exclusive: this has fleets."
            )
        size = self._settings.page_size
        chosen, marker = page(
            cluster.hardware.collections, asked.get("Marker"), size, lambda c: c.collection_id
        )
        return {
            "InstanceGroups": [descriptions.describe_group(cluster, group) for group in chosen],
            "Marker": marker,
        }


def _given(asked: Parameters, *names: str) -> set[str]:
    return {asked[name] for name in names if name in asked}
