"""After `make purge IMAGE=…` nothing of the image is left, and the nights go on as if it had not been."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from orchard_jobs.escaping import escape_cell, unescape_cell
from tests.support.checkout import ROOT
from tests.support.jobs.feature_rows import make_rows
from tests.support.jobs.nights import Nights, results, second_night, third_night

ORCHARD = ROOT / ".venv" / "bin" / "orchard"
"""The purge is of Airflow's side: it runs in that environment, as `make purge` has it."""


def publish(nights: Nights, lake: Path) -> None:
    """Write the ledger of the newest run, and its name, as the DAG would."""
    ledger = [
        {"path": path, "etag": "e", "status": str(status), "run": run}
        for path, (run, status) in nights.known.items()
    ]
    (lake / "ledger").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(ledger), lake / "ledger" / f"{nights.runs[-1]}.parquet")
    runs = [{"run": run, "images": f"file://{lake}/images", "model": "m"} for run in nights.runs]
    (lake / "latest.json").write_text(json.dumps({"run": nights.runs[-1], "runs": runs}))


def erase(lake: Path, image: str) -> str:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("ORCHARD_")}
    environ |= {"AIRFLOW_HOME": str(lake.with_name("airflow"))}
    options = [f"--lake={lake}", f"--images={lake / 'images'}", f"--image={image}", "--confirm=1"]
    done = subprocess.run(
        [ORCHARD, "purge", *options], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def paths_in(lake: Path) -> set[str]:
    """Return all paths that any file of the lake has a row of."""
    found = {row.partition(",")[0] for file in lake.rglob("*.csv") for row in file.read_text().splitlines()}
    for file in lake.rglob("*.parquet"):
        if file.is_file() and not file.name.startswith("."):
            found |= set(pq.ParquetFile(file).read(columns=["path"])["path"].to_pylist())
    return found


def test_later_nights_give_the_same_bytes_without_what_was_erased(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake, untouched = tmp_path / "lake", tmp_path / "untouched"
    nights = Nights(spark, lake / "runs")
    nights.prepare("first", {**make_rows("abcdefghij", 1), "z": None}, partitions=3)
    nights.refit()
    publish(nights, lake)
    second_night(nights)  # in which e is deleted
    nights.refit()
    publish(nights, lake)
    shutil.copytree(lake, untouched)

    assert "rewritten" in erase(lake, "e")
    assert paths_in(untouched) - paths_in(lake) == {"e", '"e"'}  # in Parquet, and in a CSV
    assert paths_in(lake) - paths_in(untouched) == set()

    # The next night, in both; another image comes under the name of e.
    found = []
    for folder in (lake, untouched):
        night = Nights(spark, folder / "runs", [*nights.runs], {**nights.known}, {**nights.rows})
        third_night(night)
        night.refit()
        found.append(results(night.path(-1)))
    assert found[0] == found[1]

    # Nobody goes on from the first run, which had e: its results went with it.
    assert not (lake / "runs" / "first" / "basis" / "basis.npz").exists()
    assert (untouched / "runs" / "first" / "basis" / "basis.npz").exists()


@pytest.mark.parametrize("text", ["a", "=1+1", "+x", "-x", "@x", "\tx", "\rx", "'x", ""])
def test_a_cell_is_read_back_as_the_export_has_written_it(text: str) -> None:
    assert unescape_cell(escape_cell(text)) == text
