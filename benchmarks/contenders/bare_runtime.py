"""The bare runtime in a loop, one process per core: no Spark, no Parquet; the output is discarded.

On prepared tensors it is the upper limit for every engine. With decode it reads real files, and an engine
only adds its own overhead. The tensors' batch size does not depend on Orchard's settings: it is the fastest
of BATCH_SIZES.
"""

import functools
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov

from benchmarks.contenders.featurizer import GROUP, Featurizer

BATCH_SIZES = (1, 2, 8)
PREPARED = 64  # images per process, used repeatedly
PROBED = 200  # images per process, to choose the batch size
PATIENCE = 900  # seconds, in case a process hangs

Pixels = npt.NDArray[np.uint8]
Work = Callable[[], None]


@dataclass(frozen=True, eq=False)
class BareRuntime:
    """The bare runtime with a model, float32, on ``cores`` processes of one thread.

    Args:
        model: Folder of the model artefact.
        pixels: (n, 224, 224, 3): the prepared images.
        files: The image files. One measurement infers as many images as there are files.
        cores: Number of processes.
    """

    model: Path
    pixels: Pixels
    files: Sequence[Path]
    cores: int

    def measure_tensors(self, batch_size: int) -> float:
        """Return images/s over all cores, on prepared tensors."""
        return self._measure_tensors(-(-len(self.files) // self.cores), batch_size)

    def measure_with_decode(self) -> float:
        """Return images/s over all cores, from files: decode a group, then infer it one by one."""
        shares = [self.files[core :: self.cores] for core in range(self.cores)]
        loops = [FileLoop(str(self.model), [str(path) for path in share]) for share in shares]
        return len(self.files) / _run_together(loops)

    @functools.cached_property
    def batch_size(self) -> int:
        """The fastest batch size for prepared tensors on this machine."""
        return max(BATCH_SIZES, key=lambda size: self._measure_tensors(PROBED, size))

    def _measure_tensors(self, images: int, batch_size: int) -> float:
        loop = TensorLoop(str(self.model), self.pixels[:PREPARED], images, batch_size)
        return self.cores * images / _run_together([loop] * self.cores)


@dataclass(frozen=True, eq=False)
class TensorLoop:
    """Infers a number of images, ``batch_size`` at once."""

    model: str
    pixels: Pixels
    images: int
    batch_size: int

    def prepare(self) -> Work:
        request, tensors = self._compile(), self._prepare_tensors()
        request.infer(tensors[0])

        def work() -> None:
            for done in range(0, self.images, self.batch_size):
                request.infer(tensors[done // self.batch_size % len(tensors)], share_outputs=True)

        return work

    def _compile(self) -> Any:
        core = ov.Core()
        network = core.read_model(f"{self.model}/model.xml")
        network.reshape([self.batch_size, *self.pixels.shape[1:]])
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        return core.compile_model(network, "CPU", options).create_infer_request()

    def _prepare_tensors(self) -> Sequence[Any]:
        scaled, size = self.pixels.astype(np.float32) / 127.5 - 1, self.batch_size
        starts = range(0, max(len(scaled) - size, 0) + 1, size)
        return [ov.Tensor(np.ascontiguousarray(scaled[start : start + size])) for start in starts]


@dataclass(frozen=True)
class FileLoop:
    """Reads, decodes and infers files of images, a group at a time."""

    model: str
    files: Sequence[str]

    def prepare(self) -> Work:
        os.environ["OMP_NUM_THREADS"] = "1"
        featurizer = Featurizer(self.model)
        featurizer.features(self.files[:1])

        def work() -> None:
            for start in range(0, len(self.files), GROUP):
                featurizer.features(self.files[start : start + GROUP])

        return work


def _run_together(loops: Sequence[TensorLoop | FileLoop]) -> float:
    """Run each loop in its own process, starting together; return the seconds of the slowest."""
    context = multiprocessing.get_context("spawn")
    begin, results = context.Barrier(len(loops)), context.Queue()
    processes = [
        context.Process(target=_run_loop, args=(loop, begin, results), daemon=True) for loop in loops
    ]
    for process in processes:
        process.start()
    seconds: float = max(results.get(timeout=PATIENCE) for _ in processes)
    for process in processes:
        process.join()
    return seconds


def _run_loop(loop: TensorLoop | FileLoop, begin: Any, results: Any) -> None:
    work = loop.prepare()
    begin.wait(timeout=PATIENCE)
    started = time.perf_counter()
    work()
    results.put(time.perf_counter() - started)
