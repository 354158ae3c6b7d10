"""The wheels of `make package`: what is in them, and the first query after `pip install`."""

from __future__ import annotations

import csv
import email
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, assert_matches_golden, read_predictions
from packages import artifacts, line_of, own_wheel, spark_home, spark_release, wheels

LINES = [line_of(folder.parent.name) for folder in artifacts()]
# What a user's first program does.
FIRST_QUERY = """
import csv, sys
from pyspark.sql import SparkSession
import spark_classify

root, output = sys.argv[1:]
builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
spark = spark_classify.configure(builder, model=f"{root}/model").getOrCreate()
images = spark.read.csv(f"{root}/dataset/image_data.csv", header=True)
images.createOrReplaceTempView("images")
rows = spark.sql(f"SELECT image_path, classify('{root}/dataset/all_images/' || image_path, 'onnx') c FROM images")
with open(output, "w", newline="") as file:
    writer = csv.writer(file)
    for row in rows.collect():
        writer.writerow([row.image_path, row.c["class"], row.c.class_id, *row.c.probabilities])
"""


@pytest.mark.parametrize("wheel", wheels(), ids=lambda wheel: wheel.name)
def test_what_is_in_a_wheel(wheel):
    assert wheel.stat().st_size < 100_000_000
    machine = re.search(r"manylinux_2_\d+_(x86_64|aarch64)$", wheel.stem)[1]
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        jars = sorted(Path(name).name for name in names if name.endswith(".jar"))
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
        natives = archive.read(f"spark_classify/jars/{jars[0]}")
        classes = {name: archive.read(f"spark_classify/jars/{name}") for name in jars[1:]}
    version = email.message_from_string(metadata)["Version"]
    assert jars == sorted(
        [
            f"spark-classify-natives-linux-{machine}-{version}.jar",
            *(f"spark-classify-{line}-{version}.jar" for line in LINES),
        ]
    )
    assert {"spark_classify/py.typed", "spark_classify/functions.py"} <= set(names)
    licences = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE", "THIRD-PARTY-LICENSES.txt"}
    folder = f"native/linux-{machine}"
    libraries = {
        f"{folder}/{name}" for name in ("libonnxruntime.so", "libspark_classify_onnx.so", "libspark_classify_torch.so")
    }
    assert {name for name in entries(natives) if name.startswith("native/")} == libraries
    # One copy of the libraries: none is in the jars of classes.
    for name, content in classes.items():
        assert "io/sparkclassify/ClassifyExtensions.class" in entries(content), name
        assert not [entry for entry in entries(content) if entry.startswith("native/")], name


def entries(jar: bytes) -> list[str]:
    import io

    with zipfile.ZipFile(io.BytesIO(jar)) as archive:
        return archive.namelist()


def test_its_metadata():
    with zipfile.ZipFile(own_wheel()) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_string(archive.read(name).decode())
        points = archive.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["Name"] == "spark-classify"
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.10"
    assert set(metadata.get_all("Provides-Extra")) == {"export", "spark"}
    # Without an extra it brings nothing: a cluster has its pyspark.
    assert all("extra ==" in required for required in metadata.get_all("Requires-Dist"))
    assert "configure" in metadata.get_payload()
    assert "spark-classify = spark_classify.cli:main" in points


def clean_environment(**more: str) -> dict[str, str]:
    """The environment of someone who has no more than a JDK and the virtual environment."""
    ours = {"SPARK_HOME", "LIBTORCH", "PYSPARK_PYTHON", "PYTHONPATH", "ORT_DYLIB_PATH", "PYSPARK_SUBMIT_ARGS"}
    kept = {key: value for key, value in os.environ.items() if key not in ours}
    return {**kept, "SPARK_LOCAL_IP": "127.0.0.1", **more}


