"""The contract between Airflow and the Spark jobs: job arguments, columns, statuses. Paths: ``run_folder``.

Standard library only, because both sides import these two modules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import ClassVar, Self

from orchard_jobs import argv
from orchard_jobs.errors import OrchardError


class Status(StrEnum):
    """The outcome for one image. Every status except ``OK`` means a rejected row with a message."""

    OK = "ok"
    """The image has features and components."""
    EMPTY = "empty"
    """The file has no bytes."""
    MISSING = "missing"
    """The file was deleted between listing and reading."""
    UNREADABLE = "unreadable"
    """Access was denied, reads kept failing, or there was not enough memory. In a bucket that the nodes may
    not list, S3 also denies access to deleted objects, and the message says so. Keys with an empty segment or
    control characters are unreadable, too."""
    NOT_AN_IMAGE = "not_an_image"
    """The content has none of the known formats: JPEG, PNG, GIF, WebP, BMP, TIFF."""
    CORRUPT = "corrupt"
    """The format is known, but the file is truncated or damaged."""
    TOO_LARGE = "too_large"
    """The file is above 64 MiB, 67 megapixels, 100 scans (JPEG), 65,536 chunks (PNG) or 60 s of one core."""
    CRASHED_DECODER = "crashed_decoder"
    """The decoder crashed in a process of its own, after two workers had died of the image."""


class Runtime(StrEnum):
    """The inference runtime."""

    OPENVINO = "openvino"
    TENSORFLOW = "tensorflow"


class BasisMode(StrEnum):
    """How a run treats the basis of the previous run."""

    REFIT = "refit"  # fit a new basis on all counted rows, and project all of them
    REUSE = "reuse"  # keep the basis and the old rows' components, and project only the new rows


class Precision(StrEnum):
    """Number format of the inference. The features are float32 in either case."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Decoding(StrEnum):
    """The resolution at which large photographs are decoded. Small images are always decoded exactly."""

    EXACT = "exact"  # full resolution, as Keras does
    SCALED = "scaled"  # a JPEG at a half, a quarter or an eighth of its size, by the rule in decode.py


class DamagedImages(StrEnum):
    """How to treat an image about which its decoder warns, such as a truncated JPEG."""

    REJECT = "reject"
    ACCEPT = "accept"  # with the grey or noise that the decoder substitutes for missing pixels


class InstructionSet(StrEnum):
    """The instruction set of the inference on every CPU. Newer instruction sets round differently."""

    AVX2 = "avx2"


GLOB_CHARACTERS = "*?[]{}\\"
"""Characters that Hadoop expands in paths, so that no URI of the lake may contain them. Image names may."""

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError"
"""Java options of drivers and executors. The JVM's second compiler is off: the JVM only schedules work that
Python does, and better code would come too late. The JVM exits when its heap is full: otherwise only one
thread would die, and others might wait for it on a cluster that is billed."""

MANIFEST_COLUMNS = ("path", "label", "etag", "size", "modified")
"""One row per image to featurize. ``path`` is relative to the images URI, with ``/``; ``label`` is
its parent folder's name ('' at the root); ``size`` is in bytes; ``modified`` is a UTC timestamp."""

FEATURE_COLUMNS = ("path", "label", "etag", "width", "height", "status", "error", "features", "thumbnail")
"""One row per manifest row. ``features`` are null unless ``status`` is ok. So is ``thumbnail``, a 32x32 WebP,
which only a sample of the images has. ``width`` and ``height`` are those of the stored image, in pixels, null
if unknown. Features written by older versions lack the thumbnail column, and are still valid."""

COMPONENT_COLUMNS = ("path", "label", "components", "basis_id")

OUTCOME_COLUMNS = ("path", "etag", "status")
"""One row per manifest row: its outcome."""

REJECT_COLUMNS = ("path", "label", "status", "error")
"""One row per rejected image of the run, in ``rejects.csv``."""

EARLIER_COLUMNS = ("path", "etag", "status", "run", "stays")
"""One row per image known before this run, including rejected ones. ``run`` names the run folder, beside this
run's, with its features; ``stays`` is false if it was changed or deleted, or is retried."""


