"""Spark's own examples, by the names that `run-example` takes: `SparkPi`, `ml.KMeansExample`."""

from __future__ import annotations

from pathlib import Path


def find_python_example(spark_home: Path | None, name: str) -> Path | None:
    """Find the Python example for the name of one in Scala or Java; None if there is none.

    `SparkPi` and `JavaSparkPi` are `pi.py`, `ml.KMeansExample` is `ml/kmeans_example.py`.
    """
    if spark_home is None or not name:
        return None
    root = spark_home / "examples" / "src" / "main" / "python"
    *packages, simple = name.removeprefix("org.apache.spark.examples.").split(".")
    wanted = simple.removeprefix("Java").removeprefix("Spark").lower()
    scripts = sorted(root.joinpath(*packages).glob("*.py"))
    return next((script for script in scripts if script.stem.replace("_", "") == wanted), None)
