"""The text of every error condition, as users of SQL and of PySpark see it, against `tests/golden/errors.json`.

Whoever changes a text reads it there next to the others: each names the thing, the reason and the way out. With
ERRORS=write in the environment the file is written again.
"""

from __future__ import annotations

import json
import os
import re

import pytest
from conftest import ROOT, python_conf, run_client
from PIL import Image

GOLDEN = ROOT / "tests/golden/errors.json"
CONDITIONS = ROOT / "spark-udf-jvm/src/main/resources/io/sparkclassify/error-conditions.json"
COLOUR = "SET spark.classify.model=tests/golden/colour-model"
IMAGE = "dataset/all_images/id_0001.jpg"
# No SQL comes to these: a bug has no known cause, and the process of the second one is ending.
UNPROVOKED = ["CLASSIFY_INTERNAL_ERROR", "CLASSIFY_SHUTTING_DOWN"]

# What each application is started with, and by name the statements whose last one fails. Each has a session of its own.
OPEN = {
    "spark.classify.torch.home": "/no/such/torch",
    "spark.classify.image.maxBytes": "1m",
}
LOCKED = {"spark.classify.models.locked": "true", "spark.classify.models.cards": "model"}
CASES = {
    "open": {
        "no model": [f"SELECT classify('{IMAGE}')"],
        "no model, but others": ["SET spark.classify.models.cards=model", f"SELECT classify('{IMAGE}')"],
        "unknown model": [COLOUR, f"SELECT classify('{IMAGE}', model => 'cards')"],
        "path for a model": [COLOUR, f"SELECT classify('{IMAGE}', model => '/models/cards')"],
        "two slashes": ["SET spark.classify.model=//models/cards", f"SELECT classify('{IMAGE}')"],
        "server of a local model": ["SET spark.classify.model=file://host/cards", f"SELECT classify('{IMAGE}')"],
        "no URI": ["SET spark.classify.model=a:b:/c", f"SELECT classify('{IMAGE}')"],
        "unknown backend": [COLOUR, f"SELECT classify('{IMAGE}', 'tensorflow')"],
        "precision of another backend": [COLOUR, "SET spark.classify.precision=bf16", "SELECT classify('x', 'onnx')"],
        "limit above that of the application": [
            COLOUR,
            "SET spark.classify.image.maxBytes=2m",
            f"SELECT classify('{IMAGE}', 'onnx')",
        ],
        "no class asked for": [COLOUR, f"SELECT classify_topk('{IMAGE}', 0, 'onnx')"],
        "unknown parameter": [COLOUR, f"SELECT classify('{IMAGE}', modell => 'cards')"],
        "no libtorch": [COLOUR, f"SELECT classify('{IMAGE}', 'pytorch')"],
        "no such GPU": [COLOUR, "SET spark.classify.device=cuda:998", f"SELECT classify('{IMAGE}', 'onnx')"],
        "no model directory": ["SET spark.classify.model={work}/none", f"SELECT classify('{IMAGE}', 'onnx')"],
        "empty model directory": ["SET spark.classify.model={work}/empty", f"SELECT classify('{IMAGE}', 'onnx')"],
        "broken configuration": ["SET spark.classify.model={work}/broken", f"SELECT classify('{IMAGE}', 'onnx')"],
        "no file for the precision": [
            COLOUR,
            "SET spark.classify.precision=int8",
            f"SELECT classify('{IMAGE}', 'onnx')",
        ],
        "no embeddings": [COLOUR, f"SELECT embed_image('{IMAGE}', 'onnx')"],
        "engine that fails": [
            "SET spark.classify.model=tests/golden/failing-model",
            "SELECT classify('{work}/red.png')",
        ],
        "no file": [COLOUR, "SELECT classify('no/such.jpg', 'onnx')"],
        "no file to hash": [COLOUR, "SELECT image_hash('no/such.jpg')"],
        "directory": [COLOUR, "SELECT classify('{work}', 'onnx')"],
        "scheme": [COLOUR, "SELECT classify('https://host/a.jpg', 'onnx')"],
        "large file": [COLOUR, "SELECT classify('{work}/large.jpg', 'onnx')"],
        "no image": [COLOUR, "SELECT classify('{work}/text.png', 'onnx')"],
        "no image in BINARY": [COLOUR, "SELECT classify(X'00010203', 'onnx')"],
        "pixels": [COLOUR, "SET spark.classify.image.maxPixels=65536", "SELECT classify('{work}/red.png', 'onnx')"],
    },
    "locked": {
        "locked models": [COLOUR, f"SELECT classify('{IMAGE}', 'onnx')"],
    },
}

