"""`spark-classify check`: what the core makes of a model directory, in its own words."""

from __future__ import annotations

import subprocess
from pathlib import Path

from spark_classify import program
from spark_classify.errors import ClassifyError


def check(directory: Path, classify_bench: Path | None = None) -> int:
    """Prints how the core reads the directory; 0: a backend can use it, 1: none can.

    The core itself is asked (`classify-bench --check`): what it says here is what it does in Spark.
    """
    core = program.find(classify_bench)
    if core is None:
        raise ClassifyError(
            f"{program.NAME} is not on PATH. It is no part of this package: in a checkout of the project `make build` "
            "leaves it in target/release; give its path with --classify-bench"
        )
    done = subprocess.run([core, "--check", "--model", directory], env=program.environment(), check=False)
    return done.returncode
