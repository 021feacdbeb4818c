"""The limit: the bare runtime in a loop, one process per core, nothing else.

No Spark, no reading, no decoding: tensors that were prepared before go in, and what comes out is dropped.
The batch size is the fastest of BATCH_SIZES, so that none of Orchard's settings is in the limit.
"""

import functools
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import openvino as ov

from orchard_jobs.contract import Precision

BATCH_SIZES = (1, 2, 8)
PREPARED = 64  # images per process, over and over
PROBED = 200  # images per process, to choose the batch size
PATIENCE = 900  # seconds, for a process that never answers

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Limit:
    """The bare runtime with a model, on ``cores`` processes of one thread.

    Args:
        model: Folder of the model artefact.
        precision: Of the inference.
        pixels: (n, 224, 224, 3), what the inference is repeated on.
        cores: Number of processes.
        images: Inferred in all for one measurement.
    """

    model: Path
    precision: Precision
    pixels: Pixels
    cores: int
    images: int

    def measure(self) -> float:
        """Return images/s over all cores."""
        return self._measure(-(-self.images // self.cores), self.batch_size)

    @functools.cached_property
    def batch_size(self) -> int:
        """The fastest one here and now."""
        return max(BATCH_SIZES, key=lambda size: self._measure(PROBED, size))

    def _measure(self, images: int, size: int) -> float:
        """Let the processes begin together; the rate is that of the slowest."""
        context = multiprocessing.get_context("spawn")
        begin, results = context.Barrier(self.cores), context.Queue()
        share = _Share(str(self.model), self.precision, self.pixels[:PREPARED], images, size)
        processes = [
            context.Process(target=_infer, args=(share, begin, results), daemon=True)
            for _ in range(self.cores)
        ]
        for process in processes:
            process.start()
        seconds: float = max(results.get(timeout=PATIENCE) for _ in processes)
        for process in processes:
            process.join()
        return self.cores * images / seconds


class _Share(NamedTuple):
    """What one process does: infer so many images, ``size`` at once."""

    model: str
    precision: Precision
    pixels: Pixels
    images: int
    size: int


def _infer(share: _Share, begin: Any, results: Any) -> None:
    request, tensors = _compile(share), _prepare(share)
    request.infer(tensors[0])
    begin.wait(timeout=PATIENCE)
    started, done = time.perf_counter(), 0
    while done < share.images:
        request.infer(tensors[done // share.size % len(tensors)], share_outputs=True)
        done += share.size
    results.put(time.perf_counter() - started)


def _compile(share: _Share) -> Any:
    core = ov.Core()
    network = core.read_model(f"{share.model}/model.xml")
    network.reshape([share.size, *share.pixels.shape[1:]])
    options = {
        "INFERENCE_PRECISION_HINT": {Precision.FLOAT32: "f32", Precision.BFLOAT16: "bf16"}[share.precision],
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(network, "CPU", options).create_infer_request()


def _prepare(share: _Share) -> Sequence[Any]:
    scaled = share.pixels.astype(np.float32) / 127.5 - 1
    starts = range(0, max(len(scaled) - share.size, 0) + 1, share.size)
    return [ov.Tensor(np.ascontiguousarray(scaled[start : start + share.size])) for start in starts]
