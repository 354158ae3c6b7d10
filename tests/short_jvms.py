"""Options for the many short JVMs of the tests, most of whose time is loading and compiling the same classes again.

With an archive of Spark's classes, and without the optimizing compiler, a job over the committed images took 12 s
instead of 27 (two cores, AMD EPYC without AVX-512). An empty JDK_JAVA_OPTIONS in the environment takes both away.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What takes long to compile pays only in JVMs that live for minutes.
QUICK = "-XX:TieredStopAtLevel=1"


def java_options(jar: Path) -> str:
    """What `JDK_JAVA_OPTIONS` is to hold. The archive is made first where there is none for this Spark and Java."""
    archive = class_archive(jar)
    # Else a JVM of another class path, as that of Spark's launcher, would warn on its output, which is compared.
    return f"{QUICK} -XX:SharedArchiveFile={archive} -Xlog:disable" if archive.exists() else QUICK


def class_archive(jar: Path) -> Path:
    """The archive (a dynamic one, JEP 350) of the classes that a job loads; it is not there before Java 13."""
    spark, java_home = Path(os.environ["SPARK_HOME"]), os.environ.get("JAVA_HOME")
    java = f"{java_home}/bin/java" if java_home else "java"
    version = subprocess.run([java, "-version"], check=True, capture_output=True, text=True).stderr
    jars = sorted((jar.name, jar.stat().st_mtime_ns) for jar in spark.glob("jars/*.jar"))
    key = hashlib.sha256(repr((version, str(spark), jars)).encode()).hexdigest()[:16]
    archive = ROOT / f"target/test-classes/{key}.jsa"
    if not archive.exists():
        archive.parent.mkdir(parents=True, exist_ok=True)
        made = archive.with_suffix(f".{os.getpid()}")
        with tempfile.TemporaryDirectory() as folder:
            submit = "--master local[2] --conf spark.ui.enabled=false --class io.sparkclassify.ClassifyJob"
            job = "--images dataset/image_data.csv --image-dir dataset/all_images --model model --backend onnx"
            command = [f"{spark}/bin/spark-submit", *submit.split(), jar, *job.split(), "--output", f"{folder}/out"]
            # A Java that is too old does not start with the option: then there is no archive, and no harm.
            environment = {**os.environ, "JDK_JAVA_OPTIONS": f"-XX:ArchiveClassesAtExit={made}"}
            subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        if made.exists():
            made.rename(archive)
    return archive
