"""Reads many small images on threads, in order, one group ahead of decoding, within a memory budget.

A GET from S3 takes tens of milliseconds, but a model needs hundreds of images per second: with sequential
reads it would starve. Threads only read; the caller decodes a whole group at once, because alternating
between decoding and inference every few images evicts each from the core's cache.
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
"""Images per group. Larger groups are not faster."""

FIRST_GROUP = 16
"""Images in the first group: a smaller one arrives sooner, and nothing is read ahead of it."""

GROUP_BYTES = MAX_ENCODED_BYTES
"""Limit of encoded bytes per group. At most two groups are in memory."""

GROWTH = 2**20
"""Bytes that a file may always have, even if it was listed with fewer."""


@dataclass(frozen=True)
class ReadImage:
    """One file of images.

    Args:
        data: Its bytes, or the reason for a rejection.
        seconds: From the request to the last byte, mostly waiting.
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
    """Yield the contents of files, in order; an unreadable file is an outcome, not an error.

    Args:
        files: Paths and listed sizes in bytes. A file that has grown beyond its listed size, and beyond
            ``GROWTH``, is not read, so the listing bounds the memory.
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
    """Cut at GROUP images or GROUP_BYTES, whichever comes first; yield each path with its size limit."""
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
    # ValueError: a NUL in a local path. MemoryError: the next run tries the image again.
    except (OSError, ValueError, MemoryError) as error:
        return Rejected(Status.UNREADABLE, _reason(error))


def _is_image(head: bytes) -> bool:
    return sniff_format(head) is not None


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)) or type(error).__name__
