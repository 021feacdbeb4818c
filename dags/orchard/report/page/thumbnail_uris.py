"""Thumbnails as text for a page."""

from base64 import b64encode
from collections.abc import Sequence


def to_uri(thumbnail: bytes) -> str:
    """Return a ``data:`` URI of a WebP."""
    return f"data:image/webp;base64,{b64encode(thumbnail).decode()}"


def to_base64(thumbnails: Sequence[bytes | None], limit: int) -> list[str]:
    """Return each as base64, '' for a missing one.

    If all of them exceed ``limit`` characters in total, only every second, third … one is kept, or none.
    """
    texts = [b64encode(thumbnail).decode() if thumbnail else "" for thumbnail in thumbnails]
    step = 1
    while sum(map(len, texts[::step])) > limit:
        if step > len(texts):
            return [""] * len(texts)
        step += 1
    return [text if place % step == 0 else "" for place, text in enumerate(texts)]
