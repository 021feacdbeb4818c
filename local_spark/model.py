"""The model artefact of a lake on this machine: exported by the node's Python, once for the same weights.

``python -m local_spark.model LAKE`` makes it for docker-compose.yaml, whose settings are written before there
is an artefact: ``models/current`` leads to it. Weights are a file in ``<lake>/weights``; without one they are
Keras's own, or else untrained, as in ``make demo``.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_spark.node import STATE, run_node_python
from orchard_jobs.errors import OrchardError

SUFFIXES = (".h5", ".keras")
UNTRAINED = (
    "the weights are untrained, so the features mean nothing: Keras's ImageNet weights could not be "
    "fetched from here."
)


@dataclass(frozen=True)
class Model:
    """A model artefact in the lake, and why it is not the one that was hoped for, if so."""

    uri: str
    warning: str | None = None

    @property
    def advice(self) -> str | None:
        """The warning, with what to do about it."""
        return self.warning and f"{self.warning} Give some: --weights=FILE, or WEIGHTS=FILE with make."


def provide_model(weights: Path | None, lake: Path) -> Model:
    """Put the artefact for ``weights`` into the lake; without any, Keras's own, or else untrained ones.

    Raises:
        OrchardError: when given weights are not what they should be.
    """
    if weights:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        return Model(_export_once(f"file-{digest}", str(weights.absolute()), lake))
    try:
        return Model(_export_once("imagenet", "imagenet", lake))
    except OrchardError as error:
        if not str(error).startswith("--weights=imagenet"):
            raise  # not the download: an export that fails with these weights fails with any
        return Model(_export_once("untrained", "untrained", lake), UNTRAINED)


def export_model(weights: str, models: str, environ: Mapping[str, str] | None = None) -> str:
    """Export the artefact of a file of weights, or of 'imagenet', below the URI ``models``; return its own.

    Args:
        environ: As of `run_node_python`: a URI in S3 takes the caller's credentials.

    Raises:
        OrchardError: when the weights cannot be had, or are not those of the network.
    """
    export = ["-m", "orchard_jobs.models.model_export", f"--weights={weights}", f"--output={models}"]
    printed = run_node_python(export, environ)
    return printed.strip().splitlines()[-1]


def _export_once(source: str, weights: str, lake: Path) -> str:
    """Export is slow and its result is the same: keep it by where the weights came from."""
    cache = STATE / "models" / source
    cards = list(cache.glob("*/card.json"))
    if not cards:
        export_model(weights, f"file://{cache}")
        cards = list(cache.glob("*/card.json"))
    artefact = cards[0].parent
    target = lake / "models" / artefact.name
    if not (target / "card.json").exists():
        target.mkdir(parents=True, exist_ok=True)
        # The card is the last: with it, the artefact is whole.
        for file in sorted(artefact.iterdir(), key=lambda file: file.name == "card.json"):
            shutil.copyfile(file, target / file.name)
    return f"file://{target}"


def main(lake: Path) -> int:
    try:
        model = provide_model(find_weights(lake / "weights"), lake)
    except OrchardError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    print(f"model    {point_to(model, lake)}")
    if model.warning:
        print(f"WARNING  {model.warning} Give some: a .h5 or .keras file in lake/weights/.")
    return 0


def find_weights(folder: Path) -> Path | None:
    """Return the file of weights; None where there is none.

    Raises:
        OrchardError: where there are several.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise OrchardError(
            f"{names} in {folder}", rule="one of them makes the model", remedy="take the others away"
        )
    return found[0] if found else None


def point_to(model: Model, lake: Path) -> Path:
    """Have ``models/current`` point to the artefact; return the artefact's folder."""
    artefact = Path(model.uri.removeprefix("file://"))
    staged = lake / "models" / ".current"
    staged.unlink(missing_ok=True)
    staged.symlink_to(artefact.name)  # relative: the lake has another place outside of the container
    staged.replace(lake / "models" / "current")
    return artefact


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
