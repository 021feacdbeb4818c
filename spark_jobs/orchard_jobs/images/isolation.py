"""Decodes in a separate process, so that an image that crashes the decoder does not crash the worker."""

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
"""Bytes of address space: four times the highest use measured for an image of the largest size."""

Decode = Callable[[bytes], Decoded | Rejected]


class IsolatedDecoder:
    """A decoder that survives images that crash it.

    Not used for every image: passing pixels between processes takes longer than decoding a small image.

    Args:
        decode: A function that can be pickled.
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
        # Not a fork, which would copy locks held by threads that do not exist in the child.
        return ProcessPoolExecutor(1, get_context("spawn"), initializer=_limit_memory)


def _limit_memory() -> None:
    """Limit the memory: exceeding it raises a MemoryError instead of waking the kernel's OOM killer."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
