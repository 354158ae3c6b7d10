"""Common image classifiers give what transformers, timm or torchvision, with onnxruntime or torch, make of the images.

`scripts/make_parity_models.py` makes the models and asks the reference; `make parity` runs everything.
"""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess

import numpy as np
import pytest
from conftest import BACKENDS, MODELS, PAGE, ROOT, golden_of, in_spark, model_names, versions_line

IMAGES = ROOT / "dataset/all_images"
TENSOR_TOLERANCE = 1e-6
# TorchScript is frozen and optimized here, which reorders sums; the reference runs it as it is.
TOLERANCES = {"onnx": 1e-5, "pytorch": 1e-4}
# timm's, or the pipeline's of transformers, with the network in torch: ONNX Runtime adds up in another order.
FAMILY_TOLERANCE = 1e-4
# A number in float16 has three digits, and freezing a module rounds its weights once more.
HALF_TOLERANCE = 1e-2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "model" in metafunc.fixturenames:
        metafunc.parametrize("model", model_names())


def tolerance(model: str, backend: str) -> float:
    return HALF_TOLERANCE if model.endswith("-float16") else TOLERANCES[backend]


def compare(rows: dict[str, tuple[str, list[float]]], model: str, answer: str, limit: float) -> float:
    """Checks class and probabilities of every image against one of the answers in golden.json; returns the largest
    difference of a probability."""
    golden = golden_of(model)
    assert rows.keys() == golden["images"].keys()
    largest = 0.0
    for name, (label, probabilities) in rows.items():
        expected = golden["images"][name][answer]
        assert len(probabilities) == len(expected)
        largest = max(largest, float(np.abs(np.subtract(probabilities, expected)).max()))
        assert label == golden["labels"][int(np.argmax(expected))], f"{name}: {probabilities}, not {expected}"
    assert largest <= limit
    return largest


def has_family_answer(model: str) -> bool:
    return all("family" in image for image in golden_of(model)["images"].values())


def test_pixels_and_tensors(model, measured, tmp_path):
    golden = golden_of(model)
    names = list(golden["images"])
    program = ROOT / "target/release/classify-tensor"
    subprocess.run([program, MODELS / model, tmp_path, *(IMAGES / name for name in names)], check=True)
    largest = 0.0
    for name, expected in zip(names, np.load(MODELS / model / "tensors.npy"), strict=True):
        for stage in ("decoded", "resized"):
            checksum = hashlib.sha256((tmp_path / f"{name}.{stage}").read_bytes()).hexdigest()
            assert checksum == golden["images"][name][f"{stage}_sha256"], f"{name} {stage}"
        actual = np.fromfile(tmp_path / f"{name}.tensor", "<f4").reshape(expected.shape)
        largest = max(largest, float(np.abs(actual - expected).max()))
    assert largest <= TENSOR_TOLERANCE
    measured[model]["tensor"] = "equal" if largest == 0 else f"{largest:.1e}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_probabilities(model, backend, measured, tmp_path):
    golden = golden_of(model)
    table, output = tmp_path / "images.csv", tmp_path / "predictions.csv"
    table.write_text("\n".join(["image_path", *golden["images"]]) + "\n")
    subprocess.run(
        [
            *[ROOT / "target/release/classify-bench", "--images", table, "--image-dir", IMAGES, "--output", output],
            *["--model", MODELS / model, "--backend", backend, "--batch-size", "5"],
        ],
        check=True,
        capture_output=True,
    )
    with output.open(newline="") as file:
        rows = {
            row["image_path"]: (row["predicted_class"], [float(row[f"prob_{label}"]) for label in golden["labels"]])
            for row in csv.DictReader(file)
        }
    largest = compare(rows, model, backend, tolerance(model, backend))
    measured[model][backend] = "equal" if largest == 0 else f"{largest:.1e}"
    if has_family_answer(model):
        measured[model][f"{backend} family"] = f"{compare(rows, model, 'family', FAMILY_TOLERANCE):.1e}"


def test_there_are_models_of_every_kind():
    families = {name for name in model_names() if has_family_answer(name)}
    kinds = {"timm-convnext_atto", "timm-efficientnet_lite0", "timm-resnet10t", "timm-vit_tiny_patch16_224"}
    assert kinds | {"vit-multi-label", "vit-small-torchvision"} <= families, "run `make parity-models`"


SPARK = """
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
images, models, output = sys.argv[1:]
results = {}
for model, (names, backends) in json.loads(models).items():
    rows = [(name, f"{images}/{name}") for name in names]
    spark.createDataFrame(rows, "name STRING, path STRING").createOrReplaceTempView("images")
    for backend in backends:
        rows = spark.sql(f"SELECT name, classify(path, '{backend}', '{model}') AS c FROM images").collect()
        results[f"{model} {backend}"] = {row.name: (row.c["class"], list(row.c.probabilities)) for row in rows}
json.dump(results, open(output, "w"))
"""


@pytest.fixture(scope="session")
def spark_results(tmp_path_factory) -> dict[str, dict[str, tuple[str, list[float]]]]:
    """What `classify` gives in one Spark session, for all models and backends."""
    models = {str(MODELS / model): (list(golden_of(model)["images"]), list(BACKENDS)) for model in model_names()}
    return in_spark(tmp_path_factory.mktemp("spark"), SPARK, IMAGES, json.dumps(models))


@pytest.mark.parametrize("backend", BACKENDS)
def test_spark(model, backend, spark_results):
    rows = spark_results[f"{MODELS / model} {backend}"]
    compare(rows, model, backend, tolerance(model, backend))
    if has_family_answer(model):
        compare(rows, model, "family", FAMILY_TOLERANCE)


def test_the_page_speaks_of_this_model_and_these_versions(model, request):
    if request.config.getoption("--write-table"):
        pytest.skip("the page is about to be written")
    page = PAGE.read_text()
    for file in BACKENDS.values():
        assert f"| {model} | `" in page and f"| `{file}` |" in page
    assert versions_line() in page, "docs/parity.md is of other versions: run `make parity`"
