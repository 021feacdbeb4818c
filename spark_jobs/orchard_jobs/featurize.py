"""Spark job 1: images to features, one Parquet row per manifest row.

Spark schedules ranges of the manifest as tasks, and collects counts. A task reads its rows of the manifest
and the images, and writes one Parquet file itself: only a few numbers pass through the JVM.
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
from orchard_jobs.images.thumbnail import build_thumbnail
from orchard_jobs.metrics import JobMetrics
from orchard_jobs.models.model_card import read_card
from orchard_jobs.models.runtimes import FeatureModel, load_model
from orchard_jobs.run_folder import RunFolder
from orchard_jobs.spark_tasks import run_tasks
from orchard_jobs.storage import create_file, delete_folder, refusing
from orchard_jobs.tables.parquet import find_parts, read_part, to_parquet, validate_files
from orchard_jobs.tables.schemas import FEATURES as SCHEMA

IDENTITY = ["path", "etag"]
NEVER_REPEATED = ("features", "thumbnail")
REJECTED_EXAMPLES = 20
ATTEMPTS_UNTIL_ISOLATION = 2  # of a task, out of Spark's four


def run(context: SparkContext, job: FeaturizeJob, metrics: JobMetrics) -> None:
    """Write ``features/`` and fill the metrics.

    Raises:
        OrchardError: if the model does not exist, no image is listed, or more than ``max_failure_ratio`` of
            the listed images are rejected (the features are kept for inspection).
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
        delete_folder(folder.features)  # an earlier attempt may have had another manifest
        counts = featurize(context, job, manifest, done)
    metrics.describe(
        worker_seconds=counts.seconds,
        counts=counts.by_status,
        rejected_examples=counts.rejected[:REJECTED_EXAMPLES],
    )
    _validate_complete(folder.features, manifest, counts)
    examples = folder.metrics(job.NAME)
    _validate_failures(counts.by_status, job.listed or manifest.total, job.max_failure_ratio, examples)


@dataclass(frozen=True)
class Counts:
    """Counts of one or several feature files.

    Args:
        statuses: Number of rows by status.
        rejected: ``path``, ``status`` and ``error`` of the first rejected rows by path.
        seconds: Worker seconds, by activity.
    """

    statuses: Mapping[str, int]
    rejected: list[dict[str, str]]
    seconds: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pa.Table, seconds: Mapping[str, float]) -> "Counts":
        """Count the rows of a table with at least ``path``, ``status`` and ``error``."""
        found = rows.select(["path", "status", "error"]).to_pylist()
        rejected = [row for row in found if row["status"] != Status.OK]
        return cls(Counter(row["status"] for row in found), rejected[:REJECTED_EXAMPLES], seconds)

    @classmethod
    def sum(cls, parts: list["Counts"]) -> "Counts":
        """Add up the counts of files, given in the order of their paths."""
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
        """The number of rows of each status, including zeros."""
        return {status.value: self.statuses.get(status.value, 0) for status in Status}


def featurize(
    context: SparkContext, job: FeaturizeJob, manifest: Manifest, done: "Accumulator[int]"
) -> Counts:
    """Write FEATURE_COLUMNS of every row of the manifest, one file per range.

    Without new images, write one file without rows, so that later jobs read features as usual, and load no
    model.
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
    """The work of a Python worker."""

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
                    build_thumbnail(outcome.pixels)
                    if isinstance(outcome, Decoded) and hash_path(path) < sampled
                    else None
                    for path, outcome in zip(here, outcomes, strict=True)
                ]
            pixels = [outcome.pixels for outcome in outcomes if isinstance(outcome, Decoded)]
            # CPU time of this thread. TensorFlow's own threads are not included; OpenVINO has none.
            with spent.on("inference"):
                features = model.features(pixels)
            groups.append(_to_arrow(rows.slice(start, len(outcomes)), outcomes, thumbnails, features))
            start += len(outcomes)
        return pa.concat_tables(groups)


@contextmanager
def _choose_decoder(job: FeaturizeJob, size: int) -> Iterator[Decode]:
    """Yield the decoder, isolated if two attempts at this task have crashed, to find the image at fault."""
    decode = partial(decode_image, size=size, decoding=job.decoding, damaged_images=job.damaged_images)
    context = TaskContext.get()
    if context is None or context.attemptNumber() < ATTEMPTS_UNTIL_ISOLATION:
        yield decode
        return
    with IsolatedDecoder(decode) as isolated:
        yield isolated


def _name(start: int, stop: int) -> str:
    """Return a file name; sorted by name, files are in the order of their paths."""
    return f"part-{start:010d}-{stop:010d}.parquet"


def _write(features: pa.Table, uri: str, spent: "_Stopwatch") -> Counts:
    """Write a file. If another attempt at this range has already written it, that file counts.

    Raises:
        OrchardError: if it cannot be written, or the existing file has other images.
    """
    with (
        spent.on("writing"),
        refusing(
            uri,
            rule="the nodes must be able to write features",
            remedy="allow writing there, or free some space",
        ),
    ):
        if not create_file(uri, to_parquet(features, NEVER_REPEATED)):
            (part,) = find_parts(uri)
            existing = read_part(part, [*IDENTITY, "status", "error"])
            if not existing.select(IDENTITY).equals(features.select(IDENTITY)):
                raise OrchardError(
                    f"{uri} has features of other images",
                    rule="only one job at a time may write a run",
                    remedy="wait for the other job to end, and run this job again",
                )
            features = existing
    return Counts.of(features, spent.take())


def _decode(images: list[ReadImage], decode: Decode) -> list[Decoded | Rejected]:
    """Decode the images and free their bytes, because the next group is being read."""
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
    """Adds up seconds by activity: CPU time of this thread, or seconds given to ``add``."""

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
        """Return the seconds so far, and reset."""
        taken, self._seconds = dict(self._seconds), defaultdict(float)
        return taken


def _validate_complete(uri: str, manifest: Manifest, counts: Counts) -> None:
    """Check that the written files and the counted rows match the manifest."""
    validate_files(uri, [_name(*a_range) for a_range in manifest.ranges])
    counted = sum(counts.statuses.values())
    if counted != manifest.total:
        raise OrchardError(
            f"features of {counted} images in {uri}",
            rule=f"there must be one row for each of the {manifest.total} images of the manifest",
            remedy="run this job again, and do not change the manifest meanwhile",
        )


def _validate_failures(counts: Mapping[str, int], listed: int, limit: float, examples: str) -> None:
    rejected = {status: count for status, count in counts.items() if count and status != Status.OK}
    if rejected and sum(rejected.values()) / listed > limit:
        reasons = ", ".join(f"{status} {count}" for status, count in rejected.items())
        raise OrchardError(
            f"{sum(rejected.values())} of {listed} images rejected ({reasons})",
            rule=f"at most {limit:.2%} may be rejected (--max-failure-ratio={limit})",
            remedy=f"see rejected_examples in {examples}, repair or remove the images, or raise the limit",
        )
