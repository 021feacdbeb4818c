"""A node that is somebody else's may write anything below ``runs/``: Airflow publishes none of it unchecked.

Whatever is found there, nothing but the run's own files changes, nothing from outside the lake gets into it,
and the next honest run is published.
"""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchard.lake.layout import Lake
from orchard.lake.parquet import from_parquet, to_parquet
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import publish
from orchard_jobs.contract import OUTCOME_COLUMNS
from orchard_jobs.errors import OrchardError
from tests.support.airflow.finished_runs import basis_id_of, finish_jobs, latest_of, publication
from tests.support.airflow.hostile_nodes import SECRET, VALUES, contents

MODEL = b'{"id": "m"}'

JOBS = ("featurize", "reduce", "export")
FILES = (
    *(f"reports/{job}.json" for job in JOBS),
    "basis/basis.json",
    "basis/basis.npz",
    "manifest.parquet",
    "earlier.parquet",
    "outcomes.parquet",
)
FOLDERS = ("reports", "basis")
FACTS = (
    *(("featurize", name) for name in ("counts", "model", "images_per_second", "phases", "versions")),
    *(("reduce", name) for name in ("basis_id", "k", "variance_kept", "rows", "counted_rows", "fitted_rows")),
    *(("export", name) for name in ("rows", "rejected", "files")),
    *((job, name) for job in JOBS for name in ("job", "state", "listing", "started_at", "finished_at")),
)


