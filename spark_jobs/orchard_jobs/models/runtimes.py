"""Runs a model artefact: OpenVINO on the executors, TensorFlow as the reference."""

import functools
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from orchard_jobs.contract import InstructionSet, Precision, Runtime
from orchard_jobs.errors import OrchardError
from orchard_jobs.kernels import OPENVINO_AVX2, require_avx2
from orchard_jobs.models.model_card import ModelCard, read_card, read_model_file

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]


class FeatureModel(Protocol):
    """Computes features: n times (size, size, 3) RGB in 0..255 -> (n, features)."""

    card: ModelCard

    def features(self, pixels: Sequence[Pixels]) -> Features: ...


@functools.cache
def load_model(
    model_uri: str,
    runtime: Runtime,
    precision: Precision,
    batch_size: int,
    instruction_set: InstructionSet | None = None,
) -> FeatureModel:
    """Load and verify the artefact, once per worker process.

    Spark's Python workers import this module, so the cache outlives the tasks; a cache in ``__main__`` would
    be pickled again with every task.

    Raises:
        OrchardError: if there is no such artefact, it does not match its card, the runtime is not installed,
            or it uses another instruction set than requested.
    """
    card = read_card(model_uri)
    if runtime is Runtime.OPENVINO:
        if instruction_set is InstructionSet.AVX2:
            require_avx2("--instruction-set=avx2 is for features that are the same on every CPU")
            os.environ.update(OPENVINO_AVX2)  # has no effect, and is rejected below, if OpenVINO is loaded
        model = OpenVinoModel(model_uri, card, precision, batch_size)
        if instruction_set is InstructionSet.AVX2:
            _validate_kernels(model.find_kernels())
        return model
    return TensorFlowModel(model_uri, card)


class OpenVinoModel:
    """The IR, compiled for one batch shape and one thread: Spark runs one worker per core."""

    def __init__(self, model_uri: str, card: ModelCard, precision: Precision, batch_size: int) -> None:
        import openvino as ov

        self.card = card
        self._batch_size = batch_size
        core = ov.Core()
        network = core.read_model(
            model=read_model_file(model_uri, card, "model.xml"),
            weights=read_model_file(model_uri, card, "model.bin"),
        )
        hints = {
            "INFERENCE_PRECISION_HINT": {Precision.FLOAT32: "f32", Precision.BFLOAT16: "bf16"}[precision],
            "INFERENCE_NUM_THREADS": int(os.environ.get("OMP_NUM_THREADS", "1")),
            "NUM_STREAMS": 1,
            # Otherwise every worker process pins itself to the same first core.
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = core.compile_model(_accept_pixels(network, card, batch_size), "CPU", hints)

    def features(self, pixels: Sequence[Pixels]) -> Features:
        found = np.empty((len(pixels), self.card.features), np.float32)
        for start in range(0, len(pixels), self._batch_size):
            batch = pixels[start : start + self._batch_size]
            found[start : start + len(batch)] = self._infer(np.stack(batch))[: len(batch)]
        return found

    def find_kernels(self) -> set[str]:
        """Return OpenVINO's names of the kernels in use, such as ``brgconv_avx2_1x1_f32``."""
        nodes = self._compiled.get_runtime_model().get_ops()
        return {str(node.get_rt_info()["primitiveType"].value) for node in nodes}

    def _infer(self, pixels: Pixels) -> Features:
        missing = self._batch_size - len(pixels)
        padded = np.pad(pixels, ((0, missing), (0, 0), (0, 0), (0, 0))) if missing else pixels
        result: Features = self._compiled(padded)[0]
        return result


def _validate_kernels(kernels: set[str]) -> None:
    """Check that all kernels use AVX2; they do not if OpenVINO was imported without the variables.

    Raises:
        OrchardError: names the other kernels.
    """
    others = sorted(name for name in kernels if re.search(r"avx(?!2_)|amx|sse4", name))
    if others:
        raise OrchardError(
            f"OpenVINO with {', '.join(others)}",
            rule="--instruction-set=avx2 allows only AVX2, which OpenVINO fixes when it is imported",
            remedy="load no other model in the process, and unset ONEDNN_MAX_CPU_ISA and OV_CPU_MAX_ISA",
        )


def _accept_pixels(network: Any, card: ModelCard, batch_size: int) -> Any:
    """Add the card's preprocessing, x / 127.5 - 1, to the graph, so that its input is bytes, not floats."""
    import openvino as ov
    from openvino.preprocess import PrePostProcessor

    preprocessing = PrePostProcessor(network)
    image = preprocessing.input()
    image.tensor().set_element_type(ov.Type.u8).set_shape([batch_size, card.image_size, card.image_size, 3])
    image.preprocess().convert_element_type(ov.Type.f32).scale(127.5).mean(1.0)
    return preprocessing.build()


class TensorFlowModel:
    """The exported Keras model, unchanged: the reference."""

    def __init__(self, model_uri: str, card: ModelCard) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            import keras
        except ImportError as error:
            raise OrchardError(
                "--runtime=tensorflow on a node without TensorFlow",
                rule="the node's environment must contain it",
                remedy="install it with `install_node.sh --with-tensorflow`, or use --runtime=openvino",
            ) from error
        self.card = card
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(read_model_file(model_uri, card, path.name))
            self._model = keras.saving.load_model(path, compile=False, safe_mode=True)

    def features(self, pixels: Sequence[Pixels]) -> Features:
        if len(pixels) == 0:
            return np.empty((0, self.card.features), np.float32)
        scaled = np.stack(pixels).astype(np.float32) / 127.5 - 1
        return np.asarray(self._model(scaled, training=False), dtype=np.float32)
