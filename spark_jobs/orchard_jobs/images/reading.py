"""Reads many small images on threads, a group ahead of the one that is decoded, in order, within a budget.

A GET from S3 takes tens of milliseconds and a model wants hundreds of images a second: read one after the
other, the model would starve. Threads only wait; decoding is for the caller, because decoding and inference
in turns of a few images drive each other out of the core's cache.
"""

import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from orchard_jobs.contract import Status
from orchard_jobs.escaping import to_name
from orchard_jobs.images.decode import MAX_ENCODED_BYTES, Rejected
from orchard_jobs.images.encoded import sniff_format
from orchard_jobs.storage import FileTooLargeError, Reader, open_folder

GROUP = 64
"""Images. Larger groups are no faster."""

FIRST_GROUP = 16
"""With the first one nothing is ahead: a smaller one is there sooner."""

GROUP_BYTES = MAX_ENCODED_BYTES
"""Of encoded images, of one group and of what is read ahead of it: twice this is held at most."""

GROWTH = 2**20
"""Bytes that a file may always have, however few it was listed with."""


@dataclass(frozen=True)
class ReadImage:
    """One file of images.

    Args:
        data: Its bytes, or why there are none.
        seconds: From the request to the last byte: waiting, mostly.
    """

    data: bytes | Rejected
    seconds: float


def open_images(uri: str) -> Reader:
    """Return a function that reads images by their paths in the folder ``uri``."""
    read = open_folder(uri)
    if not uri.startswith("file://"):
        return read
    return lambda path, max_bytes=None, wanted=None: read(to_name(path), max_bytes, wanted)


def read_groups(
    files: Iterable[tuple[str, int]], read: Reader, concurrent_reads: int
) -> Iterator[list[ReadImage]]:
    """Yield what the files hold, in their order; an unreadable one is an outcome, not an error.

    Args:
        files: Paths, and the bytes that each was listed with. A file that has become larger than that, and
            than ``GROWTH``, is not read: so what is listed bounds what is held.
    """
    with ThreadPoolExecutor(concurrent_reads, thread_name_prefix="read") as pool:
        groups = _in_groups(files)
        ahead: deque[list[Future[ReadImage]]] = deque()
        try:
            for group in groups:
                ahead.append([pool.submit(_read, path, limit, read) for path, limit in group])
                if len(ahead) > 1:
                    yield [image.result() for image in ahead.popleft()]
            while ahead:
                yield [image.result() for image in ahead.popleft()]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_groups(files: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    """Cut at GROUP images or GROUP_BYTES, whichever is first; give each file's limit with its path."""
    lengths = itertools.chain([FIRST_GROUP], itertools.repeat(GROUP))
    group: list[tuple[str, int]] = []
    held, most = 0, next(lengths)
    for path, size in files:
        limit = min(max(size, GROWTH), MAX_ENCODED_BYTES)
        if group and (len(group) == most or held + limit > GROUP_BYTES):
            yield group
            group, held, most = [], 0, next(lengths)
        group.append((path, limit))
        held += limit
    if group:
        yield group


def _read(path: str, limit: int, read: Reader) -> ReadImage:
    started = time.perf_counter()
    data = _read_or_reject(path, limit, read)
    return ReadImage(data, time.perf_counter() - started)


def _read_or_reject(path: str, limit: int, read: Reader) -> bytes | Rejected:
    try:
        return read(path, limit, _is_image)
    except (FileNotFoundError, NotADirectoryError) as error:
        return Rejected(Status.MISSING, f"gone since it was listed: {_reason(error)}")
    except FileTooLargeError as error:
        if limit == MAX_ENCODED_BYTES:
            return Rejected(Status.TOO_LARGE, _reason(error))
        return Rejected(Status.UNREADABLE, f"it has grown since it was listed: {_reason(error)}")
    # ValueError: a NUL in a local path. Memory may be there the next time: the image is tried again.
    except (OSError, ValueError, MemoryError) as error:
        return Rejected(Status.UNREADABLE, _reason(error))


def _is_image(head: bytes) -> bool:
    return sniff_format(head) is not None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)) or type(error).__name__
