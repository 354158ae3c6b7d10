"""What `make package` built, and the releases of Spark that it is tried on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from conftest import ROOT

BUILT = ROOT / "target/package"
REPOSITORY = BUILT / "maven"


def artifacts() -> list[Path]:
    """The folders of the Maven artifacts."""
    found = sorted(pom.parent for pom in REPOSITORY.rglob("*.pom"))
    assert found, f"{REPOSITORY} has no artifact: run `make package`"
    return found


def wheels() -> list[Path]:
    """The wheels, one a platform."""
    found = sorted((BUILT / "wheels").glob("*.whl"))
    assert found, f"{BUILT}/wheels has no wheel: run `make package`"
    return found


def own_wheel() -> Path:
    """The wheel for this machine."""
    (wheel,) = (wheel for wheel in wheels() if wheel.stem.endswith(f"_{os.uname().machine}"))
    return wheel


def release_of(name: str) -> str | None:
    """The release of Spark on which the artifact of a line is tried; None for the one of .venv."""
    return "3.5.9" if re.search(r"spark3\.5_2\.12", name) else None


def spark_home(release: str | None) -> Path:
    """Where a release of Spark is, installed first if it is not."""
    if release is None:
        return Path(os.environ["SPARK_HOME"])
    command = [ROOT / "scripts/spark_home.sh", release]
    return Path(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip())
