"""The rows of a run's ledger entry: the lists that ``sense`` wrote, and the outcome of each image."""

import io

import pyarrow as pa
import pyarrow.compute as pc

from orchard.lake.ledger import EARLIER_SCHEMA, OUTCOME_SCHEMA
from orchard.lake.objects import Storage
from orchard.lake.parquet import from_parquet, read_checked
from orchard.lake.sensed import Sensed, digest_rows
from orchard.publishing.run_metrics import RunMetrics
from orchard_jobs.contract import Status
from orchard_jobs.errors import OrchardError, first_line
from orchard_jobs.run_folder import RunFolder

BYTES_OF_MANY = 2**24  # outcomes may have 16 MiB,
BYTES_PER_ROW = 4096  # plus this for each row: an S3 key has up to 1,024


def read_rows(
    storage: Storage, folder: RunFolder, sensed: Sensed, metrics: RunMetrics
) -> tuple[pa.Table, pa.Table]:
    """Return EARLIER_SCHEMA and OUTCOME_SCHEMA of a run.

    Raises:
        OrchardError: if the lists are not as ``sense`` wrote them, or the outcomes do not match its images.
    """
    listed = sensed["listed"] + sensed["known"] + sensed["deleted"] + sensed["kept"]
    most = BYTES_OF_MANY + BYTES_PER_ROW * listed
    manifest, earlier = (storage.read(uri, most).data for uri in (folder.manifest, folder.earlier))
    if digest_rows(manifest, earlier) != sensed.get("digest"):
        raise OrchardError(
            f"{folder.manifest} or {folder.earlier} is not as 'sense' wrote it",
            rule="only 'sense' may write them: they list the run's images",
            remedy="clear this run's task 'sense', and find out what else writes there",
        )
    images = from_parquet(manifest, pa.schema([OUTCOME_SCHEMA.field(name) for name in ("path", "etag")]))
    try:
        outcomes = _read_outcomes(storage, folder, images.num_rows)
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise _outcomes_error(folder, first_line(error)) from error
    _validate_outcomes(folder, images, outcomes, metrics)
    return from_parquet(earlier, EARLIER_SCHEMA), outcomes


def _read_outcomes(storage: Storage, folder: RunFolder, count: int) -> pa.Table:
    """Return OUTCOME_SCHEMA, with at most ``count`` rows."""
    data = storage.read(folder.outcomes, BYTES_OF_MANY + BYTES_PER_ROW * count).data
    rows = pa.Table.from_batches([], OUTCOME_SCHEMA)
    for batch in read_checked(io.BytesIO(data), OUTCOME_SCHEMA):
        rows = pa.concat_tables([rows, pa.Table.from_batches([batch])])
        if rows.num_rows > count:
            raise ValueError(f"more rows than the {count} images")
    return rows


def _validate_outcomes(folder: RunFolder, images: pa.Table, outcomes: pa.Table, metrics: RunMetrics) -> None:
    by_path = [("path", "ascending"), ("etag", "ascending")]
    if not outcomes.select(["path", "etag"]).sort_by(by_path).equals(images.sort_by(by_path)):
        raise _outcomes_error(folder, f"{outcomes.num_rows} rows for {images.num_rows} images")
    counts = {row["values"]: row["counts"] for row in pc.value_counts(outcomes["status"]).to_pylist()}
    reported = {status.value: count for status, count in metrics.featurize.counts.items() if count}
    if counts != reported or not set(counts) <= set(Status):
        raise _outcomes_error(folder, f"counts differ from those of 'featurize': {reported}")


def _outcomes_error(folder: RunFolder, found: str) -> OrchardError:
    return OrchardError(
        f"{folder.outcomes} cannot be used ({found})",
        rule="it must have one row per image of the manifest, with its ETag and a status",
        remedy="clear this run's task 'export', or 'featurize' with its downstream tasks",
    )
