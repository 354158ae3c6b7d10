"""From an empty machine to the first answer, timed: by the wheel, and by --packages.

    python scripts/first_query.py

The machine has a JDK and Python, and nothing of Spark: pyspark comes from the package index, and each way has a home
folder and package caches of its own, which are empty. What `make package` built comes from its folders, as from an
index and a repository nearby.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT = ROOT / "target/package"
IMAGE = ROOT / "dataset/all_images/id_0001.jpg"
QUERY = f"SELECT classify('{IMAGE}', 'onnx').class"
PROGRAM = f"""
import spark_classify
print(spark_classify.start({str(ROOT / "model")!r}, **{{"spark.ui.enabled": "false"}}).sql({QUERY!r}).first()[0])
"""


def main() -> None:
    (core,) = (Path(os.environ["SPARK_HOME"]) / "jars").glob("spark-core_*.jar")
    spark = core.stem.rpartition("-")[2]
    print(f"Spark {spark}, {len(os.sched_getaffinity(0))} cores")
    wheel(f"pyspark=={spark}")
    packages(f"pyspark=={spark}")


def wheel(pyspark: str) -> None:
    with tempfile.TemporaryDirectory() as home:
        step = steps("wheel", home)
        python = step("virtual environment", [sys.executable, "-m", "venv", "venv"], "venv/bin/python")
        (file,) = (BUILT / "wheels").glob(f"*_{os.uname().machine}.whl")
        step("pip install pyspark", [python, "-m", "pip", "install", "--quiet", pyspark])
        step("pip install spark-classify", [python, "-m", "pip", "install", "--quiet", str(file)])
        step("first query", [python, "-c", PROGRAM])
        step("another, from a new process", [python, "-c", PROGRAM])


def packages(pyspark: str) -> None:
    (pom,) = (BUILT / "maven").rglob("spark-classify-spark4_*.pom")
    with tempfile.TemporaryDirectory() as home:
        step = steps("--packages", home)
        python = step("virtual environment", [sys.executable, "-m", "venv", "venv"], "venv/bin/python")
        step("pip install pyspark", [python, "-m", "pip", "install", "--quiet", pyspark])
        sql = ["venv/bin/spark-sql", "--conf", "spark.ui.enabled=false"]
        sql += ["--packages", f"io.sparkclassify:{pom.parents[1].name}:{pom.parent.name}"]
        sql += ["--repositories", (BUILT / "maven").as_uri(), "--conf", f"spark.classify.model={ROOT / 'model'}"]
        step("first query", [*sql, "-e", QUERY])
        step("another, from a new process", [*sql, "-e", QUERY])


def steps(way: str, home: str) -> Callable[..., str]:
    """Runs commands in a folder that is their home, and prints what each took and all together."""
    ours = {"SPARK_HOME", "PYTHONPATH", "PYSPARK_PYTHON", "PIP_CACHE_DIR"}
    environment = {key: value for key, value in os.environ.items() if key not in ours}
    environment |= {
        # As in an environment that is activated: Spark's launchers look for `python3`.
        "PATH": f"{home}/venv/bin:{environment['PATH']}",
        "HOME": home,
        "XDG_CACHE_HOME": f"{home}/.cache",
        "SPARK_SUBMIT_OPTS": f"-Duser.home={home}",
    }
    start = time.perf_counter()

    def step(what: str, command: list[str], result: str = "") -> str:
        before = time.perf_counter()
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{what} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
        now = time.perf_counter()
        answer = done.stdout.split()[-1:] if "-m" not in command else []
        print(f"{way:11} {what:28} {now - before:6.1f} s {now - start:8.1f} s  {' '.join(answer)}", flush=True)
        return str(Path(home, result)) if result else ""

    return step


if __name__ == "__main__":
    main()
