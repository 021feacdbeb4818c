"""The images to featurize: the manifest that Airflow wrote, or a listing of the folder.

It is sorted by path and cut into ranges of rows, which are the tasks. The ranges depend only on the manifest,
so another attempt, on other nodes, writes the same files.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchard_jobs.contract import is_hidden, label_of
from orchard_jobs.errors import OrchardError, first_line
from orchard_jobs.escaping import to_path
from orchard_jobs.storage import list_folder, write_bytes
from orchard_jobs.tables.parquet import (
    Part,
    find_parts,
    open_parquet,
    read_groups,
    sort_by_path,
    to_parquet,
)

SCHEMA = pa.schema(
    {
        "path": pa.string(),
        "label": pa.string(),
        "etag": pa.string(),
        "size": pa.int64(),
        "modified": pa.timestamp("us", "UTC"),
    }
)
WORK_COLUMNS = ["path", "label", "etag", "size"]

SHARE = 16  # a range is 1/SHARE of the remaining work, so that no core waits long for the last range
MOST_IMAGES = 1024  # of a range: seconds of a core, which is what a lost executor costs; a file of 4 MB
FEWEST_IMAGES = 32
BYTES_LIKE_ONE_IMAGE = 200_000
"""Bytes that take as long to decode as the inference of one image.

See docs/explanation/performance.md, *Large photographs*.
"""


@dataclass(frozen=True)
class Manifest:
    """A manifest, as the driver knows it.

    Args:
        part: Its file.
        bounds: Ascending row numbers: range i is rows ``bounds[i]`` to ``bounds[i + 1]``.
    """

    part: Part
    bounds: tuple[int, ...]

    @classmethod
    def read(cls, uri: str, *, may_be_empty: bool = False) -> Self:
        """Read the columns that are needed to cut it into ranges.

        Args:
            may_be_empty: Whether it is the new part of a listing, which may have no new images.

        Raises:
            OrchardError: if it is not a manifest, is not sorted, or is empty but must not be.
        """
        part = _find_file(uri)
        sizes = _read_sizes(part)
        if not len(sizes) and not may_be_empty:
            raise _no_images(part.uri)
        return cls(part, cut(sizes))

    @property
    def total(self) -> int:
        """Number of images."""
        return self.bounds[-1]

    @property
    def ranges(self) -> list[tuple[int, int]]:
        return list(itertools.pairwise(self.bounds))

    def read_range(self, start: int, stop: int) -> pa.Table:
        """Return WORK_COLUMNS of a range.

        Raises:
            OrchardError: if one of these columns is missing, or a row has no path, label or ETag.
        """
        file = open_parquet(self.part, WORK_COLUMNS)
        found, first = [], 0
        for place in range(file.num_row_groups):
            rows = file.metadata.row_group(place).num_rows
            if first < stop and start < first + rows:
                group = file.read_row_group(place, WORK_COLUMNS, use_threads=False)
                found.append(group.slice(max(0, start - first), stop - max(start, first)))
            first += rows
        return _complete(pa.concat_tables(found), self.part)


def write_listing(images: str, uri: str) -> None:
    """List a folder into a manifest at ``uri``.

    Used for manual runs: the nightly run lists before it creates a cluster.

    Raises:
        OrchardError: if there is no folder, or it is empty.
    """
    rows = list(_listing_rows(images))
    if not rows:
        raise _no_images(images)
    write_bytes(uri, to_parquet(sort_by_path(pa.Table.from_pylist(rows, SCHEMA))))


def cut(sizes: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """Return the bounds of ranges with decreasing work, so that all cores finish together.

    This is guided self-scheduling: large ranges cost little to schedule, and small ones at the end fill the
    gaps. https://doi.org/10.1109/TC.1987.5009495

    Args:
        sizes: File sizes, in bytes. Without files there is one range without rows.
    """
    if not len(sizes):
        return (0, 0)
    work = np.cumsum(BYTES_LIKE_ONE_IMAGE + sizes)
    least, most = FEWEST_IMAGES * BYTES_LIKE_ONE_IMAGE, MOST_IMAGES * BYTES_LIKE_ONE_IMAGE
    total, end, ends = int(work[-1]), 0, []
    while end < total:
        end += min(max((total - end) // SHARE, least), most)
        ends.append(end)
    return tuple(np.unique([0, *np.searchsorted(work, ends, side="right")]).tolist())


def _find_file(uri: str) -> Part:
    found = find_parts(uri)
    if len(found) > 1:
        raise OrchardError(
            f"--manifest={uri} with {len(found)} files",
            rule="a manifest must be one file",
            remedy="write it as one",
        )
    return found[0]


def _complete(rows: pa.Table, part: Part) -> pa.Table:
    """Cast the rows to the types of SCHEMA; check that only sizes are null."""
    try:
        rows = rows.cast(pa.schema([SCHEMA.field(name) for name in rows.column_names]))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise OrchardError(
            f"the manifest {part.uri} ({first_line(error)})",
            rule="paths, labels and ETags must be strings, and sizes whole numbers",
            remedy="correct it, or leave --manifest out",
        ) from error
    lacking = [name for name in rows.column_names if name != "size" and rows[name].null_count]
    if lacking:
        raise OrchardError(
            f"the manifest {part.uri} has rows without {' and '.join(lacking)}",
            rule="every image needs a path, a label and an ETag",
            remedy="fill them in, or leave --manifest out",
        )
    return rows


def _read_sizes(part: Part) -> npt.NDArray[np.int64]:
    last, sizes = "", [np.zeros(0, np.int64)]
    for group in read_groups(part, ["path", "size"]):
        rows = _complete(group, part).combine_chunks()
        paths = rows["path"]
        if len(paths) and (paths[0].as_py() < last or pc.any(pc.less(paths[1:], paths[:-1])).as_py()):
            raise OrchardError(
                f"the manifest {part.uri}",
                rule="its rows must be sorted by path",
                remedy="sort it, or leave --manifest out",
            )
        last = paths[-1].as_py() if len(paths) else last
        sizes.append(pc.fill_null(rows["size"], 0).to_numpy())
    return np.concatenate(sizes)


def _no_images(place: str) -> OrchardError:
    return OrchardError(
        f"no images in {place}",
        rule="there must be at least one",
        remedy="check the URI: it must name the folder that contains the <label> folders",
    )


def _listing_rows(images: str) -> Iterator[dict[str, object]]:
    for item in list_folder(images):
        if not is_hidden(item.path):
            path = to_path(item.path) if images.startswith("file://") else item.path
            yield {
                "path": path,
                "label": label_of(path),
                "etag": item.etag,
                "size": item.size,
                "modified": item.modified,
            }
