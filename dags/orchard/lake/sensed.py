"""What the task ``sense`` found: its XCom, and all that later tasks need to know of it."""

import hashlib
from typing import (
    Any,
    NotRequired,  # of which pydantic makes a check before Python 3.12
)

from typing_extensions import TypedDict


class Sensed(TypedDict):
    """What the later tasks of a run need to know: the value of the task ``sense``."""

    listing: str | None
    """Id of what was found, see ``sensing.sense.prepare``; None where nothing is new."""
    digest: str | None
    """See ``digest_rows``; None where nothing is new."""
    images: str
    """URI of the images."""
    model: str
    """URI of the model artefact. Later tasks use this one, whatever the settings say by then."""
    feature_spec: dict[str, str]
    """How the features are computed, see ``FeatureSpec.to_json``: what ``builds_on`` was chosen by."""
    code: str
    """URI of the code, likewise: a deployment in the middle of a run changes nothing of it."""
    listed: int
    known: int
    new: int
    """Rows of the manifest."""
    retried: int
    """Those of them that an earlier run could not read."""
    deleted: int
    """Images with features that are no longer listed."""
    kept: int
    """Rows of earlier runs that stay in the result."""
    builds_on: str | None
    """The published run that this one continues."""
    predecessor: str | None
    """The newest published run, whatever it is of."""
    estimate: NotRequired[dict[str, Any]]
    """What the run is going to cost, see ``emr.cost_estimate``; only where something is new."""


def digest_rows(manifest: bytes, earlier: bytes) -> str:
    """Return the SHA-256 of a run's manifest and earlier rows: by it others see that nobody changed them."""
    return hashlib.sha256(hashlib.sha256(manifest).digest() + hashlib.sha256(earlier).digest()).hexdigest()
