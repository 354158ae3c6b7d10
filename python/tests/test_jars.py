"""Which jar fits which Spark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import spark_classify
from spark_classify import jars
from spark_classify.cli import main
from spark_classify.errors import ClassifyError

NATIVES = "spark-classify-natives-linux-x86_64-0.1.0.jar"
LINES = ["spark3.5_2.12", "spark3.5_2.13", "spark4_2.13"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Jars as a wheel has them; their names are what counts here."""
    made = tmp_path / "jars"
    made.mkdir()
    for name in [NATIVES, *(f"spark-classify-{line}-0.1.0.jar" for line in LINES)]:
        (made / name).touch()
    return made


def spark_home(tmp_path: Path, spark: str, scala: str) -> Path:
    (tmp_path / "spark/jars").mkdir(parents=True)
    (tmp_path / f"spark/jars/spark-core_{scala}-{spark}.jar").touch()
    return tmp_path / "spark"


@pytest.mark.parametrize(
    ("spark", "scala", "line"),
    [
        ("3.5.0", "2.12", "spark3.5_2.12"),
        ("3.5.9", "2.13", "spark3.5_2.13"),
        ("4.0.0", "2.13", "spark4_2.13"),
        ("4.1.1", "2.13", "spark4_2.13"),
        ("4.4.0-SNAPSHOT", "2.13", "spark4_2.13"),
    ],
)
def test_the_installed_spark_decides(folder, tmp_path, monkeypatch, spark, scala, line):
    monkeypatch.setenv("SPARK_HOME", str(spark_home(tmp_path, spark, scala)))
    assert jars.installed_spark() == (spark, scala)
    names = [path.name for path in jars.jar_paths(folder=folder)]
    assert names == [f"spark-classify-{line}-0.1.0.jar", NATIVES]


def test_a_version_without_its_scala_will_do_where_one_jar_fits(folder):
    assert jars.jar_paths("4.2.1", folder=folder)[0].name == "spark-classify-spark4_2.13-0.1.0.jar"
    with pytest.raises(ClassifyError, match=r"several jars fit Spark 3\.5\.1: .*Scala 2\.12.*Scala 2\.13"):
        jars.jar_paths("3.5.1", folder=folder)


@pytest.mark.parametrize(
    ("spark", "scala"), [("3.4.4", "2.12"), ("40.0.0", "2.13"), ("3.50.1", "2.12"), ("4.1.1", "3")]
)
def test_none_fits_names_what_there_is(folder, spark, scala):
    with pytest.raises(ClassifyError) as caught:
        jars.jar_paths(spark, scala, folder=folder)
    assert str(caught.value) == (
        f"no jar for Spark {spark} with Scala {scala}: there are those for Spark 3.5 with Scala 2.12, "
        "Spark 3.5 with Scala 2.13, Spark 4 with Scala 2.13"
    )


def test_no_jars_at_all_says_where_they_come_from(tmp_path):
    with pytest.raises(ClassifyError, match=r"holds no jars: .*wheel.*io\.sparkclassify:"):
        jars.jar_paths("4.1.1", folder=tmp_path)


def test_a_spark_that_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    with pytest.raises(ClassifyError, match=r"there is no Spark in .*spark-core"):
        jars.installed_spark()


def test_paths_as_spark_takes_them(folder, tmp_path, monkeypatch, capsys):
    odd = tmp_path / "a b#c"
    folder.rename(odd)
    monkeypatch.setattr(jars, "_FOLDER", odd)
    assert main(["jars", "--spark", "4.1.1"]) == 0
    uris = capsys.readouterr().out.strip().split(",")
    assert uris == [f"file://{tmp_path}/a%20b%23c/{name}" for name in ("spark-classify-spark4_2.13-0.1.0.jar", NATIVES)]
    odd.rename(tmp_path / "a,b")
    monkeypatch.setattr(jars, "_FOLDER", tmp_path / "a,b")
    assert main(["jars", "--spark", "4.1.1"]) == 1
    assert "comma" in capsys.readouterr().err


def test_importing_it_needs_nothing_but_python():
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import spark_classify;"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    source = Path(spark_classify.__file__).parents[1]
    command = [sys.executable, "-I", "-S", "-c", program, str(source)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "['__main__', 'spark_classify']"


def test_sources_take_the_jar_that_was_built_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(jars, "_FOLDER", tmp_path / "none")
    monkeypatch.setattr(jars, "__file__", str(tmp_path / "python/src/spark_classify/jars.py"))
    (tmp_path / "Cargo.toml").touch()
    with pytest.raises(ClassifyError, match="holds no jars"):
        jars.jar_paths("4.1.1")
    built = tmp_path / "spark-udf-jvm/build/libs/spark-classify_2.13-0.1.0.jar"
    built.parent.mkdir(parents=True)
    built.touch()
    assert jars.jar_paths("4.1.1") == [built]