# For a classic session (an empty URL) or one of Connect: what PySpark makes of each error.
SCRIPT = r"""
import json, sys
from pyspark.errors import AnalysisException, PySparkException, SparkRuntimeException
from pyspark.sql import SparkSession

if sys.argv[1]:
    import spark_classify  # A classic session needs nothing of it to have one-line errors.

url, cases, unprovoked, answers = sys.argv[1], json.load(open(sys.argv[2])), json.loads(sys.argv[3]), sys.argv[4]
spark = None if url else SparkSession.builder.getOrCreate()

def outcome(statements):
    session = spark_classify.register(SparkSession.builder.remote(url).create()) if url else spark.newSession()
    try:
        for statement in statements[:-1]:
            session.sql(statement)
        try:
            return {"message": "no error: " + str(session.sql(statements[-1]).collect())}
        except PySparkException as error:
            kinds = {"analysis": AnalysisException, "run time": SparkRuntimeException}
            return {
                "kind": next((name for name, kind in kinds.items() if isinstance(error, kind)), type(error).__name__),
                "condition": error.getCondition(),
                "state": error.getSqlState(),
                "parameters": dict(error.getMessageParameters()),
                "message": str(error),
            }
    finally:
        if url:
            session.stop()

results = {name: outcome(statements) for name, statements in cases.items()}
for condition in unprovoked:
    error = spark._jvm.io.sparkclassify.ClassifyException(condition, "what is wrong")
    results[condition] = {"message": error.getMessage()}
json.dump(results, open(answers, "w"))
"""


@pytest.fixture
def work(tmp_path):
    """The files that the statements name."""
    folder = tmp_path / "work"
    for name in ["empty", "broken"]:
        (folder / name).mkdir(parents=True)
    (folder / "broken/config.json").write_text("{")
    (folder / "text.png").write_text("this is no picture")
    (folder / "large.jpg").write_bytes(bytes((1 << 20) + 1))
    Image.new("RGB", (300, 300), "red").save(folder / "red.png")
    return folder


def plain(message: str, work) -> str:
    """The message without what is of this machine, and without the plan that Spark adds to some."""
    for place, name in [(work, "{work}"), (ROOT, "{root}")]:
        message = message.replace(str(place), name)
    # Why there is no such GPU: there is none, or there are others.
    message = re.sub(r"(device cuda:998: ).*( \(spark\.classify\.device\))", r"\1{reason}\2", message)
    return message.split(";\n")[0]


def conf(settings: dict[str, str]) -> list[str]:
    return [part for key, value in settings.items() for part in ("--conf", f"{key}={value}")]


@pytest.fixture
def ask(work, tmp_path):
    """Runs the cases of an application by `run`, which is given the script's arguments, and gives what came of each."""

    def ask(application: str, run, url: str = "", unprovoked: tuple[str, ...] = ()) -> dict[str, dict[str, str]]:
        script, questions, answers = tmp_path / "errors.py", tmp_path / "cases.json", tmp_path / "answers.json"
        script.write_text(SCRIPT)
        questions.write_text(json.dumps(CASES[application]).replace("{work}", str(work)))
        run(script, url, questions, json.dumps(unprovoked), answers)
        outcomes = json.loads(answers.read_text())
        for outcome in outcomes.values():
            outcome["message"] = plain(outcome["message"], work)
        return outcomes

    return ask


def check(outcomes: dict[str, dict[str, str]]) -> None:
    """Each is one of PySpark's typed exceptions, with the condition, its state and its parameter, in one line."""
    assert {name: outcome["message"] for name, outcome in outcomes.items()} == {
        name: message for name, message in json.loads(GOLDEN.read_text()).items() if name in outcomes
    }, "ERRORS=write writes the file again"
    conditions = json.loads(CONDITIONS.read_text())
    for name, outcome in outcomes.items():
        if name in UNPROVOKED:
            continue
        message = outcome["message"]
        condition = re.match(r"\[(\w+)\]", message).group(1)
        assert outcome["condition"] == condition, name
        assert outcome["state"] == conditions[condition]["sqlState"], name
        assert list(outcome["parameters"]) == ["message"], name
        assert outcome["kind"] == ("analysis" if "; line 1 pos " in message else "run time"), name
        assert "\n" not in message, name


def test_every_condition_says_what_is_wrong_and_the_way_out(spark_run, jar, ask):
    outcomes = {}
    for settings, application in zip([OPEN, LOCKED], CASES, strict=True):
        options = ["--master", "local[1]", "--jars", jar, *python_conf(), *conf(settings)]
        unprovoked = UNPROVOKED if application == "open" else []
        outcomes |= ask(application, lambda *words: spark_run("spark-submit", *options, *words), "", unprovoked)  # noqa: B023

    if os.environ.get("ERRORS") == "write":
        messages = {name: outcome["message"] for name, outcome in outcomes.items()}
        GOLDEN.write_text(json.dumps(messages, indent=2) + "\n")
    check(outcomes)
    shown = {re.match(r"\[(\w+)\]", outcome["message"]).group(1) for outcome in outcomes.values()}
    assert shown == set(json.loads(CONDITIONS.read_text()))


@pytest.mark.parametrize(("application", "settings"), [("open", OPEN), ("locked", LOCKED)])
def test_clients_of_connect_get_the_same(connect_server, ask, monkeypatch, application, settings):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "python/src"))
    with connect_server(*conf(settings)) as url:
        check(ask(application, run_client, url))
