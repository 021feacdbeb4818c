"""The model artefact of a lake on this machine: exported by the node's Python, once for the same weights.

``python -m local_spark.model LAKE`` makes it for docker-compose.yaml, whose settings are written before there
is an artefact: ``models/current`` leads to it. Weights are a file in ``<lake>/weights``; without one they are
Keras's own, or else untrained, as in ``make demo``.
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
"""Instead of a file of weights: random ones, always the same."""

ASKED_FOR = "the weights are untrained, so the features mean nothing: they were asked for."

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
        if self.warning != UNTRAINED:
            return self.warning
        return f"{self.warning} Give some: --weights=FILE, or WEIGHTS=FILE with make."


def provide_model(weights: Path | None, lake: Path) -> Model:
    """Put the artefact for ``weights`` into the lake; untrained ones where they are asked for by name.

    Without any, the artefact of the lake's newest results: nothing is computed in another way unasked. A lake
    without trained results gets Keras's own weights, or else untrained ones.

    Raises:
        OrchardError: when given weights are not what they should be, or untrained ones would take the place
            of trained ones.
    """
    if weights and weights.name == BY_NAME:
        return Model(_export_once(BY_NAME, BY_NAME, lake), ASKED_FOR)
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
            raise  # not the download: an export that fails with these weights fails with any
        if trained:
            raise OrchardError(
                f"no weights, and the newest results of {lake} are of the trained model {trained}, which is "
                "not in its models/ any more",
                rule="results of trained weights are never replaced by those of untrained ones unasked",
                remedy=f"give the weights: --weights=FILE (WEIGHTS=FILE with make); or --weights={BY_NAME}",
            ) from None
        return Model(_export_once(BY_NAME, BY_NAME, lake), UNTRAINED)


def _find_trained(lake: Path) -> str | None:
    """Return the id of the model of the newest results; None without any, or where it is untrained.

    As plain JSON, not by ``RunIndex``: the image of docker-compose that makes the model has no Airflow side.
    """
    try:
        newest = json.loads((lake / "latest.json").read_text())["run"]
        run = json.loads((lake / "runs" / newest / "run.json").read_text())
        weights, model = run["weights"], str(run["model"]["id"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # whoever reads the lake next says what is wrong with it
    return None if weights in (None, BY_NAME) else model


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
