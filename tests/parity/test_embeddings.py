"""Common image encoders give the embeddings that transformers and torch make of the same images.

`scripts/make_parity_embeddings.py` makes the models and asks the reference; `make parity-models` runs it.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from conftest import BACKENDS, EMBEDDINGS, ROOT, in_spark

IMAGES = ROOT / "dataset/all_images"
TOLERANCE = 1e-5

SPARK = """
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
images, models, backends, output = sys.argv[1:]
results = {}
for model, names in json.loads(models).items():
    rows = [(name, f"{images}/{name}") for name in names]
    spark.createDataFrame(rows, "name STRING, path STRING").createOrReplaceTempView("images")
    for backend in json.loads(backends):
        rows = spark.sql(f"SELECT name, embed_image(path, '{backend}', '{model}') AS e FROM images").collect()
        results[f"{model} {backend}"] = {row.name: list(row.e) for row in rows}
json.dump(results, open(output, "w"))
"""


def encoders() -> list[str]:
    return sorted(path.parent.name for path in EMBEDDINGS.glob("*/golden.json"))


def golden_of(encoder: str) -> dict[str, list[float]]:
    return json.loads((EMBEDDINGS / encoder / "golden.json").read_text())["images"]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> dict[str, dict[str, list[float]]]:
    """What `embed_image` gives in one Spark session, for all models and backends."""
    models = {str(EMBEDDINGS / encoder): list(golden_of(encoder)) for encoder in encoders()}
    arguments = [IMAGES, json.dumps(models), json.dumps(list(BACKENDS))]
    return in_spark(tmp_path_factory.mktemp("spark"), SPARK, *arguments)


def test_there_are_encoders():
    assert {"clip", "resnet", "siglip", "vit-cls", "vit-mean"} <= set(encoders()), "run `make parity-models`"


@pytest.mark.parametrize("encoder", encoders())
def test_random_weights_tell_images_apart(encoder):
    assert np.std(list(golden_of(encoder).values()), axis=0).mean() > 1e-3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("encoder", encoders())
def test_embeddings(encoder, backend, results, embedded):
    golden, actual = golden_of(encoder), results[f"{EMBEDDINGS / encoder} {backend}"]
    assert actual.keys() == golden.keys()
    largest = 0.0
    for name, expected in golden.items():
        assert len(actual[name]) == len(expected)
        # Where they are not normalised, the size of the numbers counts.
        difference = np.abs(np.subtract(actual[name], expected)).max() / max(1.0, np.abs(expected).max())
        assert difference <= TOLERANCE, f"{name}: {difference}"
        largest = max(largest, difference)
    embedded[encoder][backend] = largest
