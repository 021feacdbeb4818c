"""What Airflow and the Spark jobs agree on: job arguments, columns, statuses; places are in ``run_folder``.

Standard library only: these two modules are what both sides import.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b, sha256
from typing import ClassVar, Self

from orchard_jobs import argv
from orchard_jobs.errors import OrchardError


class Status(StrEnum):
    """What became of one image. Everything but ``OK`` is a rejected row with a message."""

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
    """What computes the features."""

    OPENVINO = "openvino"
    TENSORFLOW = "tensorflow"


class BasisMode(StrEnum):
    """What a run does to the basis of the run before it."""

    REFIT = "refit"  # fit on all rows that count, and project all of them
    REUSE = "reuse"  # keep it, leave the old rows' components untouched and project the new rows alone


class Precision(StrEnum):
    """Number format of the inference. The features are float32 in either case."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Decoding(StrEnum):
    """How much of a large photograph is decoded. Small images have the same pixels in either case."""

    EXACT = "exact"  # all of it, as Keras does
    SCALED = "scaled"  # a JPEG at a half, a quarter or an eighth of its size, by the rule in decode.py


class DamagedImages(StrEnum):
    """What becomes of an image that its decoder warns of, as of a JPEG cut in half."""

    REJECT = "reject"
    ACCEPT = "accept"  # with the grey, or the noise, that the decoder makes of what is not there


class InstructionSet(StrEnum):
    """What the inference uses of every CPU, however much more there is: with more, it rounds otherwise."""

    AVX2 = "avx2"


GLOB_CHARACTERS = "*?[]{}\\"
"""What Hadoop expands in a path, and so what no URI of the lake may have. Names of images may."""

JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError"
"""Of drivers and executors. Without the JVM's second compiler: the work is done in Python, and the JVM only
schedules it; what it would compile better has ended by then. Where its heap is full it ends: else the thread
alone would die that asked for memory, and others might wait for it, on a cluster that is paid for."""

MANIFEST_COLUMNS = ("path", "label", "etag", "size", "modified")
"""One row per image to featurize. ``path`` is relative to the images URI, with ``/``; ``label`` is
its parent folder's name ('' at the root); ``size`` is in bytes; ``modified`` is a UTC timestamp."""

FEATURE_COLUMNS = ("path", "label", "etag", "width", "height", "status", "error", "features", "thumbnail")
"""One row per manifest row. ``features`` are null unless ``status`` is ok; so is ``thumbnail``, a WebP of
32x32, which of many images only a sample has; ``width`` and ``height`` are those of the stored image, in
pixels, null where they are not known. Features of before there were thumbnails lack that column, and are as
good as any."""

COMPONENT_COLUMNS = ("path", "label", "components", "basis_id")

OUTCOME_COLUMNS = ("path", "etag", "status")
"""One row per manifest row: what became of it."""

REJECT_COLUMNS = ("path", "label", "status", "error")
"""One row per rejected image of the run, in ``rejects.csv``."""

EARLIER_COLUMNS = ("path", "etag", "status", "run", "stays")
"""One row per image that was known before this run, rejected ones too. ``run`` names the folder, beside this
run's, that has its features; ``stays`` is false where it has been changed, is tried again, or was deleted."""


COLUMNS = {
    "path": "Path of the image, relative to the folder of images, with `/`.",
    "label": "Name of the image's parent folder; empty for an image at the root.",
    "etag": "ETag of the object that was read; for a file, made of its modification time and size.",
    "size": "Bytes.",
    "modified": "When the object was last changed.",
    "width": "Width of the stored image, in pixels; null where it is not known.",
    "height": "Height of the stored image, in pixels; null where it is not known.",
    "status": "What became of the image: `ok`, or why it was rejected.",
    "error": "Message of a rejected image, one line; null for `ok`.",
    "features": "Output of the model, 1,280 numbers; null unless the status is `ok`.",
    "thumbnail": "WebP of 32x32 pixels for the report; only a sample of the images has one.",
    "components": "Coordinates in the basis, one per component.",
    "basis_id": "Basis of the components, a folder of `basis/`.",
    "run": "Run that computed the image's features.",
    "stays": "Whether the row still counts: false for changed, retried and deleted images.",
}
"""What a column of any Parquet file of the lake holds; a name means the same in all of them."""