@contextmanager
def a_lake() -> Iterator[tuple[Path, Lake]]:
    """A lake with one published run, ``r1``; beside it a secret."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "secret").write_bytes(SECRET)
        lake = Lake(f"file://{root}/lake")
        (root / "lake" / "models" / "current").mkdir(parents=True)
        (root / "lake" / "models" / "current" / "basis.json").write_bytes(MODEL)
        finish_jobs(lake, "r1")
        publish(storage_of(lake), lake, publication("r1"))
        finish_jobs(lake, "r2")
        yield root, lake


def storage_of(lake: Lake) -> FileStorage:
    return FileStorage(Path(lake.uri.removeprefix("file://")))


def try_to_publish(root: Path, lake: Lake) -> bool:
    """Publish ``r2``, if that can be; say whether it was, and check what has changed.

    Nothing but one clear error may be raised, in one line.
    """
    before = contents(root)
    try:
        publish(storage_of(lake), lake, publication("r2", "r1"))
    except FileNotFoundError:
        is_published, said = False, ""
    except OrchardError as error:
        is_published, said = False, str(error)
    else:
        is_published, said = True, ""
    assert said.isprintable()
    assert len(said) < 2000
    after = contents(root)
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    may_change = {
        "lake/runs/r2/run.json",
        "lake/ledger/r2.parquet",
        "lake/latest.json",
        *(f"lake/basis/{basis_id_of('r2')}/{name}" for name in ("basis.json", "basis.npz")),
    }
    assert changed <= (may_change if is_published else set())
    assert not [name for name, data in after.items() if SECRET in data and name != "secret"]
    return is_published


def publish_honestly(root: Path, lake: Lake) -> None:
    shutil.rmtree(root / "lake" / "runs" / "r2", ignore_errors=True)
    with suppress(FileNotFoundError):
        (root / "lake" / "runs" / "r2").unlink()
    finish_jobs(lake, "r2")
    publish(storage_of(lake), lake, publication("r2", "r1"))
    assert latest_of(lake)["run"] == "r2"


def test_the_run_of_an_honest_node_is_published() -> None:
    with a_lake() as (root, lake):
        assert try_to_publish(root, lake)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fact=st.sampled_from(FACTS), value=VALUES)
def test_whatever_a_report_says_is_checked(fact: tuple[str, str], value: Any) -> None:
    job, name = fact
    with a_lake() as (root, lake):
        path = root / "lake" / "runs" / "r2" / "reports" / f"{job}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
        if not try_to_publish(root, lake):
            publish_honestly(root, lake)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(FILES), data=st.binary(max_size=200), kept=st.integers(0, 5000))
def test_whatever_a_file_holds_is_checked(name: str, data: bytes, kept: int) -> None:
    with a_lake() as (root, lake):
        path = root / "lake" / "runs" / "r2" / name
        path.write_bytes(path.read_bytes()[:kept] + data)
        if not try_to_publish(root, lake):
            publish_honestly(root, lake)


@pytest.mark.parametrize("name", [*FILES, *FOLDERS, "."])
@pytest.mark.parametrize("target", ["secret", "lake/runs/r1", "lake/models/current", "/proc/self", "nowhere"])
def test_a_link_leads_nowhere(name: str, target: str) -> None:
    with a_lake() as (root, lake):
        path = root / "lake" / "runs" / "r2" / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(root / target)
        assert not try_to_publish(root, lake)
        publish_honestly(root, lake)


@pytest.mark.parametrize("name", ["run.json", "report.html"])
def test_what_airflow_writes_goes_through_no_link(name: str) -> None:
    with a_lake() as (root, lake):
        (root / "lake" / "runs" / "r2" / name).symlink_to(root / "secret")
        publish(storage_of(lake), lake, publication("r2", "r1"))
        assert (root / "secret").read_bytes() == SECRET


def test_a_file_that_is_too_large_is_not_read() -> None:
    with a_lake() as (root, lake):
        for name in ("reports/reduce.json", "basis/basis.npz", "basis/basis.json", "outcomes.parquet"):
            finish_jobs(lake, "r2")
            with (root / "lake" / "runs" / "r2" / name).open("ab") as file:
                file.truncate(2**40)
            with pytest.raises(OrchardError, match=r"has 1099511627776 bytes: the limit is \d+ bytes"):
                publish(storage_of(lake), lake, publication("r2", "r1"))


def rewrite(root: Path, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
    path = root / "lake" / "runs" / "r2" / name
    path.write_bytes(to_parquet(change(from_parquet(path.read_bytes()))))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("earlier.parquet", lambda rows: rows.slice(1), "is not as 'sense' wrote it"),
        ("manifest.parquet", lambda rows: rows.slice(1), "is not as 'sense' wrote it"),
        ("outcomes.parquet", lambda rows: rows.slice(1), "1 rows for 2 images"),
        ("outcomes.parquet", lambda rows: pa.concat_tables([rows, rows]), "more rows than the 2 images"),
        (
            "outcomes.parquet",
            lambda rows: rows.set_column(1, "etag", pa.array(["7"] * len(rows))),
            "one row per image of the manifest, with its ETag",
        ),
        (
            "outcomes.parquet",
            lambda rows: rows.set_column(2, "status", pa.array(["fine"] * len(rows))),
            "counts differ from those of 'featurize'",
        ),
        ("outcomes.parquet", lambda rows: rows.drop_columns("status"), "cannot be used"),
    ],
)
def test_rows_that_are_not_those_of_the_run_are_not_published(
    name: str, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    with a_lake() as (root, lake):
        rewrite(root, name, change)
        with pytest.raises(OrchardError, match=message):
            publish(storage_of(lake), lake, publication("r2", "r1"))
        assert not try_to_publish(root, lake)


def test_a_long_text_that_every_row_names_is_not_unpacked() -> None:
    rows = pa.table({name: ["x" * 2**20] * 2000 for name in OUTCOME_COLUMNS})
    with a_lake() as (root, lake):
        path = root / "lake" / "runs" / "r2" / "outcomes.parquet"
        path.write_bytes(to_parquet(rows))
        assert path.stat().st_size < 2**18
        with pytest.raises(OrchardError, match="path has a cell of more than 65536 bytes"):
            publish(storage_of(lake), lake, publication("r2", "r1"))


def test_a_basis_that_is_there_under_the_same_name_is_never_replaced() -> None:
    with a_lake() as (root, lake):
        there = root / "lake" / "basis" / basis_id_of("r2")
        there.mkdir(parents=True)
        (there / "basis.npz").write_bytes(b"another")
        with pytest.raises(OrchardError, match="is a different basis"):
            publish(storage_of(lake), lake, publication("r2", "r1"))
        assert (there / "basis.npz").read_bytes() == b"another"
