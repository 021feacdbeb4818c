"""Exports Keras MobileNetV2 as a model artefact.

``python -m orchard_jobs.models.model_export --weights=… --output=…``

Only this module needs TensorFlow; executors do not. Run it once per set of weights, on any machine; it writes
the artefact to the lake.
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
REMEDY = (
    "use --weights=FILE (.h5 or .keras, such as Keras's own "
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5), run it with internet access, or "
    "accept meaningless features with --weights=untrained"
)


@dataclass(frozen=True)
class ExportModel:
    """Arguments of the export.

    Args:
        output: URI of the models folder; the artefact is written to ``<output>/<id>``.
        weights: ``imagenet`` (downloaded by Keras), ``untrained`` (seeded random weights, for tests only), or
            the path of a ``.h5`` weights file or a ``.keras`` model.
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
        OrchardError: if the weights cannot be loaded, belong to another network, or do not tell images apart.
    """
    model = build_model(arguments.weights)
    _validate_features(model, arguments.weights)
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
    write_bytes(f"{uri}/{CARD}", card.to_json())  # last: the card marks the artefact as complete
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
            f"--weights={weights}", rule="it must be an existing .h5 or .keras file", remedy=REMEDY
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
            f"--weights=imagenet ({first_line(error)})",
            rule="Keras must be able to download them",
            remedy=REMEDY,
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


def _validate_features(model: Any, weights: str) -> None:
    """Check that two very different images, noise and black, have different finite features."""
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
        rule="a model must distinguish images by finite features",
        remedy="train it again, or " + REMEDY,
    )


def _foreign(path: Path, reason: object) -> OrchardError:
    return OrchardError(
        f"--weights={path} ({' '.join(str(reason).split())[:300]})",
        rule="it must contain MobileNetV2 1.0 weights without top, (n, 224, 224, 3) -> (n, 1280)",
        remedy=REMEDY,
    )


def _write_files(model: Any, folder: Path) -> dict[str, bytes]:
    # Disable openvino's telemetry, which would report each conversion to its vendor.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    model.save(folder / "model.keras")
    with tempfile.TemporaryDirectory() as saved:
        # Converting through a SavedModel gives the same result. Direct conversion of a Keras model fails on
        # Python 3.13, where exec no longer changes a function's variables (PEP 667).
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
