"""Common image encoders give the embeddings that transformers and torch make of the same images.

`scripts/make_parity_embeddings.py` makes the models and asks the reference; `make parity-models` runs it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from conftest import BACKENDS, EMBEDDINGS, ROOT

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
    folder = tmp_path_factory.mktemp("spark")
    script, output = folder / "embed.py", folder / "results.json"
    script.write_text(SPARK)
    models = {str(EMBEDDINGS / encoder): list(golden_of(encoder)) for encoder in encoders()}
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    done = subprocess.run(
        [
            *[Path(os.environ["SPARK_HOME"]) / "bin/spark-submit", "--master", "local[2]", "--jars", jar],
            *["--conf", "spark.sql.extensions=io.sparkclassify.ClassifyExtensions"],
            *["--conf", "spark.classify.model.allowPaths=true"],
            *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}"],
            *["--conf", "spark.ui.enabled=false", "--conf", f"spark.sql.warehouse.dir={folder}/warehouse"],
            *[script, IMAGES, json.dumps(models), json.dumps(list(BACKENDS)), output],
        ],
        cwd=folder,
        # spark-submit writes what the script says to its own standard output, errors too.
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return json.loads(output.read_text())


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