def label_of(path: str) -> str:
    """Return the label of an image: its parent folder's name, '' for an image at the root."""
    return path.rpartition("/")[0].rpartition("/")[2]


def digest_basis(mean: bytes, components: bytes) -> str:
    """Name a basis by what a projection depends on: its numbers as little-endian float64, row by row."""
    return sha256(mean + components).hexdigest()[:12]


THUMBNAILS = 6000
"""About how many images of a lake have a thumbnail: somewhat more than a report shows."""


def hash_path(path: str) -> int:
    """Return 64 bits of a path, which say what is in a sample: the images with the lowest."""
    return int.from_bytes(blake2b(path.encode(), digest_size=8).digest(), "little")


def is_hidden(path: str) -> bool:
    """Say whether a file is none of ours: ``.DS_Store``, or anything in a folder such as ``.git``."""
    return any(part.startswith(".") and part not in (".", "..") for part in path.split("/"))


class Job:
    """One job's arguments, as a frozen dataclass that travels as ``--key=value`` tokens."""

    NAME: ClassVar[str]
    output: str
    listing: str | None

    @property
    def command(self) -> list[str]:
        """What follows ``run.py``: the job's name, and its arguments."""
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
        runtime: What computes the features; tensorflow is the reference.
        precision: Number format of the inference; bfloat16 is for openvino only.
        decoding: Of large JPEGs.
        damaged_images: Of which the decoder warns; what it cannot decode is rejected in any case.
        instruction_set: Of the inference, on every CPU; None: all that each of them has.
        batch_size: Images per inference. On one thread small ones are faster: their activations stay in
            the cache.
        concurrent_reads: Images read at once, per Spark task.
        max_failure_ratio: Largest allowed rejected / listed, from 0 to 1.
        listed: Number of images in the whole listing, of which the manifest is the new part; None: as
            many as the manifest has rows.
        listing: Id of the listing that the run was made from, for the report.
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
        _refuse_globs(self.output, self.manifest)
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
        features: URIs of feature folders, oldest first; where a path is in several, the last counts.
        output: URI of the run folder; writes ``components/``, ``basis/``, ``statistics/`` and
            ``reports/reduce.json`` in it.
        components: Number of components to keep.
        variance: Keep the fewest components that explain this share of the variance, in (0, 1].
        basis: URI of an existing basis folder: project onto it instead of refitting.
        earlier: URI of a Parquet file of EARLIER_COLUMNS: which rows of the runs beside ``output`` count
            too, and which no longer do. None: no run came before.
        statistics: URIs of statistics that add up to those of all rows before this run: of the rows of
            ``earlier``, or else of all ``features`` but the last. None given: their features are
            measured again.
        projected: URI of the component folder of an earlier run, with the basis of ``basis``: the
            components of the rows that stay are taken from it, untouched. Needs ``basis`` and ``earlier``.
        signs_like: URI of an earlier basis folder: a component that points along one of its keeps its sign.
        model: URI of the model artefact that made the features; its id goes into the basis.
        listing: Id of the listing that the run was made from, for the report.
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
        _refuse_globs(self.output, self.earlier, self.projected, *self.features)
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
        features: URIs of the feature folders of this run, for the rejected rows and the outcomes.
        output: URI of the run folder; writes ``csv/``, ``outcomes.parquet`` and
            ``reports/export.json`` in it.
        shards: Number of CSV files; 1 gives ``features.csv``.
        listing: Id of the listing that the run was made from, for the report.
    """

    components: tuple[str, ...]
    features: tuple[str, ...]
    output: str
    shards: int = 1
    listing: str | None = None

    NAME: ClassVar[str] = "export"

    def __post_init__(self) -> None:
        _require(len(self.components) > 0, "components", self.components, "one URI or more")
        _refuse_globs(self.output, *self.components, *self.features)
        _require(1 <= self.shards <= 1000, "shards", self.shards, "from 1 to 1000")


def _refuse_globs(*uris: str | None) -> None:
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
        raise OrchardError(f"--{key}={value}", rule=f"it takes {rule}", remedy=f"correct --{key}")