@pytest.fixture(scope="module", params=LINES)
def python(request, tmp_path_factory) -> Path:
    """The Python of a new virtual environment with the wheel and the pyspark that one of its jars is for."""
    folder = tmp_path_factory.mktemp("venv")
    release = spark_release(spark_home(request.param))
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        f"pyspark=={release}",
        str(own_wheel()),
    ]
    subprocess.run([str(folder / "bin/python"), *install], check=True)
    return folder / "bin/python"


# One Spark is enough for what does not depend on it.
ON_DEFAULT = pytest.mark.parametrize("python", LINES[-1:], indirect=True)


def run(python: Path, program: str, *arguments: object, folder: Path, check: bool = True, **environment: str):
    script = folder / "program.py"
    script.write_text(program)
    command = [str(python), str(script), *map(str, arguments)]
    variables = clean_environment(**environment)
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=300)
    assert not check or done.returncode == 0, done.stdout[-4000:] + done.stderr[-8000:]
    return done


def test_the_first_query(python, golden, tmp_path, request):
    output = tmp_path / "rows.csv"
    # The package pyspark 3.5 has Scala 2.12; with 2.13 its Spark is one that SPARK_HOME names.
    line = request.node.callspec.params["python"]
    home = {"SPARK_HOME": str(spark_home(line))} if line == "spark3.5_2.13" else {}
    run(python, FIRST_QUERY, ROOT, output, folder=tmp_path, **home)
    with output.open(newline="") as file:
        rows = {row[0]: row[1:] for row in csv.reader(file)}
    assert rows.keys() == golden["onnx"].keys()
    for image, expected in golden["onnx"].items():
        label, class_id, *probabilities = rows[image]
        assert list(map(float, probabilities)) == pytest.approx(expected, abs=1e-4), image
        assert int(class_id) == max(range(3), key=expected.__getitem__), (image, label)


@ON_DEFAULT
def test_jars_of_the_user_are_kept(python, tmp_path):
    """Those of the builder; and where it has none, those of spark-defaults.conf."""
    for name in ("mine", "defaults"):
        with zipfile.ZipFile(tmp_path / f"{name}.jar", "w") as jar:
            jar.writestr(f"{name}.txt", name)
    (tmp_path / "spark-defaults.conf").write_text(f"# ours\nspark.jars   {tmp_path}/defaults.jar\n")
    program = """
import sys, spark_classify
from pyspark.sql import SparkSession
builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
if sys.argv[1] != "defaults":
    builder = builder.config("spark.jars", sys.argv[2])
spark = spark_classify.configure(builder).getOrCreate()
loader = spark._jvm.Thread.currentThread().getContextClassLoader()
assert loader.getResource(f"{sys.argv[1]}.txt") is not None
assert spark.catalog.functionExists("classify")
try:
    spark_classify.start()
except spark_classify.ClassifyError as error:
    print(error)
"""
    for name in ("mine", "defaults"):
        jar = tmp_path / f"{name}.jar"
        done = run(python, program, name, jar, folder=tmp_path, SPARK_CONF_DIR=str(tmp_path))
        assert "runs in this Python process already" in done.stdout


@ON_DEFAULT
@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"PYSPARK_SUBMIT_ARGS": "--jars a.jar pyspark-shell"}, "PYSPARK_SUBMIT_ARGS has --jars"),
        ({"PYSPARK_SUBMIT_ARGS": "--conf spark.jars=a.jar pyspark-shell"}, "PYSPARK_SUBMIT_ARGS has spark.jars"),
        ({"PYSPARK_SUBMIT_ARGS": "--conf=spark.jars=a.jar pyspark-shell"}, "PYSPARK_SUBMIT_ARGS has spark.jars"),
        ({"SPARK_REMOTE": "sc://example.org"}, "is a Spark Connect server"),
    ],
)
def test_jars_that_would_not_come_to_spark_are_refused(python, tmp_path, environment, message):
    done = run(python, "import spark_classify; spark_classify.start()", folder=tmp_path, check=False, **environment)
    assert f"spark_classify.errors.ClassifyError: {environment.get('SPARK_REMOTE', '')}" in done.stderr
    assert message in done.stderr


