"""Settings that ship with the deployed DAG: ``make deploy`` writes them beside this file."""

import json
from collections.abc import Mapping
from pathlib import Path

from orchard_jobs.errors import OrchardError

STAMP = Path(__file__).with_name("deployed.json")


def deployed_environment(stamp: Path = STAMP) -> Mapping[str, str]:
    """Return the ``ORCHARD_*`` variables of the deployment; an empty mapping in a checkout.

    Raises:
        OrchardError: if ``make deploy`` cannot have written the file.
    """
    if not stamp.exists():
        return {}
    try:
        environment: dict[str, str] = json.loads(stamp.read_bytes())["environment"]
    except (ValueError, KeyError, TypeError):
        raise OrchardError(
            f"{stamp} is damaged", rule="`make deploy` writes it", remedy="deploy the revision again"
        ) from None
    return environment
