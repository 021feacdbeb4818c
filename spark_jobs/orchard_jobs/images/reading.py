"""Reads and decodes many small images at once, in order, a bounded number ahead of the reader.

A GET from S3 takes tens of milliseconds and a model wants hundreds of images a second: read one
after the other, the model would starve. Waiting and decoding both release the GIL, so threads do.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from orchard_jobs.contract import Status
from orchard_jobs.images.decode import Decoded, Rejected, decode_image
from orchard_jobs.images.thumbnail import make_thumbnail
from orchard_jobs.storage import FileTooLargeError, Reader

LOOK_AHEAD = 4  # images in flight or waiting, per thread: enough that a slow one holds up no batch


@dataclass(frozen=True)
class LoadedImage:
    """One image, or why there is none, with what it took.

    Args:
        path: As listed.
        outcome: Its pixels, or why there are none.
        thumbnail: A WebP; None where there is no image.
        seconds_reading: From the request to the last byte: waiting, mostly.
        seconds_decoding: Of a core. By the clock, a thread that waits for one would count twice.
    """

    path: str
    outcome: Decoded | Rejected
    thumbnail: bytes | None
    seconds_reading: float
    seconds_decoding: float


def load_images(
    paths: Iterable[str], read: Reader, size: int, concurrent_reads: int
) -> Iterator[LoadedImage]:
    """Yield the images of ``paths``, in their order; an unreadable one is an outcome, not an error."""
    with ThreadPoolExecutor(concurrent_reads, thread_name_prefix="read") as pool:
        pending: deque[Future[LoadedImage]] = deque()
        try:
            for path in paths:
                pending.append(pool.submit(load_image, path, read, size))
                if len(pending) >= concurrent_reads * LOOK_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def load_image(path: str, read: Reader, size: int) -> LoadedImage:
    """Read and decode one image to (size, size, 3), and make its thumbnail."""
    started = time.perf_counter()
    data = _read(path, read)
    fetched, worked = time.perf_counter(), time.thread_time()
    outcome = data if isinstance(data, Rejected) else decode_image(data, size)
    thumbnail = make_thumbnail(outcome.pixels) if isinstance(outcome, Decoded) else None
    return LoadedImage(path, outcome, thumbnail, fetched - started, time.thread_time() - worked)


def _read(path: str, read: Reader) -> bytes | Rejected:
    try:
        return read(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        return Rejected(Status.MISSING, f"gone since it was listed: {_reason(error)}")
    except FileTooLargeError as error:
        return Rejected(Status.TOO_LARGE, _reason(error))
    # ValueError: a NUL in a local path. Memory may be there the next time: the image is tried again.
    except (OSError, ValueError, MemoryError) as error:
        return Rejected(Status.UNREADABLE, _reason(error))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)) or type(error).__name__
