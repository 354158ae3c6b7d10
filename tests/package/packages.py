"""What `make package` built, or what PACKAGE_DIR names, and the releases of Spark that it is tried on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from package import LINES, OUTPUT

REPOSITORY = OUTPUT / "maven"


def artifacts() -> list[Path]:
    """The folders of the Maven artifacts."""
    found = sorted(pom.parent for pom in REPOSITORY.rglob("*.pom"))
    assert found, f"{REPOSITORY} has no artifact: run `make package`"
    return found


def wheels() -> list[Path]:
    """The wheels, one a platform."""
    found = sorted((OUTPUT / "wheels").glob("*.whl"))
    assert found, f"{OUTPUT}/wheels has no wheel: run `make package`"
    return found


def own_wheel() -> Path:
    """The wheel for this machine."""
    (wheel,) = (wheel for wheel in wheels() if wheel.stem.endswith(f"_{os.uname().machine}"))
    return wheel


def line_of(artifact: str) -> str:
    """The line of Spark and Scala that an artifactId names."""
    return artifact.removeprefix("spark-classify-")


def spark_home(line: str) -> Path:
    """A Spark that the artifact of a line is for: the one that it was compiled for, installed first if it is not."""
    release = LINES[line]
    if release is None:
        return Path(os.environ["SPARK_HOME"])
    command = [ROOT / "scripts/spark_home.sh", release]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())


def spark_release(home: Path) -> str:
    """The release that is in a SPARK_HOME."""
    (core,) = (home / "jars").glob("spark-core_*.jar")
    return core.stem.rpartition("-")[2]
