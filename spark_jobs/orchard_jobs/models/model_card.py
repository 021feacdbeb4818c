"""The model artefact: a folder with the model for each runtime, and a card that describes it.

::

    <models>/<id>/card.json     what it computes, where it comes from, SHA-256 of each file
    <models>/<id>/model.xml     OpenVINO IR, float32 (what the executors run)
    <models>/<id>/model.bin     its weights
    <models>/<id>/model.keras   the Keras model (the reference)
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from orchard_jobs.errors import OrchardError
from orchard_jobs.storage import open_folder

CARD = "card.json"


@dataclass(frozen=True)
class ModelCard:
    """Describes a model artefact.

    Args:
        id: First 12 hex digits of the SHA-256 over the weights' values: two exports of the same
            weights have the same id, whatever the exporter's version.
        weights: ``imagenet``, ``untrained``, or the name of the weights file.
        image_size: Width and height of the input, in pixels, RGB.
        features: Length of the output.
        files: SHA-256 in hex, by file name.
    """

    id: str
    weights: str
    image_size: int
    features: int
    files: dict[str, str]
    architecture: str = "Keras MobileNetV2 1.0, no top, average pooling"
    preprocessing: str = "RGB, Pillow bicubic to image_size x image_size, x / 127.5 - 1"
    made_with: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=2, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> "ModelCard":
        return cls(**json.loads(data))


def read_card(model_uri: str) -> ModelCard:
    """Read the card of the artefact at ``model_uri``.

    Raises:
        OrchardError: if there is none, or it is not a card.
    """
    try:
        return ModelCard.from_json(open_folder(model_uri)(CARD))
    except (OSError, ValueError, TypeError) as error:
        raise OrchardError(
            f"--model={model_uri} ({error})",
            rule=f"it must name a folder with a {CARD}",
            remedy="create one with `orchard model --weights FILE --models URI`",
        ) from error


def read_model_file(model_uri: str, card: ModelCard, name: str) -> bytes:
    """Read one file of the artefact and check it against its card.

    Raises:
        OrchardError: if its bytes do not match the card.
    """
    data = open_folder(model_uri)(name)
    found = hashlib.sha256(data).hexdigest()
    if found != card.files[name]:
        raise OrchardError(
            f"{model_uri}/{name} has SHA-256 {found}",
            rule=f"its card says {card.files[name]}",
            remedy="export the model again; do not run this one",
        )
    return data