COLUMNS = {
    "path": "Path of the image, relative to the folder of images, with `/`.",
    "label": "Name of the image's parent folder; empty for an image at the root.",
    "etag": "ETag of the object; for a local file, derived from its modification time and size.",
    "size": "Bytes.",
    "modified": "Time of the object's last change.",
    "width": "Width of the stored image, in pixels; null if unknown.",
    "height": "Height of the stored image, in pixels; null if unknown.",
    "status": "Outcome for the image: `ok`, or the kind of rejection.",
    "error": "Message of a rejected image, one line; null for `ok`.",
    "features": "Output of the model, 1,280 numbers; null unless the status is `ok`.",
    "thumbnail": "WebP of 32x32 pixels for the report; only a sample of the images has one.",
    "components": "Coordinates in the basis, one per component.",
    "basis_id": "Basis of the components, a folder of `basis/`.",
    "run": "Run that computed the image's features.",
    "stays": "Whether the row still counts: false for changed, retried and deleted images.",
}
"""Columns of the lake's Parquet files; a name means the same in all of them."""


def label_of(path: str) -> str:
    """Return the label of an image: its parent folder's name, '' for an image at the root."""
    return path.rpartition("/")[0].rpartition("/")[2]


def digest_basis(mean: bytes, components: bytes) -> str:
    """Return the id of a basis: a digest of mean and components as little-endian float64, row by row."""
    return sha256(mean + components).hexdigest()[:12]


THUMBNAILS = 6000
"""Approximate number of images in a run with a thumbnail: a few more than a report shows."""


def hash_path(path: str) -> int:
    """Return a 64-bit hash of a path. A sample consists of the images with the lowest hashes."""
    return int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "little")


def is_hidden(path: str) -> bool:
    """Return whether a file is hidden: ``.DS_Store``, or anything in a folder such as ``.git``."""
    return any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))


class Job:
    """One job's arguments, as a frozen dataclass that travels as ``--key=value`` tokens."""

    NAME: ClassVar[str]
    output: str
    listing: str | None

    @property
    def command(self) -> list[str]:
        """The job's name and arguments, as they follow ``run.py``."""
        return [self.NAME, *self.to_argv()]

    def to_argv(self) -> list[str]:
        return argv.to_argv(self)

    @classmethod
    def from_argv(cls, tokens: Sequence[str]) -> Self:
        return argv.from_argv(cls, tokens)


@dataclass(frozen=True)
class FeaturizeJob(Job):
    """Arguments of ``featurize``.

    Args:
        images: URI of the folder of ``<label>/<image>``.
        model: URI of the model artefact's folder.
        output: URI of the run folder; writes ``features/`` and ``reports/featurize.json`` in it.
        manifest: URI of a Parquet file of MANIFEST_COLUMNS; None lists the folder.
        runtime: The inference runtime; tensorflow is the reference.
        precision: Number format of the inference; bfloat16 is for openvino only.
        decoding: How to decode large JPEGs.
        damaged_images: How to treat images with decoder warnings; undecodable images are always rejected.
        instruction_set: Instruction set of the inference; None for the best that each CPU has.
        batch_size: Images per inference. Small batches are faster on one thread, because their activations
            stay in the cache.
        concurrent_reads: Concurrent reads per Spark task.
        max_failure_ratio: Largest allowed rejected / listed, from 0 to 1.
        listed: Number of images in the full listing, of which the manifest is the new part; None for the
            number of rows in the manifest.
        listing: Id of the listing behind the run, for the metrics.
    """

    images: str
    model: str
    output: str
    manifest: str | None = None
    runtime: Runtime = Runtime.OPENVINO
    precision: Precision = Precision.FLOAT32
    decoding: Decoding = Decoding.EXACT
    damaged_images: DamagedImages = DamagedImages.REJECT
    instruction_set: InstructionSet | None = None
    batch_size: int = 2
    concurrent_reads: int = 16
    max_failure_ratio: float = 0.05
    listed: int | None = None
    listing: str | None = None

    NAME: ClassVar[str] = "featurize"

    def __post_init__(self) -> None:
        _validate_uris(self.output, self.manifest)
        _require(
            self.runtime is Runtime.OPENVINO or self.precision is Precision.FLOAT32,
            "precision",
            self.precision,
            f"float32 with --runtime={self.runtime}, which is the reference",
        )
        is_plain = self.runtime is Runtime.OPENVINO and self.precision is Precision.FLOAT32
        _require(
            self.instruction_set is None or is_plain,
            "instruction-set",
            self.instruction_set,
            f"none with --runtime={self.runtime} --precision={self.precision}",
        )
        _require(1 <= self.batch_size <= 1024, "batch-size", self.batch_size, "from 1 to 1024")
        _require(
            1 <= self.concurrent_reads <= 256, "concurrent-reads", self.concurrent_reads, "from 1 to 256"
        )
        _require(0 <= self.max_failure_ratio <= 1, "max-failure-ratio", self.max_failure_ratio, "from 0 to 1")


