"""The peers: other engines that turn the same images into Parquet with features, using Orchard's model code.

    python -m benchmarks.contenders.peers daft|ray --images=DIR --model=DIR --output=DIR --cores=N

They have their own environment (``requirements-peers.txt``). Both keep the model in one long-lived process
per core, and read, decode and infer there in batches, as their documentation recommends for inference:
https://docs.daft.ai/en/stable/custom-code/cls/ and https://docs.ray.io/en/latest/data/batch_inference.html
Each process handles a group of files like the bare runtime: with ``Featurizer``, without thumbnails. The
seconds exclude the import of the engine and, for Ray, the start of its processes.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Set before the imports: neither reports to its vendor, and each process infers on one thread.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "DAFT_ANALYTICS_ENABLED": "0", "DO_NOT_TRACK": "true"}
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import numpy.typing as npt

from benchmarks.contenders.featurizer import GROUP, Featurizer
from benchmarks.pictures import find_images


def run_daft(paths: list[str], asked: argparse.Namespace) -> float:
    """Run Daft on its native runner."""
    import daft
    from daft import DataType, Series

    daft.set_runner_native(num_threads=asked.cores)

    @daft.cls(max_concurrency=asked.cores, use_process=True)
    class Worker:
        def __init__(self, model: str) -> None:
            self._featurizer = Featurizer(model)

        @daft.method.batch(  # type: ignore[untyped-decorator]
            return_dtype=DataType.list(DataType.float32()), batch_size=GROUP
        )
        def features(self, paths: Series) -> list[npt.NDArray[np.float32]]:
            return list(self._featurizer.features(paths.to_pylist()))

    started = time.perf_counter()
    worker = Worker(asked.model)
    rows = daft.from_pydict({"path": paths}).into_batches(GROUP)
    rows.with_column("features", worker.features(rows["path"])).write_parquet(f"{asked.output}/features")
    return time.perf_counter() - started


def run_ray(paths: list[str], asked: argparse.Namespace) -> float:
    """Run Ray Data with one actor per core."""
    import ray

    class Worker(Featurizer):
        def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
            return {"path": batch["path"], "features": self.features(list(batch["path"]))}

    ray.init(num_cpus=asked.cores, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    started = time.perf_counter()
    rows = ray.data.from_items([{"path": path} for path in paths], override_num_blocks=4 * asked.cores)
    rows.map_batches(
        Worker,
        fn_constructor_args=(asked.model,),
        batch_size=GROUP,
        compute=ray.data.ActorPoolStrategy(size=asked.cores),
    ).write_parquet(f"{asked.output}/features")
    return time.perf_counter() - started


PEERS: dict[str, Callable[[list[str], argparse.Namespace], float]] = {"daft": run_daft, "ray": run_ray}


def main(tokens: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="peers", allow_abbrev=False)
    parser.add_argument("peer", choices=PEERS)
    for name in ("images", "model", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--cores", type=int, required=True)
    asked = parser.parse_args(tokens)
    paths = [str(path) for path in find_images(Path(asked.images))]
    seconds = PEERS[asked.peer](paths, asked)
    (Path(asked.output) / "timings.json").write_text(json.dumps({"features": seconds, "images": len(paths)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
