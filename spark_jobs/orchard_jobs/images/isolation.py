"""Decoding in a process of its own, which an image may kill without killing more."""

import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import Self

from orchard_jobs.contract import Status
from orchard_jobs.images.decode import Decoded, Rejected

MAX_MEMORY = 4 * 2**30
"""Bytes of address space: four times what the largest image was seen to take."""

Decode = Callable[[bytes], Decoded | Rejected]


class IsolatedDecoder:
    """A ``decode`` that outlives the images that crash it.

    Not for every image: to pass pixels between processes takes longer than to decode a small one.

    Args:
        decode: Something that can be pickled.
    """

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._pool = self._start()

    def __call__(self, data: bytes) -> Decoded | Rejected:
        try:
            return self._pool.submit(self._decode, data).result()
        except BrokenProcessPool:
            self._pool.shutdown()
            self._pool = self._start()
            return Rejected(Status.CRASHED_DECODER, "the process that decoded it died; see its worker's log")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        # Not a fork: that would copy the locks of threads which are not in it.
        return ProcessPoolExecutor(1, get_context("spawn"), initializer=_limit_memory)


def _limit_memory() -> None:
    """Past it there is a MemoryError, instead of a machine that kills whatever is largest."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
