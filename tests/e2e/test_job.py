"""The main job through spark-submit, in one JVM and on a cluster of separate executor processes."""

import json
import os
import shutil

import pytest
from conftest import BACKENDS, EXTENSION, ROOT, assert_matches_golden, read_predictions

JOB = ["--images", "dataset/image_data.csv", "--image-dir", "dataset/all_images", "--model", "model"]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("master", ["local[2]", "local-cluster[2,1,1024]"])
def test_job_matches_the_python_reference(spark_run, jar, golden, tmp_path, master, backend):
    output = tmp_path / "output_predictions"
    done = spark_run(
        "spark-submit",
        *["--master", master, "--conf", EXTENSION, "--jars", jar],
        *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}"],
        *["--class", "io.sparkclassify.ClassifyJob", jar, *JOB, "--backend", backend, "--output", output],
    )
    assert_matches_golden(read_predictions(output), golden[backend])
    assert "confusion matrix" in done.stdout.lower()
    assert "model load" in done.stdout.lower()


def test_labels_of_any_text_come_back_through_python(spark_run, jar, golden, tmp_path):
    labels = ['a\n"b",c', "crane", "Crane"]
    model = tmp_path / "model"
    shutil.copytree(ROOT / "model", model)
    (model / "config.json").write_text(json.dumps({"id2label": dict(enumerate(labels))}))
    output = tmp_path / "output"
    spark_run(
        *["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob", jar, *JOB[:4]],
        *["--model", model, "--backend", "onnx", "--output", output],
    )
    rows = read_predictions(output)
    assert rows.keys() == golden["onnx"].keys()
    columns = ['prob_a\n"b",c', "prob_crane (1)", "prob_Crane (2)"]
    for image, row in rows.items():
        assert [float(row[column]) for column in columns] == pytest.approx(golden["onnx"][image], abs=1e-4)
        assert row["predicted_class"] == labels[int(row["predicted_class_id"])]


def test_pytorch_is_the_default_and_libtorch_is_found_by_environment(spark_run, jar, golden, tmp_path):
    output = tmp_path / "output"
    spark_run(
        *["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob", jar, *JOB],
        *["--output", output],
    )
    assert_matches_golden(read_predictions(output), golden["pytorch"])


def test_missing_libtorch_names_the_key_and_the_way_out(spark_run, jar, tmp_path):
    # An empty LIBTORCH and a Python without torch: nothing is left to find.
    no_torch = tmp_path / "python3"
    no_torch.write_text("#!/bin/sh\nexit 1\n")
    no_torch.chmod(0o755)
    done = spark_run(
        *["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob", jar, *JOB],
        *["--output", tmp_path / "output"],
        env={"LIBTORCH": "", "PYSPARK_PYTHON": str(no_torch), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode != 0
    message = done.stdout + done.stderr
    assert "CLASSIFY_BACKEND_UNAVAILABLE" in message
    assert "spark.classify.torch.home" in message
    assert "onnx" in message


def test_wrong_arguments_print_the_usage(spark_run, jar):
    done = spark_run("spark-submit", "--class", "io.sparkclassify.ClassifyJob", jar, "--imagez", "x", check=False)
    assert done.returncode == 2
    assert "--imagez" in done.stderr + done.stdout
    assert "--image-dir" in done.stderr + done.stdout
