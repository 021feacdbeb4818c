"""Images to features in one process: used by the peers and the bare runtime, with Orchard's own code."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchard_jobs.contract import Precision, Runtime
from orchard_jobs.images.decode import Decoded, decode_image
from orchard_jobs.models.runtimes import load_model

GROUP = 64
"""Images to decode before inferring any of them. If they alternate, decoding and inference evict each other's
data from the CPU cache. Larger groups are no faster."""

BATCH_SIZE = 1  # on one thread, a batch of one is fastest


class Featurizer:
    """Computes the features (n, 1280) of image files. Loads the model once.

    Args:
        model: Folder of the model artefact.
    """

    def __init__(self, model: str) -> None:
        self._model = load_model(f"file://{model}", Runtime.OPENVINO, Precision.FLOAT32, BATCH_SIZE)

    def features(self, paths: Sequence[str]) -> npt.NDArray[np.float32]:
        """Decode all of ``paths``, then infer one by one.

        Raises:
            ValueError: if a file cannot be decoded. Contenders are compared on valid images.
        """
        outcomes = [decode_image(Path(path).read_bytes()) for path in paths]
        pixels = [outcome.pixels for outcome in outcomes if isinstance(outcome, Decoded)]
        if len(pixels) < len(paths):
            raise ValueError("an image cannot be decoded: contenders are compared on valid images")
        return self._model.features(pixels)
