"""Spark job 1: images to features, one Parquet row per manifest row.

One ``mapInArrow`` over the manifest: a Python worker reads and decodes on threads while the model
infers batch after batch. Only paths enter the worker and only features leave it.
"""

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa
from pyspark.accumulators import Accumulator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (the field's own spelling)

from orchard_jobs.contract import FeaturizeJob, Status
from orchard_jobs.errors import OrchardError
from orchard_jobs.images.decode import MAX_ENCODED_BYTES, Decoded
from orchard_jobs.images.manifest import read_manifest
from orchard_jobs.images.reading import LoadedImage, load_images
from orchard_jobs.metrics import JobMetrics, Seconds
from orchard_jobs.models.model_card import read_card
from orchard_jobs.models.runtimes import FeatureModel, load_model
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.storage import open_folder

FEATURES_SCHEMA = (
    "path string, label string, etag string, width int, height int, "
    "status string, error string, features array<float>, thumbnail binary"
)
Item = TypeVar("Item")

REJECTED_EXAMPLES = 20
ROWS_AT_ONCE = 64  # on their way to the JVM: a batch of Arrow costs more than the few rows of an inference
# Seven seconds of a core: what a lost executor costs. A task costs a quarter of a second by itself.
IMAGES_PER_TASK = 1024


def run(spark: SparkSession, job: FeaturizeJob, metrics: JobMetrics) -> None:
    """Write ``features/`` and fill the metrics.

    Raises:
        OrchardError: when the model is not there, the manifest is empty, or more than
            ``max_failure_ratio`` of the listed images were rejected (the features stay, to be looked at).
    """
    folder = RunFolder(job.output)
    card = read_card(job.model)
    with metrics.phase("list"):
        manifest, total = read_manifest(spark, job)
    metrics.describe(
        model={
            "id": card.id,
            "weights": card.weights,
            "features": card.features,
            "sha256": card.files["model.bin"],
        },
        runtime=job.runtime,
        precision=job.precision,
        instruction_set=job.instruction_set,
    )
    done = spark.sparkContext.accumulator(0)
    seconds = Seconds.accumulator(spark.sparkContext)
    with metrics.phase("featurize"), metrics.progress(total, lambda: done.value):
        rows = featurize(
            manifest, job, partitions=count_partitions(total, _cores(spark)), done=done, seconds=seconds
        )
        rows.write.mode("overwrite").parquet(folder.features)
    metrics.describe(worker_seconds=seconds.value)
    written = spark.read.parquet(folder.features)
    counts = count_statuses(written)
    rejected = sum(counts.values()) - counts[Status.OK]
    metrics.describe(counts=counts, rejected_examples=sample_rejected(written) if rejected else [])
    _refuse_failures(counts, job.listed or total, job.max_failure_ratio)


def featurize(
    manifest: DataFrame,
    job: FeaturizeJob,
    *,
    partitions: int,
    done: "Accumulator[int]",
    seconds: "Accumulator[dict[str, float]]",
) -> DataFrame:
    """Return FEATURE_COLUMNS for every row of ``manifest``, sorted by path within each partition."""
    return (
        manifest.select("path", "label", "etag")
        .repartition(partitions)
        .sortWithinPartitions("path")
        .mapInArrow(_FeaturizeRows(job, done, seconds), FEATURES_SCHEMA)
    )


def count_partitions(images: int, cores: int) -> int:
    """Return how many tasks to cut: by images and cores, and a whole number of rounds of the cores."""
    if images <= cores:
        return max(1, images)
    rounds = math.ceil(images / (IMAGES_PER_TASK * cores))
    return rounds * cores


def count_statuses(features: DataFrame) -> dict[str, int]:
    """Return the number of rows of each status, zero where there is none."""
    found = {row["status"]: row["count"] for row in features.groupBy("status").count().collect()}
    return {status.value: found.get(status.value, 0) for status in Status}


def sample_rejected(features: DataFrame) -> list[dict[str, str]]:
    """Return the first rejected rows by path: enough to see what is wrong when the run fails."""
    rejected = features.where(F.col("status") != Status.OK.value).select("path", "status", "error")
    return [row.asDict() for row in rejected.orderBy("path").limit(REJECTED_EXAMPLES).collect()]


def _cores(spark: SparkSession) -> int:
    return max(1, spark.sparkContext.defaultParallelism)


def _refuse_failures(counts: dict[str, int], listed: int, limit: float) -> None:
    rejected = {status: count for status, count in counts.items() if count and status != Status.OK}
    if sum(rejected.values()) / listed > limit:
        reasons = ", ".join(f"{status} {count}" for status, count in rejected.items())
        raise OrchardError(
            f"{sum(rejected.values())} of {listed} images rejected ({reasons})",
            rule=f"at most {limit:.2%} may be (--max-failure-ratio={limit})",
            remedy="see rejected_examples in reports/featurize.json, mend or remove the images, or raise it",
        )


@dataclass(frozen=True)
class _FeaturizeRows:
    """What runs in a Python worker: Arrow batches of manifest rows in, of feature rows out."""

    job: FeaturizeJob
    done: "Accumulator[int]"
    seconds: "Accumulator[dict[str, float]]"

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        job, spent = self.job, Seconds.clock()
        model = load_model(job.model, job.runtime, job.precision, job.batch_size, job.instruction_set)
        self.seconds.add({"loading the model": spent()})
        read = open_folder(job.images, MAX_ENCODED_BYTES)
        for rows in batches:
            images = load_images(rows["path"].to_pylist(), read, model.card.image_size, job.concurrent_reads)
            start = 0
            for loaded in _in_batches(images, ROWS_AT_ONCE):
                yield self._featurize_rows(rows.slice(start, len(loaded)), loaded, model)
                start += len(loaded)

    def _featurize_rows(
        self, rows: pa.RecordBatch, loaded: list[LoadedImage], model: FeatureModel
    ) -> pa.RecordBatch:
        pixels = [image.outcome.pixels for image in loaded if isinstance(image.outcome, Decoded)]
        # Of a core: threads decode beside it. TensorFlow's own threads are not in it, OpenVINO has none.
        started = time.thread_time()
        inferred = [model.features(np.stack(batch)) for batch in _in_batches(pixels, self.job.batch_size)]
        features = np.concatenate(inferred) if inferred else None
        self.seconds.add(
            {
                "reading": sum(image.seconds_reading for image in loaded),
                "decoding": sum(image.seconds_decoding for image in loaded),
                "inference": time.thread_time() - started,
            }
        )
        self.done.add(len(loaded))
        return _to_arrow(rows, loaded, features)


def _in_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _to_arrow(rows: pa.RecordBatch, loaded: list[LoadedImage], features: np.ndarray | None) -> pa.RecordBatch:
    outcomes = [image.outcome for image in loaded]
    good = [isinstance(outcome, Decoded) for outcome in outcomes]
    return pa.RecordBatch.from_pydict(
        {
            "path": rows["path"],
            "label": rows["label"],
            "etag": rows["etag"],
            "width": pa.array([getattr(outcome, "width", None) for outcome in outcomes], pa.int32()),
            "height": pa.array([getattr(outcome, "height", None) for outcome in outcomes], pa.int32()),
            "status": pa.array(
                [str(getattr(outcome, "status", Status.OK)) for outcome in outcomes], pa.string()
            ),
            "error": pa.array([getattr(outcome, "error", None) for outcome in outcomes], pa.string()),
            "features": _list_array(good, features),
            "thumbnail": pa.array([image.thumbnail for image in loaded], pa.binary()),
        }
    )


def _list_array(good: list[bool], features: np.ndarray | None) -> pa.ListArray:
    """Pack (n, d) floats as one list per good row and null for the others, without a Python loop."""
    width = 0 if features is None else features.shape[1]
    values = pa.array([] if features is None else features.ravel(), pa.float32())
    offsets = np.concatenate([[0], np.cumsum(np.array(good, dtype=np.int32) * width)]).astype(np.int32)
    nulls = pa.array(~np.array(good, dtype=bool))
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=nulls)
