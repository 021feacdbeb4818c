"""Files of Parquet, and folders of them, as other programs leave them, too."""

from pathlib import Path

import pyarrow as pa
import pytest

from orchard_jobs.errors import OrchardError
from orchard_jobs.storage import write_bytes
from orchard_jobs.tables.parquet import find_parts, open_parquet, path_range, read_part, to_parquet


def write(folder: Path, name: str, *paths: str) -> None:
    write_bytes(
        f"file://{folder}/{name}", to_parquet(pa.table({"path": paths, "n": range(len(paths))}), ("n",))
    )


def test_the_files_of_a_folder_are_those_that_spark_would_read_by_name(tmp_path: Path) -> None:
    for name in ("part-2.parquet", "part-1.parquet", ".part-0.parquet", "_tmp/part-0.parquet"):
        write(tmp_path, name, "a")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-1.parquet.crc").touch()
    assert [Path(part.uri).name for part in find_parts(f"file://{tmp_path}")] == [
        "part-1.parquet",
        "part-2.parquet",
    ]


def test_a_uri_of_one_file_is_that_file(tmp_path: Path) -> None:
    write(tmp_path, "one.parquet", "a")
    (part,) = find_parts(f"file://{tmp_path}/one.parquet")
    assert part.size == (tmp_path / "one.parquet").stat().st_size


def test_a_slash_at_the_end_of_a_folder_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, "one.parquet", "a")
    assert find_parts(f"file://{tmp_path}/") == find_parts(f"file://{tmp_path}")


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_where_there_is_none_is_one_clear_error(folder: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OrchardError, match=f"no Parquet at file://.*/{folder}: it must name the output"):
        find_parts(f"file://{tmp_path}/{folder}")


def test_a_file_says_that_it_is_sorted_and_from_where_to_where(tmp_path: Path) -> None:
    write(tmp_path, "one.parquet", "a", "ü")
    group = open_parquet(*find_parts(f"file://{tmp_path}")).metadata.row_group(0)
    assert path_range(group) == ("a", "ü")
    assert [by.column_index for by in group.sorting_columns] == [0]
    assert group.column(1).statistics is None


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_a_file_that_cannot_be_read_is_one_clear_error(damage: str, tmp_path: Path) -> None:
    write(tmp_path, "one.parquet", "a")
    (part,) = find_parts(f"file://{tmp_path}")
    path = tmp_path / "one.parquet"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(OrchardError, match=r"cannot read file://.*one\.parquet .*: it must exist"):
        read_part(part, ["path"])


def test_a_column_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    write(tmp_path, "one.parquet", "a")
    (part,) = find_parts(f"file://{tmp_path}")
    with pytest.raises(OrchardError, match=r"one\.parquet has no status and no features"):
        read_part(part, ["path", "status", "features"])
