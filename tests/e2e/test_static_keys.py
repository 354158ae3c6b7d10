"""Static keys on servers that users share: no user of the Thrift server or of Spark Connect changes what code runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import EXTENSION, ROOT
from standalone import free_port, wait_for

STATIC = ["torch.home", "onnxruntime.library", "onnxruntime.home", "native.dir"]
SPELLINGS = ["SET {key}={value}", "set  {key} = {value} ", "SET `{key}`=`{value}`", "SET {key} {value}"]


def planted(folder: Path) -> str:
    """An ONNX Runtime and a libtorch that leave a file behind when they are loaded."""
    source = folder / "planted.c"
    source.write_text(
        f"""#include <fcntl.h>
        __attribute__((constructor)) static void ran(void) {{ open("{folder}/ran", O_CREAT | O_WRONLY, 0600); }}"""
    )
    library = folder / "lib"
    library.mkdir()
    (folder / "build-version").write_text("2.11.0\n")
    for name in ["libtorch_cpu.so", "libc10.so", "libonnxruntime.so"]:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library / name, source], check=True)
    return str(folder)


def attack(evil: str, image: str) -> list[str]:
    """Statements that try to have the planted libraries loaded, each followed by calls of both backends."""
    values = {
        "torch.home": evil,
        "onnxruntime.library": f"{evil}/lib/libonnxruntime.so",
        "onnxruntime.home": evil,
        "native.dir": f"{evil}/natives",
    }
    keys = {f"spark.classify.{name}": value for name, value in values.items()}
    calls = [f"SELECT try_classify(path, '{backend}').class_id AS c FROM paths" for backend in ["onnx", "pytorch"]]
    properties = ", ".join(f"'view.sqlConfig.{key}'='{value}'" for key, value in keys.items())
    statements = [f"CREATE OR REPLACE TEMPORARY VIEW here AS SELECT '{image}' AS path"]
    statements += [f"CREATE TABLE paths AS SELECT '{image}' AS path"]
    for number, call in enumerate(calls):
        statements += [f"CREATE VIEW v{number} AS {call}", f"ALTER VIEW v{number} SET TBLPROPERTIES ({properties})"]
    statements += [line.format(key=key, value=value) for key, value in keys.items() for line in SPELLINGS]
    statements += [f"SELECT * FROM v{number}" for number in range(len(calls))] + calls
    return [*statements, "SELECT concat('answered ', count(*)) FROM v0"]


# What the application has, and what its users then try, each with what is said of it, if it is refused.
LIMITED = {"spark.classify.models.locked": "true", "spark.classify.image.maxBytes": "10m"}
CALL = "SELECT classify(path, 'onnx').class_id FROM paths"
REFUSED = [
    ("SET spark.classify.model=/other/model", None),
    (CALL, "spark.classify.models.locked"),
    ("SET spark.classify.model=model", None),
    ("SET spark.classify.models.mine=/other/model", None),
    ("SELECT classify(path, 'onnx', 'mine').class_id FROM paths", "spark.classify.models.locked"),
    ("ALTER VIEW v0 SET TBLPROPERTIES ('view.sqlConfig.spark.classify.model'='/other/model')", None),
    ("SELECT * FROM v0", "spark.classify.models.locked"),
    ("SET spark.classify.image.maxBytes=1b", "It must be from 65536 bytes"),
    ("SET spark.classify.image.maxBytes=1g", None),
    (CALL, "the application was started with 10485760"),
    ("SET spark.classify.image.maxBytes=10m", None),
    ("ALTER VIEW v1 SET TBLPROPERTIES ('view.sqlConfig.spark.classify.image.maxBytes'='1g')", None),
    ("SELECT * FROM v1", "the application was started with 10485760"),
    ("ALTER VIEW v1 SET TBLPROPERTIES ('view.sqlConfig.spark.classify.image.maxBytes'='1b')", None),
    ("SELECT * FROM v1", "It must be from 65536 bytes"),
    ("SET fs.defaultFS=http://127.0.0.1:1/", None),
    (CALL, "http"),
]


@contextmanager
def server(tmp_path, jar, main_class: str, port: int, settings: dict[str, object]):
    log = tmp_path / "server.log"
    settings = {
        "spark.classify.model": "model",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": f"{tmp_path}/warehouse",
        "spark.local.dir": f"{tmp_path}/local",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:memory:{tmp_path.name};create=true",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={tmp_path}",
        **settings,
    }
    command = [str(Path(os.environ["SPARK_HOME"]) / "bin/spark-submit"), "--master", "local[2]", "--class", main_class]
    for key, value in settings.items():
        command += ["--conf", f"{key}={value}"]
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--jars", str(jar), "spark-internal"],
            cwd=ROOT,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for(port, process, log)
        yield log
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=60)


def test_thrift_server(jar, golden, tmp_path):
    (tmp_path / "evil").mkdir()
    evil = planted(tmp_path / "evil")
    image = str(ROOT / "dataset/all_images" / next(iter(golden["onnx"])))
    port = free_port()
    settings = {
        "spark.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hive.server2.thrift.port": port,
        "spark.hadoop.hive.server2.thrift.bind.host": "127.0.0.1",
        "spark.hadoop.hive.server2.thrift.port": port,
        **LIMITED,
    }
    statements = tmp_path / "attack.sql"
    statements.write_text(";\n".join(attack(evil, image) + [statement for statement, _ in REFUSED]) + ";\n")
    in_url = "&".join(f"spark.classify.{name}={evil}" for name in STATIC)
    with server(tmp_path, jar, "org.apache.spark.sql.hive.thriftserver.HiveThriftServer2", port, settings) as log:
        urls = [f"jdbc:hive2://127.0.0.1:{port}/default", f"jdbc:hive2://127.0.0.1:{port}/default?{in_url}"]
        for url in urls:
            done = subprocess.run(
                [str(Path(os.environ["SPARK_HOME"]) / "bin/beeline"), "-u", url, "--force=true", "-f", str(statements)],
                capture_output=True,
                text=True,
                timeout=300,
            )
            if url == urls[0]:
                assert "answered 1" in done.stdout, done.stdout[-4000:] + done.stderr[-4000:] + log.read_text()[-4000:]
                errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
                for reason in {reason for _, reason in REFUSED if reason is not None}:
                    expected = sum(reason == other for _, other in REFUSED)
                    assert sum(reason in error for error in errors) >= expected, (reason, errors)
        assert not (tmp_path / "evil/ran").exists(), "a planted library was loaded"
        assert not (tmp_path / "evil/natives").exists(), "libraries were unpacked where a user said"


CLIENT = r"""
import json, sys
from pyspark.sql import SparkSession

