"""A small picture of a decoded image, for people: the report shows it without reading the image again."""

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = 32
"""Width and height, in pixels. Square, as what the model sees is."""

QUALITY = 50
"""Of lossy WebP: 260 bytes on average for Fruits-360, beside 3.8 kB of features."""


def make_thumbnail(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return RGB pixels, shape (height, width, 3), as a WebP of SIZE x SIZE.

    From the pixels that the model gets, because they are small already: 0.25 ms of a core, 3 % of what an
    image takes. The same bytes for the same pixels.
    """
    height, width, _ = pixels.shape
    image = Image.fromarray(pixels)
    # Means of whole blocks; 224 is seven times 32.
    exact = height % SIZE == 0 and width % SIZE == 0
    small = image.reduce((width // SIZE, height // SIZE)) if exact else image.resize((SIZE, SIZE))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY)
    return file.getvalue()
