"""The notebook pipeline, Orchard's baseline: how teams compute image features on EMR by hand.

Two public course projects of 2024 and 2025 work like this, as do many others: ``binaryFile``, a pandas UDF
that rebuilds Keras's MobileNetV2 from broadcast weights for each task, Parquet, ``ml.PCA``, CSV. It follows
their code; where they differ, it follows the faster one (images in 24 partitions, because ``binaryFile``
creates one per 32 small images, and each rebuilds the model).

    spark-submit benchmarks/contenders/notebook_pipeline.py --images=DIR --model=DIR --output=DIR
    spark-submit benchmarks/contenders/notebook_pipeline.py --features=DIR --output=DIR      the PCA alone

Writes ``features/``, ``csv/`` and ``timings.json`` (seconds of each part) into the output folder.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras.applications import MobileNetV2
from keras.applications.mobilenet_v2 import preprocess_input
from PIL import Image
from pyspark.ml.feature import PCA
from pyspark.ml.functions import array_to_vector, vector_to_array
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812  (the field's own spelling)
from pyspark.sql.pandas.functions import pandas_udf

IMAGE_SIZE = 224
COMPONENTS = 15
PARTITIONS = 24  # of the images, as in these projects


def main(tokens: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="notebook_pipeline", allow_abbrev=False)
    parser.add_argument("--images")
    parser.add_argument("--model")
    parser.add_argument("--features")
    parser.add_argument("--output", required=True, type=Path)
    asked = parser.parse_args(tokens)
    clock = _Clock()
    spark = SparkSession.builder.getOrCreate()
    clock.note("session")
    features = asked.features
    if features is None:
        features = str(asked.output / "features")
        compute_features(spark, asked.images, asked.model).write.mode("overwrite").parquet(features)
        clock.note("features")
    write_components(spark.read.parquet(features), str(asked.output / "csv"))
    clock.note("components")
    (asked.output / "timings.json").write_text(json.dumps(clock.seconds))
    spark.stop()
    return 0


def compute_features(spark: SparkSession, images: str, model: str) -> DataFrame:
    """Return path, label and features of every image below ``images``."""
    files = (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .load(images)
        .withColumn("label", F.element_at(F.split("path", "/"), -2))
    )
    weights = spark.sparkContext.broadcast(_load_weights(model))

    @pandas_udf("array<float>")  # type: ignore[call-overload,untyped-decorator,unused-ignore]
    def featurize(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        network = _build_model(weights.value)
        for contents in batches:
            pixels = np.stack([_to_pixels(content) for content in contents])
            predicted = network.predict(pixels, verbose=0)
            yield pd.Series([row.flatten() for row in predicted])

    return files.repartition(PARTITIONS).select("path", "label", featurize("content").alias("features"))


def write_components(rows: DataFrame, folder: str) -> None:
    """Reduce to COMPONENTS with ``ml.PCA`` and write one CSV row per image."""
    vectors = rows.withColumn("vector", array_to_vector(F.col("features")))
    fitted = PCA(k=COMPONENTS, inputCol="vector", outputCol="reduced").fit(vectors)
    reduced = fitted.transform(vectors).withColumn("values", vector_to_array(F.col("reduced")))
    columns = [F.col("values")[place].alias(f"pc{place + 1}") for place in range(COMPONENTS)]
    reduced.select("path", "label", *columns).write.mode("overwrite").csv(folder, header=True)


def _load_weights(model: str) -> list[Any]:
    """Load the weights of one of Orchard's model artefacts, so that both compute the same."""
    found: list[Any] = keras.saving.load_model(f"{model}/model.keras", compile=False).get_weights()
    return found


def _build_model(weights: list[Any]) -> Any:
    shape = (IMAGE_SIZE, IMAGE_SIZE, 3)
    model = MobileNetV2(weights=None, include_top=False, pooling="avg", input_shape=shape)
    model.set_weights(weights)
    return model


def _to_pixels(content: bytes) -> Any:
    image = Image.open(io.BytesIO(content)).convert("RGB").resize((IMAGE_SIZE, IMAGE_SIZE))
    return preprocess_input(np.asarray(image, np.float32))


class _Clock:
    """Records the seconds between one note and the next."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def note(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = round(now - self._last, 3)
        self._last = now


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