address, statements, static, evil, answers = sys.argv[1:]
builder = SparkSession.builder.remote(address)
for name in json.loads(static):
    builder = builder.config(f"spark.classify.{name}", evil)
spark = builder.getOrCreate()
outcomes = []
for statement in json.load(open(statements)):
    try:
        outcomes.append(str(spark.sql(statement).collect()))
    except Exception as error:
        outcomes.append(f"{type(error).__name__}: {error}")
for name in json.loads(static):
    try:
        spark.conf.set(f"spark.classify.{name}", evil)
        outcomes.append("set")
    except Exception as error:
        outcomes.append(f"{type(error).__name__}: {error}")
json.dump(outcomes, open(answers, "w"))
spark.stop()
"""


def test_connect(jar, golden, tmp_path):
    (tmp_path / "evil").mkdir()
    evil = planted(tmp_path / "evil")
    image = str(ROOT / "dataset/all_images" / next(iter(golden["onnx"])))
    port = free_port()
    settings = {"spark.connect.grpc.binding.address": "127.0.0.1", "spark.connect.grpc.binding.port": port}
    settings |= LIMITED
    client, statements, answers = tmp_path / "client.py", tmp_path / "attack.json", tmp_path / "answers.json"
    client.write_text(CLIENT)
    statements.write_text(json.dumps(attack(evil, image) + [statement for statement, _ in REFUSED]))
    with server(tmp_path, jar, "org.apache.spark.sql.connect.service.SparkConnectServer", port, settings) as log:
        environment = {key: value for key, value in os.environ.items() if key not in ("SPARK_HOME", "JAVA_HOME")}
        command = [sys.executable, str(client), f"sc://127.0.0.1:{port}", str(statements), json.dumps(STATIC), evil]
        done = subprocess.run([*command, str(answers)], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-4000:] + log.read_text()[-4000:]
        outcomes = json.loads(answers.read_text())
        assert not (tmp_path / "evil/ran").exists(), "a planted library was loaded"
        assert not (tmp_path / "evil/natives").exists(), "libraries were unpacked where a user said"
    assert any("answered 1" in outcome for outcome in outcomes), outcomes
    refused = outcomes[-len(STATIC) :]
    assert all(outcome != "set" for outcome in refused), refused
    for (statement, reason), outcome in zip(REFUSED, outcomes[-len(STATIC) - len(REFUSED) :], strict=False):
        assert reason is None or reason in outcome, (statement, outcome)


@pytest.mark.parametrize("locale", ["POSIX", "C.UTF-8"])
def test_a_name_that_the_locale_cannot_express(spark_run, jar, tmp_path, locale):
    model = tmp_path / "modèle"
    model.symlink_to(ROOT / "model")
    image = sorted((ROOT / "dataset/all_images").glob("*.jpg"))[0]
    (tmp_path / "über.jpg").symlink_to(image)
    script, answers = tmp_path / "names.py", tmp_path / "answers.json"
    script.write_text(
        f"""
import json
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
answers = []
for model, image in [("model", {str(tmp_path / "über.jpg")!r}), ({str(model)!r}, {str(image)!r})]:
    spark.conf.set("spark.classify.model", model)
    try:
        answers.append(str(spark.sql(f"SELECT classify('{{image}}', 'onnx').class_id AS c").collect()[0].c))
    except Exception as error:
        answers.append(str(error))
json.dump(answers, open({str(answers)!r}, "w"))
""",
        encoding="utf-8",
    )
    environment = {"LC_ALL": locale, "PYTHONUTF8": "1"}
    spark_run("spark-submit", "--master", "local[1]", "--jars", jar, "--conf", EXTENSION, script, env=environment)
    image_answer, model_answer = json.loads(answers.read_text())
    assert image_answer.isdigit(), image_answer
    if locale == "POSIX":
        assert "LC_ALL=C.UTF-8" in model_answer and "CLASSIFY_" in model_answer
    else:
        assert model_answer.isdigit(), model_answer
