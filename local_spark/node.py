"""What the demo and ``make up`` let the node's Python do: draw sample images, export the model."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Environments, samples and logs of the demo; tests keep theirs elsewhere.
STATE = Path(os.environ.get("ORCHARD_STATE", ROOT / ".orchard"))
NODE_ENV = ROOT / ".venv-node"
NODE_PYTHON = NODE_ENV / "bin" / "python"
CODE = ROOT / "build"
# What the download of Keras's weights may need.
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
PASSED_ON = (
    *("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "KERAS_HOME"),
    *PROXIES,
    *(name.lower() for name in PROXIES),
)
UNTRAINED = (
    "the weights are untrained, so the features mean nothing: Keras's ImageNet weights could not be "
    "fetched from here. Give some with WEIGHTS=<file.h5|.keras>."
)


class NodeError(Exception):
    """What the node's Python said, in one line."""


@dataclass(frozen=True)
class Model:
    """A model artefact in the lake, and why it is not the one that was hoped for, if so."""

    uri: str
    warning: str | None = None


def draw_samples() -> Path:
    """Return a folder of drawn sample images; the same ones every time."""
    folder = STATE / "samples"
    _run([str(ROOT / "local" / "sample_images.py"), str(folder)])
    return folder


def provide_model(weights: Path | None, lake: Path) -> Model:
    """Put the artefact for ``weights`` into the lake; without any, Keras's own, or else untrained ones.

    Raises:
        NodeError: when given weights are not what they should be.
    """
    if weights:
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        return Model(_export_once(f"file-{digest}", str(weights.absolute()), lake))
    try:
        return Model(_export_once("imagenet", "imagenet", lake))
    except NodeError as error:
        if not str(error).startswith("--weights=imagenet"):
            raise  # not the download: an export that fails with these weights fails with any
        return Model(_export_once("untrained", "untrained", lake), UNTRAINED)


def _export_once(source: str, weights: str, lake: Path) -> str:
    """Export is slow and its result is the same: keep it by where the weights came from."""
    cache = STATE / "models" / source
    cards = list(cache.glob("*/card.json"))
    if not cards:
        _run(["-m", "orchard_jobs.model_export", f"--weights={weights}", f"--output=file://{cache}"])
        cards = list(cache.glob("*/card.json"))
    artefact = cards[0].parent
    target = lake / "models" / artefact.name
    if not (target / "card.json").exists():
        shutil.copytree(artefact, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("card.json"))
        shutil.copyfile(artefact / "card.json", target / "card.json")  # last: with its card, it is whole
    return f"file://{target}"


def _run(arguments: list[str]) -> None:
    environment = {
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "PYTHONPATH": str(ROOT / "spark_jobs"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    done = subprocess.run(
        [str(NODE_PYTHON), *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise NodeError(lines[-1].removeprefix("orchard: "))
