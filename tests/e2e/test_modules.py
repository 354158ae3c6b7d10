"""Every TorchScript module of tests/cases/torch with 8 tasks at once: refused, or the same in every task and round."""

from __future__ import annotations

import csv
import json
import subprocess

import pytest
from conftest import EXTENSION, ROOT

FOLDER = ROOT / "tests/cases/torch"
CHANGES, TRAINS, WORKS = "take that out of forward", "model.eval()", "allowAllOperators"
# By which a module comes to what it was made with, to change it.
WAYS = ["atleast", "dequantize", "dict", "einsum", "list", "split", "tuple", "type_as"]
REFUSED = {
    **dict.fromkeys(["assign", "counter", "feature", "memory", "holder", "inner", "traced_batch_norm"], CHANGES),
    **{f"changes_{way}": CHANGES for way in WAYS},
    **dict.fromkeys(["dropping", "traced_dropout", "batch_norm_alone"], TRAINS),
    **dict.fromkeys(["reads", "writes", "writes_at_load", "writes_in_fork"], WORKS),
    "random": "other numbers for the same image in each run",
}
# batch_norm_script is put out of train mode when it is loaded, and one_image runs one image at a time.
ACCEPTED = ["plain", "forked", "helper", "own", "batch_norm_script", "one_image", "one_image_inside", "named_tuple"]
ACCEPTED += ["nan_for_dark", "odd_pooling", "quantized", "scripted_linear"]
TASKS = 8
# Each module runs in some rounds of that many tasks at once, and the control in more.
ROUNDS = {name: 40 if name == "plain" else 2 for name in [*REFUSED, *ACCEPTED]}
IMAGES = sorted((ROOT / "dataset/all_images").glob("*.jpg"))[: 2 * TASKS]

SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

refused, accepted, paths, tasks, rounds, answers = map(json.loads, sys.argv[1:])
spark = SparkSession.builder.getOrCreate()
frame = spark.createDataFrame([(path,) for path in paths], "path string").repartition(tasks).cache()
frame.count()

def rows(name):
    spark.conf.set("spark.classify.model", f"tests/cases/torch/{name}")
    found = frame.selectExpr("path", "classify(path, 'pytorch').probabilities AS p").collect()
    return {row.path: row.p for row in found}

errors, results = {}, {}
for name in refused:
    errors[name] = set()
    for _ in range(rounds[name]):
        try:
            errors[name].add(f"no error: {rows(name)}")
        except Exception as error:
            errors[name].add(str(error))
for name in accepted:
    results[name] = [rows(name) for _ in range(rounds[name])]
json.dump([{name: list(texts) for name, texts in errors.items()}, results], open(answers, "w"))
"""


def test_every_module_is_tested():
    assert {folder.name for folder in FOLDER.iterdir() if folder.is_dir()} == {*REFUSED, *ACCEPTED}


def test_modules_in_spark(spark_run, jar, tmp_path):
    script, answers = tmp_path / "script.py", tmp_path / "answers.json"
    script.write_text(SCRIPT)
    questions = [list(REFUSED), ACCEPTED, list(map(str, IMAGES)), TASKS, ROUNDS, str(answers)]
    spark_run(
        *["spark-submit", "--master", f"local[{TASKS}]", "--jars", jar, "--conf", EXTENSION],
        *["--conf", f"spark.driver.extraJavaOptions=-XX:ErrorFile={tmp_path}/hs_err"],
        *[script, *map(json.dumps, questions)],
    )
    errors, results = json.loads(answers.read_text())
    for name, reason in REFUSED.items():
        assert errors[name], name
        for error in errors[name]:
            assert "CLASSIFY_BAD_MODEL" in error and reason in error, (name, error)
    for name in ACCEPTED:
        first = results[name][0]
        assert first.keys() == set(map(str, IMAGES)) and len(results[name]) == ROUNDS[name]
        for row in results[name]:
            for path, probabilities in row.items():
                assert probabilities == pytest.approx(first[path], abs=1e-6), (name, path)
    assert not (tmp_path / "hs_err").exists()


def bench(name: str, *options: object) -> subprocess.CompletedProcess:
    command = [
        ROOT / "target/release/classify-bench",
        "--images",
        ROOT / "dataset/all_images",
        "--model",
        FOLDER / name,
    ]
    return subprocess.run([*map(str, command), *map(str, options)], capture_output=True, text=True)


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_module_in_classify_bench(name):
    done = bench(name, "--tasks", TASKS)
    assert done.returncode == 2, done
    assert f"cases/torch/{name}" in done.stderr and REFUSED[name] in done.stderr, done.stderr


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_accepted_module_in_classify_bench(name, tmp_path):
    def probabilities(output, *options) -> dict[str, list[float]]:
        done = bench(name, "--batch-size", 4, "--output", tmp_path / output, *options)
        assert done.returncode == 0, done.stderr
        with (tmp_path / output).open(newline="") as file:
            rows = list(csv.DictReader(file))
        return {row["image_path"]: [float(row[f"prob_c{at}"]) for at in range(12)] for row in rows}

    alone = probabilities("alone.csv")
    together = probabilities("together.csv", "--tasks", TASKS, "--repeat", 3)
    assert together.keys() == alone.keys()
    for image, expected in alone.items():
        assert together[image] == pytest.approx(expected, abs=1e-6), image
