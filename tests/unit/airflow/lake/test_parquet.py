"""Parquet is read by the thread that asks: a thread of Arrow's may abort a process that has done its work."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from orchard.lake.parquet import from_parquet, to_parquet

TABLE = pa.table({name: ["x", "y", "z"] for name in ("path", "label", "etag")})
"""Of three columns and two row groups, so that there would be something to share out."""

READERS = {
    "from_parquet": "from_parquet(Path(sys.argv[1]).read_bytes(), pa.schema([('path', pa.string())]))",
    "read_file": "list(read_file(FileStorage(Path('/')), sys.argv[1], ['path', 'label']))",
    "without": "without('a.parquet', Path(sys.argv[1]).read_bytes(), 'x')",
}

COUNT = """
import os, sys
from pathlib import Path
import pyarrow as pa
from orchard.lake.parquet import from_parquet
from orchard.report.loading.rows import read_file
from orchard.lake.storage_files import FileStorage
from erasure.rows import without

before = set(os.listdir("/proc/self/task"))
READ
print(len(set(os.listdir("/proc/self/task")) - before))
"""


@pytest.mark.parametrize("reader", READERS)
def test_reading_starts_no_thread(reader: str, tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    file.write_bytes(to_parquet(TABLE, row_group_size=2))
    program = COUNT.replace("READ", READERS[reader])
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(file)], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"


def test_columns_come_back_in_the_order_of_the_schema_whatever_that_of_the_file() -> None:
    schema = pa.schema([("etag", pa.string()), ("path", pa.string())])
    assert from_parquet(to_parquet(TABLE), schema) == TABLE.select(["etag", "path"])


def test_a_file_that_lacks_a_column_is_refused() -> None:
    with pytest.raises(KeyError, match="status"):
        from_parquet(to_parquet(TABLE), pa.schema([("path", pa.string()), ("status", pa.string())]))
