"""The contenders in Scala (`benchmarks/jvm`): becomes their JVM. Arguments: class path, kind, and what all have."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

BUILD = Path(__file__).resolve().parents[1] / "jvm/build"
# As Spark's own launcher gives it to a JVM on JDK 17.
OPENED = ("java.lang", "java.lang.invoke", "java.net", "java.nio", "java.util", "java.util.concurrent", "sun.nio.ch")
OPTIONS = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in (*OPENED, "sun.util.calendar")]


def main() -> None:
    libraries, *arguments = sys.argv[1:]
    file = BUILD / f"{libraries}.classpath"
    if not file.exists():
        raise SystemExit(f"FileNotFoundError: {file}: run `gradle -p benchmarks/jvm`")
    java = shutil.which("java") or "java"
    # Through the environment: a class path this long is too much for some who read the command line.
    os.environ["CLASSPATH"] = file.read_text(encoding="utf-8")
    os.execv(java, [java, "-Xmx2g", *OPTIONS, "benchmarks.Contender", *arguments])


if __name__ == "__main__":
    main()
