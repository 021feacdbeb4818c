"""Images to features in one process: what the peers and the bare runtime call, with Orchard's own code."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from orchard_jobs.contract import Precision, Runtime
from orchard_jobs.images.decode import Decoded, decode_image
from orchard_jobs.models.runtimes import load_model

GROUP = 64
"""Images to decode before any of them is inferred: in turns, decoding and inference evict each other's data
from the cache. Larger groups are no faster."""

BATCH_SIZE = 1  # on one thread, one by one is fastest


class Featurizer:
    """Files of images → their features (n, 1280). It loads the model once.

    Args:
        model: Folder of the model artefact.
    """

    def __init__(self, model: str) -> None:
        self._model = load_model(f"file://{model}", Runtime.OPENVINO, Precision.FLOAT32, BATCH_SIZE)

    def features(self, paths: Sequence[str]) -> npt.NDArray[np.float32]:
        """Decode all of ``paths``, then infer one by one.

        Raises:
            ValueError: for a file that is no image. The sides are compared on good ones.
        """
        outcomes = [decode_image(Path(path).read_bytes()) for path in paths]
        pixels = [outcome.pixels for outcome in outcomes if isinstance(outcome, Decoded)]
        if len(pixels) < len(paths):
            raise ValueError("an image that cannot be decoded: the sides are compared on good ones")
        return self._model.features(pixels)
