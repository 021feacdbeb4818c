"""Spark job 1: images to features, one Parquet row per manifest row.

Spark schedules ranges of the manifest as tasks, and counts. A task reads its rows of the manifest and the
images, and writes one Parquet file by itself: nothing but a few numbers passes through the JVM.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import SparkContext, TaskContext
from pyspark.accumulators import Accumulator

from orchard_jobs.contract import THUMBNAILS, FeaturizeJob, Status, hash_path
from orchard_jobs.errors import OrchardError
from orchard_jobs.images.decode import MAX_ENCODED_BYTES, Decoded, Rejected, decode_image
from orchard_jobs.images.isolation import Decode, IsolatedDecoder
from orchard_jobs.images.manifest import Manifest, write_listing
from orchard_jobs.images.reading import ReadImage, open_images, read_groups
from orchard_jobs.images.thumbnail import make_thumbnail
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.models.model_card import read_card
from orchard_jobs.models.runtimes import FeatureModel, load_model
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.spark_tasks import run_tasks
from orchard_jobs.storage import create_file, delete_folder, refusing
from orchard_jobs.tables.parquet import find_parts, read_part, refuse_other_files, to_parquet
from orchard_jobs.tables.schemas import FEATURES as SCHEMA

IDENTITY = ["path", "etag"]
NEVER_REPEATED = ("features", "thumbnail")
REJECTED_EXAMPLES = 20
ATTEMPTS_UNTIL_ISOLATION = 2  # at a task, of the four that Spark makes


def run(context: SparkContext, job: FeaturizeJob, metrics: JobMetrics) -> None:
    """Write ``features/`` and fill the metrics.

    Raises:
        OrchardError: when the model is not there, no image is listed, or more than ``max_failure_ratio`` of
            the listed images were rejected (the features stay, to be looked at).
    """
    folder = RunFolder(job.output)
    card = read_card(job.model)
    with metrics.phase("list"):
        if not job.manifest:
            write_listing(job.images, folder.manifest)
        manifest = Manifest.read(job.manifest or folder.manifest, may_be_empty=job.listed is not None)
    metrics.describe(
        model={
            "id": card.id,
            "weights": card.weights,
            "features": card.features,
            "sha256": card.files["model.bin"],
        },
        runtime=job.runtime,
        precision=job.precision,
        decoding=job.decoding,
        damaged_images=job.damaged_images,
        instruction_set=job.instruction_set,
    )
    done = context.accumulator(0)
    with metrics.phase("featurize"), metrics.progress(manifest.total, lambda: done.value):
        delete_folder(folder.features)  # another attempt at this run may have had another manifest
        counts = featurize(context, job, manifest, done)
    metrics.describe(
        worker_seconds=counts.seconds,
        counts=counts.by_status,
        rejected_examples=counts.rejected[:REJECTED_EXAMPLES],
    )
    _refuse_lost(folder.features, manifest, counts)
    examples = folder.metrics(job.NAME)
    _refuse_failures(counts.by_status, job.listed or manifest.total, job.max_failure_ratio, examples)


@dataclass(frozen=True)
class Counts:
    """What is in one file of features, or in several.

    Args:
        statuses: Number of rows by status.
        rejected: ``path``, ``status`` and ``error`` of the first rejected rows by path.
        seconds: Of workers, by what they did.
    """

    statuses: Mapping[str, int]
    rejected: list[dict[str, str]]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.Table, seconds: Mapping[str, float]) -> "Counts":
        """Count rows that have at least ``path``, ``status`` and ``error``."""
        found = rows.select(["path", "status", "error"]).to_pylist()
        rejected = [row for row in found if row["status"] != Status.OK]
        return cls(Counter(row["status"] for row in found), rejected[:REJECTED_EXAMPLES], seconds)

    @classmethod
    def sum(cls, parts: list["Counts"]) -> "Counts":
        """Of files in the order of their paths."""
        statuses: dict[str, int] = defaultdict(int)
        seconds: dict[str, float] = defaultdict(float)
        for part in parts:
            for status, count in part.statuses.items():
                statuses[status] += count
            for name, spent in part.seconds.items():
                seconds[name] += spent
        rejected = [row for part in parts for row in part.rejected]
        return cls(statuses, rejected, {name: round(spent, 3) for name, spent in seconds.items()})

    @property
    def by_status(self) -> dict[str, int]:
        """The number of rows of each status, zero where there is none."""
        return {status.value: self.statuses.get(status.value, 0) for status in Status}


def featurize(
    context: SparkContext, job: FeaturizeJob, manifest: Manifest, done: "Accumulator[int]"
) -> Counts:
    """Write FEATURE_COLUMNS of every row of the manifest, a file for each of its ranges.

    Where no image is new, one file without rows: what follows reads features as ever, and no model is loaded.
    """
    if not manifest.total:
        ((start, stop),) = manifest.ranges
        return _write(
            SCHEMA.empty_table(), f"{RunFolder(job.output).features}/{_name(start, stop)}", _Stopwatch()
        )
    work = _FeaturizeRange(job, manifest, done)
    return Counts.sum(run_tasks(context, manifest.ranges, work))


@dataclass(frozen=True)
class _FeaturizeRange:
    """What runs in a Python worker."""

    job: FeaturizeJob
    manifest: Manifest
    done: "Accumulator[int]"

    def __call__(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Counts]:
        job, spent = self.job, _Stopwatch()
        with spent.on("loading the model"):
            model = load_model(job.model, job.runtime, job.precision, job.batch_size, job.instruction_set)
        for start, stop in ranges:
            rows = self.manifest.read_range(start, stop)
            with _choose_decoder(job, model.card.image_size) as decode:
                features = self._compute(rows, model, decode, spent)
            yield _write(features, f"{RunFolder(job.output).features}/{_name(start, stop)}", spent)
            self.done.add(len(rows))

    def _compute(self, rows: pa.Table, model: FeatureModel, decode: Decode, spent: "_Stopwatch") -> pa.Table:
        job = self.job
        paths, sizes = rows["path"].to_pylist(), rows["size"].fill_null(MAX_ENCODED_BYTES).to_pylist()
        sampled = 2**64 * THUMBNAILS // (job.listed or self.manifest.total)
        groups, start = [], 0
        for images in read_groups(
            zip(paths, sizes, strict=True), open_images(job.images), job.concurrent_reads
        ):
            spent.add("reading", sum(image.seconds for image in images))
            with spent.on("decoding"):
                outcomes = _decode(images, decode)
                here = paths[start : start + len(outcomes)]
                thumbnails = [
                    make_thumbnail(outcome.pixels)
                    if isinstance(outcome, Decoded) and hash_path(path) < sampled
                    else None
                    for path, outcome in zip(here, outcomes, strict=True)
                ]
            pixels = [outcome.pixels for outcome in outcomes if isinstance(outcome, Decoded)]
            # Of a core, not by the clock. TensorFlow's own threads are not in it, OpenVINO has none.
            with spent.on("inference"):
                features = model.features(pixels)
            groups.append(_to_arrow(rows.slice(start, len(outcomes)), outcomes, thumbnails, features))
            start += len(outcomes)
        return pa.concat_tables(groups)


@contextmanager
def _choose_decoder(job: FeaturizeJob, size: int) -> Iterator[Decode]:
    """Give what decodes: where two attempts at this task have died, an image may be why, and is found out."""
    decode = partial(decode_image, size=size, decoding=job.decoding, damaged_images=job.damaged_images)
    context = TaskContext.get()
    if context is None or context.attemptNumber() < ATTEMPTS_UNTIL_ISOLATION:
        yield decode
        return
    with IsolatedDecoder(decode) as isolated:
        yield isolated


def _name(start: int, stop: int) -> str:
    """By name, files are in the order of their paths."""
    return f"part-{start:010d}-{stop:010d}.parquet"


def _write(features: pa.Table, uri: str, spent: "_Stopwatch") -> Counts:
    """Write a file, unless there is one: another attempt at this range was first, and its rows count.

    Raises:
        OrchardError: where it cannot be written, or the one that is there is of other images.
    """
    with (
        spent.on("writing"),
        refusing(uri, rule="features are written by the nodes", remedy="allow writing there, or make room"),
    ):
        if not create_file(uri, to_parquet(features, NEVER_REPEATED)):
            (part,) = find_parts(uri)
            there = read_part(part, [*IDENTITY, "status", "error"])
            if not there.select(IDENTITY).equals(features.select(IDENTITY)):
                raise OrchardError(
                    f"{uri} has features of other images",
                    rule="a run is written by one job at a time",
                    remedy="let the other one end, and run this job again",
                )
            features = there
    return Counts.of(features, spent.take())


def _decode(images: list[ReadImage], decode: Decode) -> list[Decoded | Rejected]:
    """Decode and let go of what was read: the next group is on its way."""
    outcomes = [image.data if isinstance(image.data, Rejected) else decode(image.data) for image in images]
    images.clear()
    return outcomes


def _to_arrow(
    rows: pa.Table,
    outcomes: list[Decoded | Rejected],
    thumbnails: list[bytes | None],
    features: np.ndarray,
) -> pa.Table:
    good = [isinstance(outcome, Decoded) for outcome in outcomes]
    columns: dict[str, Any] = {
        "path": rows["path"],
        "label": rows["label"],
        "etag": rows["etag"],
        "width": [getattr(outcome, "width", None) for outcome in outcomes],
        "height": [getattr(outcome, "height", None) for outcome in outcomes],
        "status": [str(getattr(outcome, "status", Status.OK)) for outcome in outcomes],
        "error": [getattr(outcome, "error", None) for outcome in outcomes],
        "features": _list_array(good, features),
        "thumbnail": thumbnails,
    }
    return pa.table(columns, SCHEMA)


def _list_array(good: list[bool], features: np.ndarray) -> pa.ListArray:
    """Pack (n, d) floats as one list per good row and null for the others, without a Python loop."""
    offsets = np.concatenate([[0], np.cumsum(np.array(good, dtype=np.int32) * features.shape[1])])
    nulls = pa.array(~np.array(good, dtype=bool))
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(features.ravel(), pa.float32()), mask=nulls
    )


class _Stopwatch:
    """Seconds by what they were spent on; of a core in this thread, unless they are given."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def add(self, name: str, seconds: float) -> None:
        self._seconds[name] += seconds

    @contextmanager
    def on(self, name: str) -> Iterator[None]:
        started = time.thread_time()
        yield
        self.add(name, time.thread_time() - started)

    def take(self) -> Mapping[str, float]:
        """Return what there is, and begin again."""
        taken, self._seconds = dict(self._seconds), defaultdict(float)
        return taken


def _refuse_lost(uri: str, manifest: Manifest, counts: Counts) -> None:
    """What was counted is what is there, and all of it."""
    refuse_other_files(uri, [_name(*a_range) for a_range in manifest.ranges])
    counted = sum(counts.statuses.values())
    if counted != manifest.total:
        raise OrchardError(
            f"features of {counted} images in {uri}",
            rule=f"they are of the {manifest.total} images of the manifest, which must not change",
            remedy="run this job again",
        )


def _refuse_failures(counts: Mapping[str, int], listed: int, limit: float, examples: str) -> None:
    rejected = {status: count for status, count in counts.items() if count and status != Status.OK}
    if rejected and sum(rejected.values()) / listed > limit:
        reasons = ", ".join(f"{status} {count}" for status, count in rejected.items())
        raise OrchardError(
            f"{sum(rejected.values())} of {listed} images rejected ({reasons})",
            rule=f"at most {limit:.2%} may be (--max-failure-ratio={limit})",
            remedy=f"see rejected_examples in {examples}, mend or remove the images, or raise it",
        )
