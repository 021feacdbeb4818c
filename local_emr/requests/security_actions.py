"""Actions on security configurations. They are stored, and clusters can name them; they are not enforced."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from local_emr.clusters.identifiers import now
from local_emr.errors import EmrError, InvalidRequestError, ValidationError
from local_emr.requests.paging import paginate
from local_emr.service_model import Parameters
from local_emr.settings import Settings


class SecurityActions:
    """One method for each action; `actions` names them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._configurations: dict[str, Parameters] = {}
        self.actions: dict[str, Callable[[Parameters], Parameters]] = {
            "CreateSecurityConfiguration": self._create_security_configuration,
            "DescribeSecurityConfiguration": self._describe_security_configuration,
            "ListSecurityConfigurations": self._list_security_configurations,
            "DeleteSecurityConfiguration": self._delete_security_configuration,
        }

    def validate_name(self, name: str | None) -> None:
        """Refuse a cluster whose security configuration does not exist."""
        with self._lock:
            if name is not None:
                self._find(name, ValidationError)

    def _create_security_configuration(self, parameters: Parameters) -> Parameters:
        name, content = parameters["Name"], parameters["SecurityConfiguration"]
        _validate(content)
        with self._lock:
            if name in self._configurations:
                raise InvalidRequestError(f"Security configuration with name '{name}' already exists.")
            self._configurations[name] = {
                "Name": name,
                "SecurityConfiguration": content,
                "CreationDateTime": now(),
            }
            return _summarise(self._configurations[name])

    def _describe_security_configuration(self, parameters: Parameters) -> Parameters:
        with self._lock:
            return self._find(parameters["Name"], InvalidRequestError)

    def _list_security_configurations(self, parameters: Parameters) -> Parameters:
        with self._lock:
            configurations = list(self._configurations.values())
        size = self._settings.page_size
        chosen, marker = paginate(configurations, parameters, size, lambda item: str(item["Name"]))
        return {"SecurityConfigurations": [_summarise(item) for item in chosen], "Marker": marker}

    def _delete_security_configuration(self, parameters: Parameters) -> Parameters:
        with self._lock:
            self._find(parameters["Name"], InvalidRequestError)
            del self._configurations[parameters["Name"]]
        return {}

    def _find(self, name: str, error: type[EmrError]) -> Parameters:
        if name not in self._configurations:
            raise error(f"Security configuration with name '{name}' does not exist.")
        return self._configurations[name]


def _summarise(configuration: Parameters) -> Parameters:
    return {name: configuration[name] for name in ("Name", "CreationDateTime")}


def _validate(content: str) -> None:
    try:
        is_object = isinstance(json.loads(content), dict)
    except ValueError:
        is_object = False
    if not is_object:
        raise InvalidRequestError("SecurityConfiguration is not valid: it must be a JSON object.")
