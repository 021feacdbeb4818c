"""The deployed model artefact: a folder with a card that lists its files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchard_jobs.errors import OrchardError

CARD = "card.json"
MAKE_ONE = "`orchard model --models=DIR` makes one and prints its URI"


@dataclass(frozen=True)
class Model:
    """A model artefact: its URI and the files to upload, the card last; none if it is already there."""

    uri: str
    files: Mapping[str, Path]


def find_model(asked: str | None, bucket: str, deployed: str | None) -> Model:
    """Return the requested model, a local folder or an S3 URI; without one, the deployed model.

    Raises:
        OrchardError: if there is none, or a file is not what its card says.
    """
    given = asked or deployed
    if not given:
        raise OrchardError(
            "no model is given", rule="none is deployed yet", remedy=f"Name a model artefact: {MAKE_ONE}"
        )
    if given.startswith("s3://"):
        return Model(given.rstrip("/"), {})
    folder = Path(given.removeprefix("file://")).expanduser()
    card = _read_card(folder, given)
    files = {name: folder / name for name in [*sorted(card["files"]), CARD]}
    for name, digest in card["files"].items():
        _validate_digest(files[name], str(digest))
    return Model(f"s3://{bucket}/models/{card['id']}", files)


def _read_card(folder: Path, given: str) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_bytes())
        names = [str(card["id"]), *card["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise OrchardError(
            f"the model {given}",
            rule=f"it has no usable {CARD}",
            remedy=f"Name the folder of a model artefact: {MAKE_ONE}",
        ) from None
    if any(Path(name).name != name or name in ("", "..") for name in names):
        raise OrchardError(
            f"the model {given}", rule=f"its {CARD} names files outside its folder", remedy="Do not use it"
        )
    return card


def _validate_digest(path: Path, digest: str) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "none: it is missing"
    if found != digest:
        raise OrchardError(
            f"{path} has SHA-256 {found}", rule=f"its card says {digest}", remedy="Export the model again"
        )
