"""docs/compatibility.md: what the test matrix ran, apart from what is only read from the files."""

from __future__ import annotations

import dataclasses
import platform
import re
import subprocess
import tempfile
import textwrap
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/compatibility.md"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How many tests passed and failed; none of both where they cannot be run."""

    passed: int
    failed: int

    def __str__(self) -> str:
        if not self.passed and not self.failed:
            return "not run"
        return f"{self.passed} passed" + (f", **{self.failed} failed**" if self.failed else "")


@dataclasses.dataclass(frozen=True)
class Platform:
    """What the tests ran on."""

    system: str
    glibc: str
    processor: str


@dataclasses.dataclass(frozen=True)
class Result:
    """What a row of the matrix gave. `jar` is the SHA-256 of the jar that was tested."""

    name: str
    spark: str
    scala: str
    java: str
    artifact: str
    jar: str
    suites: str
    jvm: Outcome
    end_to_end: Outcome
    platform: Platform
    date: str

    @staticmethod
    def of(entry: dict[str, Any]) -> Result:
        """A result as JSON has it."""
        nested = {"jvm": Outcome(**entry["jvm"]), "end_to_end": Outcome(**entry["end_to_end"])}
        return Result(**{**entry, **nested, "platform": Platform(**entry["platform"])})

    @property
    def passed(self) -> bool:
        return self.jvm.failed == 0 and self.end_to_end.failed == 0


def platform_of_this_run() -> Platform:
    """The operating system, the C library and the processor's architecture."""
    system = platform.freedesktop_os_release()
    return Platform(f"{system['NAME']} {system['VERSION_ID']}", platform.libc_ver()[1], platform.machine())


# Which glibc a system has; its own documentation says so.
SYSTEMS = (
    ("RHEL, Rocky, Alma 8", (2, 28)),
    ("Debian 10", (2, 28)),
    ("Ubuntu 20.04", (2, 31)),
    ("RHEL, Rocky, Alma 9; Amazon Linux 2023", (2, 34)),
    ("Ubuntu 22.04", (2, 35)),
    ("Debian 12", (2, 36)),
    ("Ubuntu 24.04; RHEL 10", (2, 39)),
    ("Debian 13", (2, 41)),
    ("Amazon Linux 2", (2, 26)),
)


def natives() -> tuple[str, dict[str, tuple[int, int]]]:
    """Where the native libraries were read, and for each platform the newest glibc that one of them asks for.

    The portable ones (scripts/build_natives.sh) where they are, else those in the jar that was built here.
    """
    portable = ROOT / "target/natives"
    if any(portable.glob("*/*.so")):
        return "target/natives", {
            folder.name: floor(folder) for folder in sorted(portable.iterdir()) if folder.is_dir()
        }
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(jar) as archive:
        archive.extractall(scratch, [name for name in archive.namelist() if name.startswith("native/")])
        folders = sorted((Path(scratch) / "native").iterdir())
        return f"the jar that was tested, {jar.name}", {folder.name: floor(folder) for folder in folders}


def floor(folder: Path) -> tuple[int, int]:
    """The newest version of glibc's symbols that the libraries in a folder name."""
    versions = [(2, 0)]
    for library in folder.glob("*.so"):
        needed = subprocess.run(
            ["readelf", "--version-info", "--wide", library], check=True, capture_output=True, text=True
        )
        found = re.findall(r"Name: GLIBC_(\d+)\.(\d+)", needed.stdout)
        versions += [(int(major), int(minor)) for major, minor in found]
    return max(versions)


def dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def minor(release: str) -> str:
    return ".".join(release.split(".")[:2])


