"""Spark properties with which an EMR node reads S3."""

from tests.support.jars import JARS
from tests.support.spark_cluster import QUICK_JVM


def node_defaults(s3_url: str) -> dict[str, str]:
    """Return Spark properties like an EMR node's own: S3A for s3://, and the S3 endpoint."""
    return {
        "spark.driver.extraClassPath": f"{JARS['s3a'].folder}/*",
        "spark.executor.extraClassPath": f"{JARS['s3a'].folder}/*",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "spark.hadoop.fs.s3a.endpoint": s3_url,
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.driver.extraJavaOptions": QUICK_JVM,
    }
