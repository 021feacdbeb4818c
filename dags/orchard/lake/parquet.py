"""Tables as the bytes of one Parquet file, and back.

Everything is read by the thread that asks: opened with ``open_parquet`` and read with ``use_threads=False``.
A thread of Arrow's own may be the last to let go of the Python object that it has read from. Where the
process just ends, that thread waits for an interpreter that is gone, which aborts the process, with exit
code 134, after all its work was done: https://github.com/apache/arrow/issues/34314.
"""

import io
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq


def open_parquet(file: BinaryIO, buffer_size: int = 0) -> pq.ParquetFile:
    """Return a file of Python to read in this thread.

    Args:
        buffer_size: How many bytes of a column to read at once; 0 for all of a row group's.
    """
    return pq.ParquetFile(file, buffer_size=buffer_size, pre_buffer=False)


def to_parquet(table: pa.Table, row_group_size: int | None = None) -> bytes:
    """Return a table as one Parquet file. Row groups let Spark read it in several tasks."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", row_group_size=row_group_size)
    return buffer.getvalue()


def from_parquet(data: bytes, schema: pa.Schema | None = None) -> pa.Table:
    """Return one Parquet file, or the columns of ``schema`` from it.

    Raises:
        KeyError: where it lacks one.
    """
    file = open_parquet(io.BytesIO(data))
    if schema is None:
        return file.read(use_threads=False)
    return file.read(schema.names, use_threads=False).select(schema.names).cast(schema)