@dataclass(frozen=True)
class ReduceJob(Job):
    """Arguments of ``reduce``. Exactly one of ``components``, ``variance`` and ``basis``.

    Args:
        features: URIs of feature folders, oldest first; for a path in several folders, the last one counts.
        output: URI of the run folder; writes ``components/``, ``basis/``, ``statistics/`` and
            ``reports/reduce.json`` in it.
        components: Number of components to keep.
        variance: Keep the fewest components that explain this share of the variance, in (0, 1].
        basis: URI of an existing basis folder: project onto it instead of refitting.
        earlier: URI of a Parquet file of EARLIER_COLUMNS, which lists the rows of the runs beside ``output``
            that still count, and those that no longer do. None for a first run.
        statistics: URIs of statistics whose sum covers all rows before this run: the rows of ``earlier``, or
            else of all ``features`` but the last. If empty, the features are measured again.
        projected: URI of the component folder of an earlier run with the same ``basis``: components of rows
            that stay are copied from it. Requires ``basis`` and ``earlier``.
        signs_like: URI of an earlier basis folder: components that point along one of its keep its sign.
        model: URI of the model artefact that computed the features; its id is stored in the basis.
        listing: Id of the listing behind the run, for the metrics.
    """

    features: tuple[str, ...]
    output: str
    components: int | None = None
    variance: float | None = None
    basis: str | None = None
    earlier: str | None = None
    statistics: tuple[str, ...] = ()
    projected: str | None = None
    signs_like: str | None = None
    model: str | None = None
    listing: str | None = None

    NAME: ClassVar[str] = "reduce"

    def __post_init__(self) -> None:
        _require(len(self.features) > 0, "features", self.features, "one URI or more")
        _validate_uris(self.output, self.earlier, self.projected, *self.features)
        chosen = [name for name in ("components", "variance", "basis") if getattr(self, name) is not None]
        _require(
            len(chosen) == 1, "components, variance, basis", chosen or "none", "exactly one of the three"
        )
        if self.components is not None:
            _require(self.components >= 1, "components", self.components, "1 or more")
        if self.variance is not None:
            _require(0 < self.variance <= 1, "variance", self.variance, "above 0 and at most 1")
        _require(
            self.projected is None or (self.basis is not None and self.earlier is not None),
            "projected",
            self.projected,
            "a folder together with --basis and --earlier",
        )


@dataclass(frozen=True)
class ExportJob(Job):
    """Arguments of ``export``.

    Args:
        components: URIs of component folders.
        features: URIs of this run's feature folders, for the rejected rows and the outcomes.
        output: URI of the run folder; writes ``csv/``, ``outcomes.parquet`` and
            ``reports/export.json`` in it.
        shards: Number of CSV files; 1 gives ``features.csv``.
        listing: Id of the listing behind the run, for the metrics.
    """

    components: tuple[str, ...]
    features: tuple[str, ...]
    output: str
    shards: int = 1
    listing: str | None = None

    NAME: ClassVar[str] = "export"

    def __post_init__(self) -> None:
        _require(len(self.components) > 0, "components", self.components, "one URI or more")
        _validate_uris(self.output, *self.components, *self.features)
        _require(1 <= self.shards <= 1000, "shards", self.shards, "from 1 to 1000")


def _validate_uris(*uris: str | None) -> None:
    for uri in uris:
        found = set(uri or "") & set(GLOB_CHARACTERS)
        if found:
            raise OrchardError(
                f"URI {uri!r}",
                rule=f"Spark would expand {' '.join(sorted(found))} in it",
                remedy=f"use a lake whose URI has none of {' '.join(GLOB_CHARACTERS)}",
            )


def _require(holds: bool, key: str, value: object, rule: str) -> None:
    if not holds:
        raise OrchardError(f"--{key}={value}", rule=f"it must be {rule}", remedy=f"correct --{key}")
