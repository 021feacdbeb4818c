"""The model artefact of a lake on this machine, exported by the node's Python once per set of weights.

``python -m local_spark.model LAKE`` exports it for docker-compose.yaml, whose settings name the link
``models/current`` before there is an artefact. The weights are a file in ``<lake>/weights``; without one,
Keras's ImageNet weights, or else untrained ones, as in ``make demo``.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local_spark.node import STATE, run_node_python
from orchard_jobs.errors import OrchardError

SUFFIXES = (".h5", ".keras")
BY_NAME = "untrained"
"""Given instead of a file of weights: random weights, always the same."""

REQUESTED = "the weights are untrained, as requested, so the features are meaningless."

UNTRAINED = (
    "the weights are untrained, so the features are meaningless: Keras's ImageNet weights could not be "
    "downloaded."
)


@dataclass(frozen=True)
class Model:
    """A model artefact in the lake, and a warning if its weights are untrained."""

    uri: str
    warning: str | None = None

    @property
    def advice(self) -> str | None:
        """The warning, with a remedy."""
        if self.warning != UNTRAINED:
            return self.warning
        return f"{self.warning} Provide weights with --weights=FILE, or WEIGHTS=FILE with make."


def provide_model(weights: Path | None, lake: Path) -> Model:
    """Put the artefact for ``weights`` into the lake.

    Without weights, keep the model of the lake's newest results, so that nothing changes without being
    requested. A lake without trained results gets Keras's ImageNet weights, or else untrained ones.

    Raises:
        OrchardError: if the weights are invalid, or untrained ones would replace trained ones.
    """
    if weights and weights.name == BY_NAME:
        return Model(_export_once(BY_NAME, BY_NAME, lake), REQUESTED)
    if weights:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        return Model(_export_once(f"file-{digest}", str(weights.absolute()), lake))
    trained = _find_trained(lake)
    if trained and (lake / "models" / trained / "card.json").is_file():
        return Model(f"file://{lake}/models/{trained}")
    try:
        return Model(_export_once("imagenet", "imagenet", lake))
    except OrchardError as error:
        if not str(error).startswith("--weights=imagenet"):
            raise  # not the download: the export would fail with any weights
        if trained:
            raise OrchardError(
                f"no weights, and the newest results of {lake} come from the trained model {trained}, which "
                "is no longer in its models/",
                rule="untrained weights replace trained ones only on request",
                remedy=f"add --weights=FILE (WEIGHTS=FILE with make), or --weights={BY_NAME}",
            ) from None
        return Model(_export_once(BY_NAME, BY_NAME, lake), UNTRAINED)


def _find_trained(lake: Path) -> str | None:
    """Return the model id of the newest results; None if there are none, or the model is untrained.

    Reads plain JSON instead of using ``RunIndex``, which the image of docker-compose's model service lacks.
    """
    try:
        newest = json.loads((lake / "latest.json").read_text())["run"]
        run = json.loads((lake / "runs" / newest / "run.json").read_text())
        weights, model = run["weights"], str(run["model"]["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # the run itself will report an invalid lake
    return None if weights in (None, BY_NAME) else model


def export_model(weights: str, models: str, environ: Mapping[str, str] | None = None) -> str:
    """Export a file of weights, or 'imagenet', as an artefact below the URI ``models``; return its URI.

    Args:
        environ: As for `run_node_python`: a URI in S3 needs the caller's credentials.

    Raises:
        OrchardError: if the weights cannot be loaded, or belong to another network.
    """
    export = ["-m", "orchard_jobs.models.model_export", f"--weights={weights}", f"--output={models}"]
    printed = run_node_python(export, environ)
    return printed.strip().splitlines()[-1]


def _export_once(source: str, weights: str, lake: Path) -> str:
    """Export once per source of weights, because export is slow and deterministic."""
    cache = STATE / "models" / source
    cards = list(cache.glob("*/card.json"))
    if not cards:
        export_model(weights, f"file://{cache}")
        cards = list(cache.glob("*/card.json"))
    artefact = cards[0].parent
    target = lake / "models" / artefact.name
    if not (target / "card.json").exists():
        target.mkdir(parents=True, exist_ok=True)
        # The card comes last: it marks the artefact as complete.
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
        print(f"WARNING  {model.warning} Provide weights: a .h5 or .keras file in lake/weights/.")
    return 0


def find_weights(folder: Path) -> Path | None:
    """Return the file of weights; None if there is none.

    Raises:
        OrchardError: if there are several.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise OrchardError(
            f"{names} in {folder}", rule="the model needs exactly one", remedy="remove the others"
        )
    return found[0] if found else None


def point_to(model: Model, lake: Path) -> Path:
    """Point the link ``models/current`` to the artefact; return the artefact's folder."""
    artefact = Path(model.uri.removeprefix("file://"))
    staged = lake / "models" / ".current"
    staged.unlink(missing_ok=True)
    staged.symlink_to(artefact.name)  # relative: the lake's path differs outside the container
    staged.replace(lake / "models" / "current")
    return artefact


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
