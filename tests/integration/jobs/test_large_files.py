"""Many files of almost the largest size: a worker holds a few of them at a time, and never all."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.processes import run_watched
from orchard_jobs.contract import FeaturizeJob
from tests.support import image_encoders as make
from tests.support.jobs.submitting import submit_command

SIZE = 63 * 2**20
GOOD = JUNK = 32
MOST = 900
"""Megabytes that a worker may take: twice 64 MiB of files, one more, the model, and Spark's own."""


def test_a_worker_with_64_files_of_63_mb_stays_within_its_memory(model_uri: str, tmp_path: Path) -> None:
    images = tmp_path / "images" / "melon"
    images.mkdir(parents=True)
    for number in range(GOOD):
        with (images / f"good {number}.jpg").open("wb") as file:
            file.writelines(in_comments(make.good(number)))
    for number in range(JUNK):
        with (images / f"junk {number}.jpg").open("wb") as file:
            file.truncate(SIZE)
    job = FeaturizeJob(
        images=f"file://{tmp_path}/images",
        model=model_uri,
        output=f"file://{tmp_path}/run",
        max_failure_ratio=1.0,
    )

    cost = run_watched(*submit_command(job), tmp_path / "log")

    rows = pq.read_table(tmp_path / "run" / "features").to_pylist()
    statuses = {row["path"].split("/")[1].split()[0]: row["status"] for row in rows}
    assert len(rows) == GOOD + JUNK
    assert statuses == {"good": "ok", "junk": "not_an_image"}
    assert 0 < cost.memory["worker"] < MOST


def in_comments(jpeg: bytes) -> Iterator[bytes]:
    """Yield a JPEG with as many comments behind its first marker as fill SIZE: as good a picture."""
    yield jpeg[:2]
    left = SIZE - len(jpeg)
    while left > 4:
        length = min(left - 2, 0xFFFF)
        yield b"\xff\xfe" + struct.pack(">H", length) + bytes(length - 2)
        left -= length + 2
    yield jpeg[2:]
