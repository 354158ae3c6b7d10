"""The code that the pages show runs as it is shown: SQL, Python, Scala and Java, each block of it.

A block that cannot be run says why in a comment before it: `<!-- not run: … -->`. The paths and models that the pages
name stand for files of the repository.
"""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from conftest import CLASSES, ROOT
from pages import blocks, in_language

# What the pages call it, and what takes its place.
FILES = {
    "/images/card.jpg": "dataset/all_images/id_0001.jpg",
    "/images/card-small.jpg": "dataset/all_images/id_0003.jpg",
    "/images/query.jpg": "dataset/all_images/id_0003.jpg",
    "/models/clip-vit-base-patch32": "tests/golden/colour-embedding",
    "/models/clip": "tests/golden/colour-embedding",
    "/models/id-card": "model",
    "/models/resnet50": "tests/golden/colour-model",
}
# What an application that runs the pages has been told of, beside the model.
MODELS = {"small": "tests/golden/colour-model", "large": "model", "clip": "tests/golden/colour-embedding"}
ONNX = ["--conf", "spark.classify.model=model", "--conf", "spark.classify.backend=onnx"]
SHOWN = ["sql", "python", "scala", "java", "json"]

RUN_SQL = r"""
import json, sys
from pyspark.sql import SparkSession

pages, answers = json.load(open(sys.argv[1])), {}
spark = SparkSession.builder.getOrCreate()
for page, blocks in pages.items():
    session = spark.newSession()
    # The table that most pages classify, where they do not make it.
    if not any("VIEW images" in statement for _, statements in blocks for statement in statements):
        files = session.read.format("binaryFile").load("dataset/all_images/id_000*")
        files.selectExpr("path", "content").createOrReplaceTempView("images")
    for place, statements in blocks:
        for statement in statements:
            try:
                answers.setdefault(place, []).append(len(session.sql(statement).collect()))
            except Exception as error:
                answers[place] = f"{statement}: {error}"
                break
    for table in session.catalog.listTables():
        if not table.isTemporary:
            session.sql(f"DROP TABLE {table.name}")
json.dump(answers, open(sys.argv[2], "w"))
"""


def statements(sql: str) -> list[str]:
    """The statements of a block, without comments, over files that are there."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--")]
    text = "\n".join(lines)
    for name, file in FILES.items():
        text = text.replace(name, str(ROOT / file))
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def test_every_block_of_code_is_in_a_language_that_a_test_runs():
    """Those of commands are checked in test_commands.py, and what has no language is output, or a drawing."""
    known = {"", "sh", "dockerfile", *SHOWN}
    for block in blocks():
        assert block.language in known or block.reason, f"{block}: nothing runs {block.language}"


def test_sql_runs(spark_run, jar, tmp_path):
    pages: dict[str, list[tuple[str, list[str]]]] = {}
    for block in in_language("sql"):
        if block.reason is None:
            pages.setdefault(block.page, []).append((str(block), statements(block.text)))
    assert {"docs/start/sql.md", "docs/sql.md", "docs/embeddings.md"} <= pages.keys()
    script, questions, answers = tmp_path / "run.py", tmp_path / "pages.json", tmp_path / "answers.json"
    script.write_text(RUN_SQL)
    questions.write_text(json.dumps(pages))
    named = [word for name, path in MODELS.items() for word in ("--conf", f"spark.classify.models.{name}={path}")]
    catalog = ["--conf", "spark.sql.catalogImplementation=in-memory"]
    spark_run(
        "spark-submit", "--master", "local[2]", "--jars", jar, *ONNX, *named, *catalog, script, questions, answers
    )
    results = json.loads(answers.read_text())
    assert not {place: result for place, result in results.items() if isinstance(result, str)}
    assert results.keys() == {place for page in pages.values() for place, _ in page}


@pytest.mark.parametrize("block", in_language("python"), ids=str)
def test_python_compiles(block):
    compile(block.text, str(block), "exec")


def test_python_of_the_start_page_runs(spark_run, jar, tmp_path):
    """The blocks one after the other, as who reads the page types them into a notebook."""
    program = tmp_path / "page.py"
    program.write_text("\n".join(block.text for block in in_language("python", "docs/start/") if block.reason is None))
    package = {"PYTHONPATH": str(ROOT / "python/src")}
    done = spark_run("spark-submit", "--master", "local[2]", "--jars", jar, *ONNX, program, env=package)
    assert "valid_id" in done.stdout and "no/such.jpg" in done.stdout


def test_scala_of_the_start_page_runs(spark_run, jar):
    program = "\n".join(block.text for block in in_language("scala", "docs/start/") if block.reason is None)
    done = spark_run("spark-shell", "--master", "local[2]", "--jars", jar, *ONNX, stdin=program)
    assert "valid_id" in done.stdout
    # The shell goes on after an error, and says so.
    assert "error:" not in done.stdout and "Exception" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_java_of_the_start_page_runs(spark_run, jar, tmp_path):
    (block,) = in_language("java", "docs/start/")
    (tmp_path / "Cards.java").write_text(block.text)
    class_path = f"{os.environ['SPARK_HOME']}/jars/*"
    subprocess.run(["javac", "-classpath", class_path, "-d", tmp_path, tmp_path / "Cards.java"], check=True)
    subprocess.run(["jar", "--create", "--file", tmp_path / "cards.jar", "-C", tmp_path, "Cards.class"], check=True)
    master = ["--conf", "spark.master=local[2]"]
    done = spark_run("spark-submit", *master, "--jars", jar, *ONNX, "--class", "Cards", tmp_path / "cards.jar")
    assert sum(done.stdout.count(name) for name in CLASSES) == 5


@pytest.mark.parametrize("block", in_language("json"), ids=str)
def test_json_can_be_read(block):
    json.loads(block.text)
