"""What a compromised node can leave in a lake: anything below ``runs/`` and ``logs/``."""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from orchard.lake.parquet import to_parquet

SECRET = b"the scheduler's own"

AIRFLOWS = ("run.json", "cost.json", "report.html", "earlier.parquet")
"""Files in a run's folder that the node role may not write."""

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(
        ["../models/current", "../../../etc", "r1", "a\nb", "\x1b[2J", "x" * 10_000, 2**70, -1]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
"""Hostile JSON documents."""

TABLES = [
    pa.table({}),
    pa.table({"path": pa.array([], pa.string())}),
    pa.table({"path": [1], "label": [2], "components": [3], "status": [4], "error": [5], "thumbnail": [6]}),
    pa.table({name: pa.nulls(2) for name in ("path", "label", "components", "status", "error", "thumbnail")}),
    *(
        pa.table(
            {
                "path": ["a/0.jpg", name],
                "label": [name, None],
                "etag": ["e", "e"],
                "status": ["ok", name],
                "error": [None, name],
                "run": ["../../secret", name],
                "components": pa.array(components, pa.list_(pa.float64())),
                "features": pa.array(components, pa.list_(pa.float64())),
                "thumbnail": [b"RIFF\0\0\0\0WEBP", b"<script>"],
            }
        )
        for name, components in (
            ("a\nb", [[1.0], [1.0, 2.0]]),
            ("\x1b[2J", [[], []]),
            ("x" * 100_000, [[float("nan")] * 4, [float("inf")] * 4]),
            ("</script><script>", [None, [1.0] * 4]),
            ("n0", [[1.0] * 70_000, [0.0] * 70_000]),
        )
    ),
]
"""Tables with columns, types, shapes and values that the jobs never write."""


@dataclass(frozen=True)
class Deed:
    """One thing that such a node does to a path in the lake. Its string says what."""

    what: str
    path: str
    content: Any = None

    def carry_out(self, lake: Path) -> None:
        """Do it, replacing whatever is at the path, as far as the file system allows."""
        path = lake / self.path
        data = read(path) if path.is_file() and not path.is_symlink() else b""
        make_way(path, lake)
        getattr(self, self.what)(path, data)

    def cut_and_add(self, path: Path, data: bytes) -> None:
        kept, more = self.content
        path.write_bytes(data[:kept] + more)

    def say(self, path: Path, data: bytes) -> None:
        name, value = self.content
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            said = {}
        path.write_text(json.dumps({**said, name: value} if isinstance(said, dict) else value))

    def tabulate(self, path: Path, data: bytes) -> None:
        path.write_bytes(to_parquet(self.content))

    def nest(self, path: Path, data: bytes) -> None:
        path.write_bytes(b"[" * self.content)

    def link(self, path: Path, data: bytes) -> None:
        path.symlink_to(self.content)

    def make_a_folder(self, path: Path, data: bytes) -> None:
        path.mkdir()
        (path / "inside").write_bytes(data)

    def make_a_pipe(self, path: Path, data: bytes) -> None:
        os.mkfifo(path)

    def blow_up(self, path: Path, data: bytes) -> None:
        path.write_bytes(data)
        os.truncate(path, self.content)

    def remove(self, path: Path, data: bytes) -> None:
        pass


def make_way(path: Path, lake: Path) -> None:
    """Remove whatever is at a path below the lake, and create its parent folders."""
    for place in (*reversed(path.relative_to(lake).parents[:-1]), path.relative_to(lake)):
        found = lake / place
        if found.is_symlink() or (found.exists() and not found.is_dir()):
            found.unlink()
        elif found == path and found.is_dir():
            shutil.rmtree(found)
        if found != path:
            found.mkdir(exist_ok=True)


def deeds_on(paths: Sequence[str], targets: Iterable[Path], names: Iterable[str]) -> st.SearchStrategy[Deed]:
    """Return actions on ``paths`` and their siblings; links point to ``targets``, JSON uses ``names``."""
    segment = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40)
    beside = st.tuples(
        st.sampled_from(paths), segment.filter(lambda name: name not in {".", "..", *AIRFLOWS})
    )
    place = st.sampled_from(paths) | beside.map(lambda pair: f"{pair[0].rpartition('/')[0]}/{pair[1]}")
    contents = {
        "cut_and_add": st.tuples(st.integers(0, 5000), st.binary(max_size=200)),
        "say": st.tuples(st.sampled_from(sorted(names)), VALUES),
        "tabulate": st.sampled_from(TABLES),
        "nest": st.just(100_000),
        "link": st.sampled_from(sorted(targets)),
        "make_a_folder": st.none(),
        "make_a_pipe": st.none(),
        "blow_up": st.just(2**40),
        "remove": st.none(),
    }
    return st.one_of(st.builds(Deed, st.just(what), place, content) for what, content in contents.items())


def contents(root: Path) -> dict[str, bytes]:
    """Return every regular file below a folder by its path, without links; for huge files, their size."""
    return {
        path.relative_to(root).as_posix(): read(path)
        for path in root.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def read(path: Path) -> bytes:
    size = path.stat().st_size
    return path.read_bytes() if size < 2**30 else f"{size} bytes".encode()
