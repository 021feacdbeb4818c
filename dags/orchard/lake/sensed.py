"""What the task ``sense`` found: its XCom, and all that later tasks need to know of it."""

import hashlib
from typing import Any, NotRequired

from pydantic import NonNegativeInt
from typing_extensions import TypedDict  # typing's is none that pydantic checks before Python 3.12


class Sensed(TypedDict):
    """What the later tasks of a run need to know: the value of the task ``sense``."""

    listing: str | None
    """Id of what was found, see ``sensing.sense.prepare``; None where there is nothing to do."""
    digest: str | None
    """See ``digest_rows``; None where there is nothing to do."""
    images: str
    """URI of the images."""
    model: str
    """URI of the model artefact. Later tasks use this one, whatever the settings say by then."""
    feature_spec: dict[str, str]
    """How the features are computed, see ``FeatureSpec.to_json``: what ``builds_on`` was chosen by."""
    code: str
    """URI of the code, likewise: a deployment in the middle of a run changes nothing of it."""
    listed: NonNegativeInt
    known: NonNegativeInt
    new: NonNegativeInt
    """Rows of the manifest; 0 where known images alone get other components."""
    retried: NonNegativeInt
    """Those of them that an earlier run could not read."""
    deleted: NonNegativeInt
    """Images with features that are no longer listed."""
    kept: NonNegativeInt
    """Rows of earlier runs that stay in the result."""
    builds_on: str | None
    """The published run that this one continues."""
    predecessor: str | None
    """The newest published run, whatever it is of."""
    estimate: NotRequired[dict[str, Any]]
    """What the run is going to cost, see ``emr.cost_estimate``; only where there is something to do."""


def digest_rows(manifest: bytes, earlier: bytes) -> str:
    """Return the SHA-256 of a run's manifest and earlier rows: by it others see that nobody changed them."""
    return hashlib.sha256(hashlib.sha256(manifest).digest() + hashlib.sha256(earlier).digest()).hexdigest()
