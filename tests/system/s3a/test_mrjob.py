"""mrjob makes a cluster, adds a Spark step at once and reads what it wrote: unchanged, and on real S3A."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from local_emr.authentication import Endpoint
from tests.support.checkout import ROOT
from tests.support.s3a.buckets import LAKE
from tests.support.s3a.server import S3Server

JOB = ROOT / "tests" / "support" / "s3a" / "mrjob_wordcount.py"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="mrjob imports what Python 3.13 has no more")
def test_a_spark_job_of_mrjobs_counts_words(emr: Endpoint, s3_server: S3Server, tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("apple pear apple\nquince apple\n")
    options = {
        "region": "us-east-1",
        "emr_endpoint": emr.url,
        "s3_endpoint": s3_server.url,
        "cloud_tmp_dir": f"s3://{LAKE}/mrjob/",
        "iam_instance_profile": "EMR_EC2_DefaultRole",
        "iam_service_role": "EMR_DefaultRole",
        "check_cluster_every": 1,
        "ssh_tunnel": False,
    }
    (tmp_path / "mrjob.conf").write_text(json.dumps({"runners": {"emr": options}}))
    command = [sys.executable, str(JOB), "-r", "emr", "--conf-path", "mrjob.conf", "in.txt"]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["apple\t3", "pear\t1", "quince\t1"]
    client = boto3.client("emr")
    cluster_id = client.list_clusters()["Clusters"][0]["Id"]
    (step,) = client.list_steps(ClusterId=cluster_id)["Steps"]
    assert step["Status"]["State"] == "COMPLETED"
