"""The XCom of the task ``sense``, which tells later tasks what it found."""

import hashlib
from typing import Any, NotRequired

from pydantic import NonNegativeInt
from typing_extensions import TypedDict  # pydantic does not support typing's before Python 3.12


class Sensed(TypedDict):
    """The return value of the task ``sense``: what the run's later tasks need to know."""

    listing: str | None
    """Id of what was found, see ``sensing.sense.prepare``; None if there is nothing to do."""
    digest: str | None
    """See ``digest_rows``; None if there is nothing to do."""
    images: str
    """URI of the images."""
    model: str
    """URI of the model artefact. Later tasks use this one, even if the settings change."""
    feature_spec: dict[str, str]
    """How features are computed, see ``FeatureSpec.to_json``; ``builds_on`` has the same spec."""
    code: str
    """URI of the code, which likewise stays the same if somebody deploys during the run."""
    listed: NonNegativeInt
    known: NonNegativeInt
    new: NonNegativeInt
    """Rows of the manifest; 0 for a refit without new images."""
    retried: NonNegativeInt
    """How many of the new images an earlier run could not read."""
    deleted: NonNegativeInt
    """Images with features that are no longer listed."""
    kept: NonNegativeInt
    """Rows of earlier runs that stay in the result."""
    builds_on: str | None
    """The published run that this one builds on."""
    predecessor: str | None
    """The newest published run, of any images and spec."""
    estimate: NotRequired[dict[str, Any]]
    """The cost estimate, see ``emr.cost_estimate``; only if there is something to do."""


def digest_rows(manifest: bytes, earlier: bytes) -> str:
    """Return the SHA-256 of a run's manifest and earlier rows, which shows whether anybody changed them."""
    return hashlib.sha256(hashlib.sha256(manifest).digest() + hashlib.sha256(earlier).digest()).hexdigest()
