"""An image that kills whatever decodes it, in a job of which every process is real."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pyspark

from orchard_jobs.contract import FeaturizeJob
from tests.support import image_encoders as make
from tests.support.checkout import ROOT
from tests.support.spark_cluster import QUICK_JVM, spark_environment

SPARK_HOME = Path(pyspark.__file__).parent

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

    done = submit(job, tmp_path)

    assert done.returncode == 0, done.stderr[-4000:]
    rows = pq.read_table(tmp_path / "run" / "features").to_pylist()
    statuses = {row["path"]: row["status"] for row in rows}
    assert statuses.pop("plum/deadly.jpg") == "crashed_decoder"
    assert list(statuses.values()) == ["ok"] * 4


def submit(job: FeaturizeJob, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[2,4]"]
    command += ["--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1"]
    command += [str(ROOT / "spark_jobs" / "run.py"), *job.command]
    environment = spark_environment(SPARK_HOME, Path(sys.executable)) | {"JAVA_TOOL_OPTIONS": QUICK_JVM}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder / "fragile"), str(ROOT / "spark_jobs")])
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