@ON_DEFAULT
def test_a_submitted_program_has_the_jars_of_spark_submit(python, tmp_path):
    """With --jars of `spark-classify jars` it starts; without, the error says so."""
    (tmp_path / "job.py").write_text(
        "import sys, spark_classify\n"
        "spark = spark_classify.start(sys.argv[1], **{'spark.sql.shuffle.partitions': '3'})\n"
        "assert spark.conf.get('spark.sql.shuffle.partitions') == '3'\n"
        "print('backend', spark.sql(\"SELECT classify(NULL, 'onnx')\").count())\n"
    )
    bin = python.parent
    environment = clean_environment(PYSPARK_PYTHON=str(python), PATH=f"{bin}:{os.environ['PATH']}")
    jars = subprocess.run(
        [str(python), "-m", "spark_classify", "jars"], check=True, env=environment, capture_output=True, text=True
    )
    for options, code, output in ([["--jars", jars.stdout.strip()], 0, "backend 1"], [[], 1, "--packages"]):
        submit = [str(bin / "spark-submit"), "--master", "local[1]", "--conf", "spark.ui.enabled=false", *options]
        command = [*submit, str(tmp_path / "job.py"), str(ROOT / "model")]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == code, done.stderr[-8000:]
        assert output in done.stdout + done.stderr


@pytest.fixture(scope="module")
def two_jars(tmp_path_factory) -> list[Path]:
    """The jar of classes for the Spark of .venv, and that of the native libraries."""
    # A blank in the path comes to Spark as it should.
    folder = tmp_path_factory.mktemp("jars of someone")
    with zipfile.ZipFile(own_wheel()) as archive:
        archive.extractall(folder)
    found = (folder / "spark_classify/jars").glob("*.jar")
    return sorted(jar for jar in found if re.match(r"spark-classify-(natives|spark4_)", jar.name))


WAYS = {
    "jars": lambda jars: ["--jars", ",".join(jar.as_uri() for jar in jars)],
    "class path": lambda jars: [
        *["--driver-class-path", ":".join(map(str, jars))],
        *["--conf", f"spark.executor.extraClassPath={':'.join(map(str, jars))}"],
    ],
    "userClassPathFirst": lambda jars: [
        *["--jars", ",".join(jar.as_uri() for jar in jars), "--conf", "spark.driver.userClassPathFirst=true"],
        *["--conf", "spark.executor.userClassPathFirst=true"],
    ],
}


@pytest.mark.parametrize("way", WAYS)
def test_two_jars_do_what_one_does(two_jars, golden, tmp_path, way):
    """The classes find the libraries in the other jar, in the driver (which reads the model) and in executors."""
    command = [
        str(spark_home(LINES[-1]) / "bin/spark-submit"),
        *["--master", "local-cluster[2,1,1024]", "--conf", "spark.ui.enabled=false", *WAYS[way](two_jars)],
        *["--class", "io.sparkclassify.ClassifyJob", "spark-internal"],
        *["--images", "dataset/image_data.csv", "--image-dir", "dataset/all_images", "--model", "model"],
        *["--backend", "onnx", "--output", str(tmp_path / "out")],
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-12000:]
    assert_matches_golden(read_predictions(tmp_path / "out"), golden["onnx"])


def test_classes_without_natives_say_what_is_missing(two_jars, tmp_path):
    (classes,) = (jar for jar in two_jars if "natives" not in jar.name)
    query = f"SELECT classify('{ROOT}/dataset/all_images/id_0001.jpg', 'onnx')"
    command = [str(spark_home(LINES[-1]) / "bin/spark-sql"), "--master", "local[1]", "--jars", str(classes)]
    command += ["--conf", "spark.ui.enabled=false", "--conf", f"spark.classify.model={ROOT}/model", "-e", query]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    for part in ("CLASSIFY_BACKEND_UNAVAILABLE", "native/linux-x86_64/libonnxruntime.so", "natives jar"):
        assert part in done.stdout + done.stderr
