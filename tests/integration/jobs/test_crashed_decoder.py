"""An image that kills whatever decodes it, in a job of which every process is real."""

import subprocess
from pathlib import Path

import pyarrow.parquet as pq

from orchard_jobs.contract import FeaturizeJob
from tests.support import image_encoders as make
from tests.support.jobs.submitting import submit_command

FRAGILE = """
import os, signal, simplejpeg

decode = simplejpeg.decode_jpeg

def decode_or_die(data, *args, **options):
    if data.endswith(b"deadly"):
        os.kill(os.getpid(), signal.SIGSEGV)
    return decode(data, *args, **options)

simplejpeg.decode_jpeg = decode_or_die
"""
"""Every Python of the job begins with it: a decoder with a bug, which a file meets on purpose."""


def test_an_image_that_kills_its_worker_twice_is_rejected_and_the_others_count(
    model_uri: str, tmp_path: Path
) -> None:
    (tmp_path / "fragile").mkdir()
    (tmp_path / "fragile" / "sitecustomize.py").write_text(FRAGILE)
    images = tmp_path / "images" / "plum"
    images.mkdir(parents=True)
    for number in range(4):
        (images / f"{number}.jpg").write_bytes(make.good(number))
    (images / "deadly.jpg").write_bytes(make.jpeg() + b"deadly")
    job = FeaturizeJob(
        images=f"file://{tmp_path}/images",
        model=model_uri,
        output=f"file://{tmp_path}/run",
        max_failure_ratio=0.2,
    )

    command, environment = submit_command(job, tmp_path / "fragile")
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )

    assert done.returncode == 0, done.stderr[-4000:]
    rows = pq.read_table(tmp_path / "run" / "features").to_pylist()
    statuses = {row["path"]: row["status"] for row in rows}
    assert statuses.pop("plum/deadly.jpg") == "crashed_decoder"
    assert list(statuses.values()) == ["ok"] * 4