def table(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def artifacts(served: list[tuple[str, str, str]]) -> str:
    """Which artifact is for which releases of Spark, from a Spark, a Scala and an artifact for each row."""
    rows = []
    for artifact in dict.fromkeys(name for _, _, name in served):
        sparks = sorted({minor(spark) for spark, _, name in served if name == artifact})
        (scala,) = {scala for _, scala, name in served if name == artifact}
        span = sparks[0] if len(sparks) == 1 else f"{sparks[0]} to {sparks[-1]}"
        rows.append([span, scala, f"`io.sparkclassify:spark-classify-{artifact}`"])
    return table(["Spark", "Scala", "artifact"], rows)


def runs(results: list[Result]) -> str:
    """What was run, a row each."""
    rows = []
    for one in results:
        rows.append(
            [
                *[one.spark, one.scala, one.java, one.artifact, f"{one.jvm} ({one.suites})", str(one.end_to_end)],
                *[f"{one.platform.system}, {one.platform.processor}", one.platform.glibc, one.date],
            ]
        )
    titles = ["Spark", "Scala", "Java", "artifact", "suites", "end to end", "system", "glibc", "date"]
    return table(titles, rows)


def same_jar(results: list[Result]) -> str:
    """Which artifacts were one and the same jar on all of their Sparks."""
    lines = []
    for artifact in dict.fromkeys(result.artifact for result in results):
        own = [result for result in results if result.artifact == artifact]
        if len({result.spark for result in own}) > 1:
            jars = {result.jar for result in own}
            same = "was the same jar on all of them" if len(jars) == 1 else f"is of {len(jars)} builds there"
            lines.append(f"`{artifact}` {same}.")
    return " ".join(lines)


def systems() -> str:
    source, floors = natives()
    said = ", ".join(f"{name}: glibc {dotted(version)}" for name, version in floors.items())
    lowest = max(floors.values())
    rows = [
        [system, dotted(glibc), "new enough" if glibc >= lowest else f"too old: {dotted(lowest)} is needed"]
        for system, glibc in SYSTEMS
    ]
    text = f"What the native libraries ask for, read from their symbols\n({source}):\n{said}.\n\n"
    return text + table(["system", "its glibc", ""], rows)


TEMPLATE = """# Compatibility

Written by `make test-matrix` from what it ran; `MATRIX=4.0.5 make test-matrix` runs a part again and writes it anew.

## Which artifact to take

{artifacts}
The jar that `make build` leaves in `spark-udf-jvm/build/libs/`, `spark-classify_2.13-<version>.jar`, is the one for
Spark 4. It is compiled against the newest Spark of these and runs on all: `LinkageSuite` looks on each of them for
every class, method and field of Spark, Scala and Hadoop that the jar names.

A jar on a Spark that it is not made for says so in one sentence, which names the artifact to take: when the session
starts where `spark.sql.extensions` or `ClassifyJob` is named, else by each query, and in the log.

## What was run

The suites start Spark in the JVM of the tests; *all* are all of them, *core* those for functions, plans, batches, the
job, errors and the native boundary. The end-to-end tests start spark-submit, spark-sql, spark-shell, PySpark, the
Connect server with a client of the same release, and the Thrift server, each with `--jars` alone.

{runs}
{same}

## What differs between releases of Spark

- **PySpark 3.5** makes its session in a way in which Spark looks for no extensions: beside `--jars` it needs
  `--conf spark.sql.extensions=io.sparkclassify.ClassifyExtensions`. All other launchers find the functions by
  themselves. The Connect server of 3.5 is a package of its own, and untried.
- **Repeated tasks, from 4.2 on.** Spark compares what a task wrote for a shuffle with what an earlier run of it wrote
  (`spark.sql.shuffle.orderIndependentChecksum.enabled`, on by default). Where they differ, it runs the stages after
  it again, or fails the job where it cannot. The last digits of a probability or an embedding depend on which images
  were in a batch, on the processor, and on a GPU on what other tasks ran. So a job that shuffles them and loses
  executors may repeat more than before. Shuffle the paths and not the results, round them, or set
  `spark.sql.shuffle.orderIndependentChecksum.enableFullRetryOnMismatch` to `false`, which is as 4.1 does it.
- **Names, from 4.2 on.** `builtin.classify(...)` is this function, whatever a session or a database defines under its
  name.
- **Similarity, from 4.2 on.** `vector_cosine_similarity` and joins by nearness: [embeddings.md](embeddings.md).
- **Java 24 and later** warn once that the jar loads native code, until drivers and executors are started with
  `--enable-native-access=ALL-UNNAMED` (`spark.driver.extraJavaOptions`, `spark.executor.extraJavaOptions`).
- **Python.** PySpark 4.0 needs Python 3.9, 4.1 and 4.2 need 3.10, 4.3 needs 3.11; the jar needs none.

## What was read, not run

{systems}
Alpine and others with musl in place of glibc, macOS and Windows have no native libraries in the jar.

CUDA: the libraries are built for those of torch 2.11 (CUDA 13.0) and ONNX Runtime 1.28 (CUDA 13); no row above had a
GPU. [gpu.md](gpu.md) says what an executor with one needs.
"""


def write_page(results: list[Result], served: list[tuple[str, str, str]], not_run: list[str]) -> None:
    """Writes the page from results, what artifacts are for, and the names of the rows that have no result."""
    lines = [same_jar(results), f"Not run yet: {', '.join(not_run)} (Spark/Java)." if not_run else ""]
    text = TEMPLATE.format(
        artifacts=artifacts(served),
        same=textwrap.fill(" ".join(filter(None, lines)), 120),
        runs=runs(results),
        systems=systems(),
    )
    PAGE.write_text(re.sub(r"\n{3,}", "\n\n", text))
