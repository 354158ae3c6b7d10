"""Every example, by the command that examples/README.md names, and the shells of `make`."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

README = ROOT / "examples/README.md"
COMMANDS = dict(re.findall(r"^\| \[([^]]+)\]\([^)]+\) \|[^|]*\| `(.+)` \|$", README.read_text(), re.M))
REFERENCE = next((ROOT / ".venv-reference/lib").glob("python3.*/site-packages"), None)


@pytest.fixture
def shell(tmp_path, jar):
    """Runs a line of the README as its reader would who has installed the package and Spark."""
    programs = tmp_path / "bin"
    programs.mkdir()
    home = os.environ["SPARK_HOME"]
    for name, command in {
        "python": [sys.executable],
        "spark-classify": [sys.executable, "-m", "spark_classify"],
        "jupyter": [sys.executable, "-m", "jupyter"],
        **{name: [f"{home}/bin/{name}"] for name in ("spark-sql", "spark-submit")},
    }.items():
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        (programs / name).chmod(0o755)
    # Tables, logs and what Java keeps go into the folder of the test. SPARK_CONF_DIR would change the class path, and
    # with it take away the archive of tests/short_jvms.py.
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": tmp_path / "warehouse",
        "spark.local.dir": tmp_path / "local",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:memory:{tmp_path.name};create=true",
    }
    options = shlex.join(f"-D{key}={value}" for key, value in settings.items())

    def run(command: str, *, cwd: Path = ROOT, stdin: str = "", **variables: str) -> str:
        environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "python/src"),
            "SPARK_SUBMIT_OPTS": options,
            **variables,
        }
        done = subprocess.run(
            *[["bash", "-euo", "pipefail", "-c", command]],
            cwd=cwd,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
        return done.stdout

    return run


def rows(output: str) -> list[list[str]]:
    """What spark-sql prints, a row a line, without what it says of SET."""
    return [line.split("\t") for line in output.splitlines() if not line.startswith("spark.")]


def test_the_readme_has_every_example():
    files = {str(path.relative_to(README.parent)) for path in README.parent.rglob("*.*") if path.is_file()}
    helpers = {"README.md", "images.sql", *(name for name in files if name.startswith("kubernetes/"))}
    assert {name for name in files - helpers if "checkpoint" not in name} == set(COMMANDS)


def test_classify_sql(shell, golden):
    output = rows(shell(COMMANDS["classify.sql"]))
    matrix = {(row[0], row[1]): int(row[2]) for row in output if len(row) == 3 and row[2].isdigit()}
    assert sum(matrix.values()) == len(golden["onnx"]) == 120
    accuracy = sum(count for (actual, predicted), count in matrix.items() if actual == predicted) / 120
    assert [str(round(accuracy, 3))] in output
    least = [row for row in output if row[0].startswith("dataset/all_images/")]
    confidences = sorted(max(values) for values in golden["onnx"].values())[:5]
    assert [float(row[2]) for row in least] == pytest.approx(confidences, abs=1e-3)


def test_several_models_sql(shell, golden):
    output = rows(shell(COMMANDS["several_models.sql"]))
    classes = {row[1] for row in output if len(row) == 3}
    assert classes <= {"crop_and_replace", "font_issue", "valid_id"}
    topk = [row for row in output if len(row) == 3 and re.fullmatch(r"[\d.E-]+", row[2])]
    first = [row for row in topk if row[0].endswith("id_0001.jpg")]
    assert first[0][1] == "font_issue" and len(topk) == 6
    valid = sum(values.index(max(values)) == 2 for values in golden["onnx"].values())
    assert sum(int(row[1]) for row in output if len(row) == 2 and row[0] in ("red", "green", "blue")) == valid


def test_near_duplicates_sql(shell):
    pairs = rows(shell(COMMANDS["near_duplicates.sql"]))
    assert pairs and all(len(pair) == 3 and pair[0] < pair[1] and 0 <= int(pair[2]) <= 6 for pair in pairs)


def test_search_sql(shell):
    found = rows(shell(COMMANDS["search.sql"]))
    assert found[0] == ["dataset/all_images/id_0001.jpg", "1.0"] and len(found) == 5


def test_dbt_model(shell):
    assert rows(shell(COMMANDS["dbt/predictions.sql"])) == [["120"]], "no row of the test, and all rows of the table"


def test_classify_py(shell):
    output = shell(COMMANDS["classify.py"])
    assert "CLASSIFY_BAD_IMAGE 22000" in output
    assert "\n[CLASSIFY_BAD_IMAGE] cannot use dataset/image_data.csv: " in output
    assert "Traceback" not in output and "font_issue" in output


def test_ml_pipeline_py(shell, golden, tmp_path):
    saved = tmp_path / "pipeline"
    output = shell(COMMANDS["ml_pipeline.py"].replace("/tmp/cards-pipeline", str(saved)))
    measured = dict(line.rsplit(" ", 1) for line in output.splitlines())
    with (ROOT / "dataset/image_data.csv").open() as file:
        actual = {row["image_path"]: int(row["actual_class_id"]) for row in csv.DictReader(file)}
    right = sum(values.index(max(values)) == actual[image] for image, values in golden["onnx"].items())
    loss = -sum(math.log(values[actual[image]]) for image, values in golden["onnx"].items())
    assert float(measured["accuracy"]) == round(right / 120, 4)
    assert float(measured["logLoss"]) == pytest.approx(loss / 120, abs=1e-3)
    assert 1 / 3 <= float(measured["on colours"]) <= 1 and (saved / "metadata").is_dir()


def test_watch_folder_py(shell, tmp_path):
    folder, predictions = tmp_path / "images", tmp_path / "predictions"
    shutil.copytree(ROOT / "dataset/all_images", folder)
    command = COMMANDS["watch_folder.py"].replace("/tmp/predictions", str(predictions))
    command = command.replace("dataset/all_images", str(folder))

    def written() -> list[dict[str, str]]:
        return [json.loads(line) for part in predictions.glob("part-*.json") for line in part.open()]

    shell(command)
    assert len(written()) == 120 and all("class" in row for row in written())
    # Spark's binaryFile takes files of any name.
    shutil.copy(ROOT / "dataset/image_data.csv", folder / "broken.png")
    shell(command)
    (broken,) = [row for row in written() if "error" in row]
    assert len(written()) == 121, "nothing twice"
    assert broken["path"].endswith("broken.png") and broken["error"].startswith("[CLASSIFY_BAD_IMAGE]")


def test_connect_client_py(shell, connect_server):
    with connect_server("--conf", "spark.classify.models.cards=model") as url:
        output = shell(COMMANDS["connect_client.py"].replace("sc://localhost:15002", url))
    assert output.count("dataset/all_images/id_") == 5
    assert "CLASSIFY_BAD_CONFIGURATION: [CLASSIFY_BAD_CONFIGURATION] unknown model 'passports'" in output


def test_java(shell, tmp_path):
    command = COMMANDS["java/ClassifyImages.java"]
    for name in ("/tmp/classes", "/tmp/classify-images.jar"):
        command = command.replace(name, str(tmp_path / Path(name).name))
    output = shell(command)
    counts = [
        int(count) for count in re.findall(r"\|(?:font_issue|valid_id|crop_and_replace) *\|false *\|(\d+)", output)
    ]
    assert sum(counts) == 120


@pytest.mark.skipif(REFERENCE is None, reason="`make reference` installs torch, which the notebook trains with")
def test_own_model_notebook(shell, tmp_path):
    notebook = tmp_path / "examples/own_model.ipynb"
    notebook.parent.mkdir()
    shutil.copy(ROOT / "examples/own_model.ipynb", notebook)
    (tmp_path / "dataset").symlink_to(ROOT / "dataset")
    command = COMMANDS["own_model.ipynb"].replace(" execute ", " execute --inplace ")
    paths = os.pathsep.join([str(ROOT / "python/src"), str(REFERENCE)])
    shell(command, cwd=tmp_path, PYTHONPATH=paths, IPYTHONDIR=str(tmp_path / "ipython"))
    cells = json.loads(notebook.read_text())["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = ["".join(output.get("text", output.get("data", {}).get("text/plain", ""))) for output in outputs]
    said = "\n".join(texts)
    assert re.search(r"model.onnx, batches of 8 .* 32 of 32", said) and "my-model: model.onnx" in said
    assert any(re.fullmatch(r"120 images, [\d,.]+ images/s, 0 bad", text) for text in texts), said
    assert "[CLASSIFY_BAD_IMAGE] cannot use" in said and "Py4J" not in said
    accuracy = next(float(text) for text in texts if re.fullmatch(r"[01]\.\d+", text))
    assert accuracy > 0.5


SHELLS = {
    "spark-sql": ("SELECT count(*), count(classify(path).class) FROM images;\n", "120\t120"),
    "pyspark": (
        'print("found", images.select(sc.classify("path").alias("c")).where("c.class IS NOT NULL").count())\n',
        "found 120",
    ),
    "spark-shell": (
        'println("found " + images.selectExpr("classify(path).class AS c").where("c IS NOT NULL").count())\n',
        "found 120",
    ),
}


@pytest.mark.parametrize("name", SHELLS)
def test_shells_over_the_dataset(shell, name):
    question, answer = SHELLS[name]
    recipe = re.search(rf"^{name}: .*\n\t@(.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert answer in shell(recipe[1], stdin=question)
