"""Convert tables to the bytes of a Parquet file, and back.

Reads happen in the calling thread: files are opened with ``open_parquet`` and read with
``use_threads=False``. Otherwise one of Arrow's threads may hold the last reference to the Python file object.
If the interpreter is shutting down then, the process aborts with exit code 134 after all its work is done:
https://github.com/apache/arrow/issues/34314.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROWS_AT_ONCE = 4096
READ_AT_ONCE = 4 * 2**20  # bytes of a column, with one request to S3

LONGEST = 2**16
"""Maximum bytes of a text or binary cell; paths and thumbnails have at most 4,096."""


def open_parquet(file: BinaryIO) -> pq.ParquetFile:
    """Open a Python file object for reads in this thread."""
    return pq.ParquetFile(file, pre_buffer=False)


def to_parquet(table: pa.Table, row_group_size: int | None = None) -> bytes:
    """Return a table as one Parquet file. Row groups let several Spark tasks read it."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=row_group_size)
    return buffer.getvalue()


def from_parquet(data: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """Return the table in a Parquet file, or its columns of ``schema``.

    Raises:
        KeyError: if a column is missing.
    """
    file = open_parquet(io.BytesIO(data))
    if schema is None:
        return file.read(use_threads=False)
    return file.read(schema.names, use_threads=False).select(schema.names).cast(schema)


def read_checked(file: BinaryIO, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the columns of ``schema`` from a file that a node may have written, in batches.

    A few bytes of Parquet can repeat a long text in every row, so texts stay dictionary-encoded until their
    lengths are checked. Nullable columns may be missing. All lists have the same length and finite numbers.

    Raises:
        ArrowException, KeyError or ValueError: if the file is not Parquet, or does not match ``schema``.
    """
    texts = [field.name for field in schema if _is_text(field.type)]
    with pq.ParquetFile(file, buffer_size=READ_AT_ONCE, pre_buffer=False, read_dictionary=texts) as parquet:
        there = [name for name in schema.names if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=there, use_threads=False):
            columns = {field.name: _checked(batch, field) for field in schema}
            yield pa.RecordBatch.from_pydict(columns, schema)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _checked(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.nullable and field.name not in batch.schema.names:
        return pa.nulls(len(batch), field.type)
    column = batch[field.name]
    if pa.types.is_dictionary(column.type):
        if (pc.max(pc.binary_length(column.dictionary)).as_py() or 0) > LONGEST:
            raise ValueError(f"{field.name} has a cell of more than {LONGEST} bytes")
        column = column.dictionary_decode()
    column = column.cast(field.type)
    column.validate(full=True)
    if column.null_count and not field.nullable:
        raise ValueError(f"{field.name} has nulls")
    if pa.types.is_list(field.type):
        lengths = pc.min_max(pc.list_value_length(column)).as_py()
        if lengths["min"] != lengths["max"] or not np.isfinite(column.flatten()).all():
            raise ValueError(f"{field.name} has rows of different lengths, or numbers that are not finite")
    return column
