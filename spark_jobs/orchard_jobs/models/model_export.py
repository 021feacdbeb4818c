"""Exports Keras MobileNetV2 as a model artefact.

``python -m orchard_jobs.models.model_export --weights=… --output=…``

The only module that needs TensorFlow to do its work; the executors need none. Run it once per set
of weights, anywhere; the artefact goes into the lake.
"""

import hashlib
import math
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchard_jobs.argv import from_argv
from orchard_jobs.errors import OrchardError, first_line
from orchard_jobs.models.model_card import CARD, ModelCard
from orchard_jobs.storage import write_bytes

IMAGE_SIZE = 224
UNTRAINED_SEED = 20
WAYS_OUT = (
    "give --weights=FILE (.h5 or .keras, e.g. Keras's own "
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5), run where the internet can be "
    "reached, or accept meaningless features with --weights=untrained"
)


@dataclass(frozen=True)
class ExportModel:
    """Arguments of the export.

    Args:
        output: URI of the folder of models; the artefact lands in ``<output>/<id>``.
        weights: ``imagenet`` (Keras downloads them), ``untrained`` (seeded; for trying things out
            only), or the path of a ``.h5`` weights file or a ``.keras`` model.
    """

    output: str
    weights: str = "imagenet"


def main(tokens: list[str]) -> int:
    """Export, and print the artefact's URI on standard output."""
    try:
        print(export_model(from_argv(ExportModel, tokens)))
    except OrchardError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    return 0


def export_model(arguments: ExportModel) -> str:
    """Write the artefact and return its URI.

    Raises:
        OrchardError: when the weights cannot be had, are not those of this network, or tell no images apart.
    """
    model = build_model(arguments.weights)
    _refuse_useless(model, arguments.weights)
    with tempfile.TemporaryDirectory() as folder:
        files = _write_files(model, Path(folder))
    card = ModelCard(
        id=_hash_weights(model)[:12],
        weights=Path(arguments.weights).name,
        image_size=IMAGE_SIZE,
        features=model.output_shape[-1],
        files={name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        made_with=_versions(),
    )
    uri = f"{arguments.output.rstrip('/')}/{card.id}"
    for name, data in files.items():
        write_bytes(f"{uri}/{name}", data)
    write_bytes(f"{uri}/{CARD}", card.to_json())  # last: a folder with a card is whole
    return uri


def build_model(weights: str) -> Any:
    """Return the Keras model: uint8-valued RGB scaled to [-1, 1], (n, 224, 224, 3) -> (n, 1280)."""
    if weights == "imagenet":
        return _download_imagenet()
    if weights == "untrained":
        return _seed_untrained()
    path = Path(weights)
    if not path.is_file() or path.suffix not in (".h5", ".keras"):
        raise OrchardError(
            f"--weights={weights}", rule="it is an existing .h5 or .keras file", remedy=WAYS_OUT
        )
    return _load_keras(path) if path.suffix == ".keras" else _load_h5(path)


def _mobilenet(weights: str | None) -> Any:
    from keras.applications import MobileNetV2

    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    return MobileNetV2(weights=weights, include_top=False, pooling="avg", input_shape=shape)


def _download_imagenet() -> Any:
    try:
        return _mobilenet("imagenet")
    except Exception as error:  # Keras wraps whatever its download raised in a bare Exception
        raise OrchardError(
            f"--weights=imagenet ({first_line(error)})", rule="Keras downloads these", remedy=WAYS_OUT
        ) from error


def _seed_untrained() -> Any:
    """Seeded random weights whose activations neither die nor explode.

    Keras's own initialiser counts a depthwise kernel's channels as its fan-in, and 17 such layers
    in a row leave features of 1e-11.
    """
    import keras
    import numpy as np

    model = _mobilenet(None)
    generator = np.random.default_rng(UNTRAINED_SEED)
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D | keras.layers.Conv2D):
            shape = layer.kernel.shape
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            fan_in = math.prod(shape[:2] if depthwise else shape[:3])
            layer.kernel.assign(generator.normal(0, math.sqrt(2 / fan_in), shape).astype("float32"))
    return model


def _load_h5(path: Path) -> Any:
    try:
        return _mobilenet(str(path))
    except Exception as error:  # h5py and Keras raise OSError, ValueError, KeyError … on a foreign file
        raise _foreign(path, error) from error


def _load_keras(path: Path) -> Any:
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # as above
        raise _foreign(path, error) from error
    if tuple(model.input_shape[1:]) != (IMAGE_SIZE, IMAGE_SIZE, 3) or len(model.output_shape) != 2:
        raise _foreign(path, f"shapes {model.input_shape} -> {model.output_shape}")
    return model


def _refuse_useless(model: Any, weights: str) -> None:
    """Infer two images that have nothing in common: noise, and black."""
    import numpy as np

    noise = np.random.default_rng(0).uniform(-1, 1, (IMAGE_SIZE, IMAGE_SIZE, 3))
    images = np.stack([noise, np.full_like(noise, -1)]).astype(np.float32)
    features = np.asarray(model(images, training=False))
    if not np.isfinite(features).all():
        problem = "features that are not finite"
    elif np.array_equal(features[0], features[1]):
        problem = "the same features for noise and for black"
    else:
        return
    raise OrchardError(
        f"--weights={weights} give {problem}",
        rule="a model tells images apart by finite numbers",
        remedy="train it again, or " + WAYS_OUT,
    )


def _foreign(path: Path, reason: object) -> OrchardError:
    return OrchardError(
        f"--weights={path} ({' '.join(str(reason).split())[:300]})",
        rule="it holds MobileNetV2 1.0 weights without top, (n, 224, 224, 3) -> (n, 1280)",
        remedy=WAYS_OUT,
    )


def _write_files(model: Any, folder: Path) -> dict[str, bytes]:
    # It would report each conversion to its vendor without being asked; openvino does without it.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    model.save(folder / "model.keras")
    with tempfile.TemporaryDirectory() as saved:
        # By way of a SavedModel: what converts a Keras model as it is fails on Python 3.13, where exec no
        # longer changes a function's variables (PEP 667). The result is the same.
        model.export(saved, verbose=False)
        converted = openvino.convert_model(saved)
        openvino.save_model(converted, folder / "model.xml", compress_to_fp16=False)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _hash_weights(model: Any) -> str:
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(repr(weight.shape).encode())
        digest.update(weight.astype("<f4").tobytes())
    return digest.hexdigest()


def _versions() -> dict[str, str]:
    import keras
    import openvino
    import tensorflow as tf

    return {"keras": keras.__version__, "openvino": openvino.__version__, "tensorflow": tf.__version__}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main(sys.argv[1:]))
