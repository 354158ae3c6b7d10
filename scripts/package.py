"""Builds what is published, and publishes it into a folder.

    python scripts/package.py build [--lines spark4_2.13,…]
    python scripts/package.py wheel
    python scripts/package.py publish [--partial] FOLDER

`build` writes into target/package (or the folder of this checkout that PACKAGE_DIR names), and removes what was there:

    maven/    a Maven repository: for each line of Spark and Scala the self-contained jar, sources, Scaladoc, SBOM, POM
              and checksums
    wheels/   the Python package, a wheel for each platform that there are native libraries for

`wheel` makes the wheel for this machine alone, of the jar that `make build` has left, in target/wheel: for one Spark,
and in seconds.

Its environment is that of scripts/requirements-package.txt. Native libraries come from target/natives, where
scripts/build_natives.sh puts those for all platforms, else this machine's own from target/release.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import maven_layout
import sbom
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parents[1]
# That of a release, unless the tests make one of their own.
OUTPUT = ROOT / os.environ.get("PACKAGE_DIR", "target/package")
WHEEL = ROOT / "target/wheel"
WORK = ROOT / "target/package-work"
NATIVES = ROOT / "target/natives"
# The lines of artifacts, and the release of Spark that each is compiled for: that of .venv where none is named.
LINES = {"spark4_2.13": None, "spark3.5_2.12": "3.5.9", "spark3.5_2.13": "3.5.6_2.13"}
PLATFORMS = ("linux-x86_64", "linux-aarch64")
# What a package index takes.
LARGEST_WHEEL = 100_000_000
# The oldest system that a wheel may promise, in the terms of PEP 600.
OLDEST_GLIBC = 28


class Line(NamedTuple):
    """A line of artifacts as Gradle built it."""

    name: str
    spark: str
    scala: str
    jar: Path
    sources: Path
    scaladoc: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    build_parser = commands.add_parser("build", help="build everything that is published")
    build_parser.add_argument("--lines", default=",".join(LINES), help="of those [default: %(default)s]")
    commands.add_parser("wheel", help="build the Python package of the jar of `make build`, for this machine")
    publish_parser = commands.add_parser("publish", help="copy the Maven artifacts into a repository's folder")
    publish_parser.add_argument("--partial", action="store_true", help="also where a line or a platform is missing")
    publish_parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "build":
        build([name for name in arguments.lines.split(",") if name])
    elif arguments.command == "wheel":
        wheel_of_build()
    else:
        publish(arguments.folder, arguments.partial)


def build(names: Iterable[str]) -> None:
    unknown = set(names) - set(LINES)
    if unknown:
        raise SystemExit(f"unknown line {', '.join(sorted(unknown))}: there are {', '.join(LINES)}")
    start_in(OUTPUT)
    lines = [gradle(name) for name in names]
    version, onnxruntime = project_version(), property_of(lines[0].jar, "onnxruntime.version")
    natives = natives_of(lines[0].jar)
    made = []
    for line in lines:
        made += maven_artifact(line, version, onnxruntime)
    platforms = sorted({Path(name).parts[1] for name in natives})
    for platform in platforms:
        own = {name: content for name, content in natives.items() if Path(name).parts[1] == platform}
        made.append(wheel(lines, platform, own, version, onnxruntime, OUTPUT / "wheels"))
    shutil.rmtree(WORK)
    summarize(made, lines, platforms)


def wheel_of_build() -> None:
    start_in(WHEEL)
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    name = next(iter(LINES))
    line = Line(name, property_of(jar, "spark.version"), name.rpartition("_")[2], jar, jar, jar)
    platform = f"linux-{os.uname().machine}"
    made = wheel([line], platform, natives_of(jar), project_version(), property_of(jar, "onnxruntime.version"), WHEEL)
    shutil.rmtree(WORK)
    print(f"pip install '{made.relative_to(ROOT)}' 'pyspark[sql]'")


def start_in(folder: Path) -> None:
    """Removes what an earlier build left, of other versions and lines, too."""
    for made in (folder, WORK):
        shutil.rmtree(made, ignore_errors=True)
    WORK.mkdir(parents=True)


def publish(folder: Path, partial: bool) -> None:
    source = OUTPUT / "maven"
    if not source.is_dir():
        raise SystemExit(f"{source} is not there: run `make package` first")
    missing = missing_in(source)
    if missing and not partial:
        raise SystemExit(
            f"{source} lacks {', '.join(missing)}: run `make package` on x86_64, without PACKAGE_LINES and NATIVES, or "
            "publish less with --partial (make publish-local PARTIAL=1)"
        )
    for version in maven_layout.publish(source, folder.absolute()):
        print(f"{maven_layout.GROUP}:{version.parent.name}:{version.name} in {folder.absolute()}")


def missing_in(repository: Path) -> list[str]:
    """The lines that a repository's folder lacks, and the platforms that their jars lack."""
    missing = []
    for line in LINES:
        jars = [pom.with_suffix(".jar") for pom in repository.rglob(f"spark-classify-{line}-*.pom")]
        platforms = {Path(name).parts[1] for jar in jars for name in natives_of(jar)}
        missing += [f"{line} for {name}" for name in PLATFORMS if name not in platforms] if jars else [line]
    return missing


def gradle(name: str) -> Line:
    """Builds the jars of a line."""
    say(f"{name}: jar, sources, Scaladoc")
    target = WORK / name
    release = LINES[name]
    options = [f"-PpublicationDir={target}"]
    if release:
        command = [ROOT / "scripts/spark_home.sh", release]
        home = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        options.append(f"-PsparkHome={home}")
    if any(NATIVES.glob("linux-*")):
        options.append(f"-PnativesDir={NATIVES}")
    command = ["gradle", "--quiet", "publication", *options]
    subprocess.run(command, cwd=ROOT, check=True)
    jar = target / "jar.jar"
    line = Line(
        name,
        property_of(jar, "spark.version"),
        property_of(jar, "scala.version").rpartition(".")[0],
        jar,
        target / "sources.jar",
        target / "scaladoc.jar",
    )
    if not f"spark{line.spark}.".startswith(name.partition("_")[0] + ".") or not name.endswith(f"_{line.scala}"):
        raise SystemExit(f"the line {name} was built with Spark {line.spark} and Scala {line.scala}")
    return line


def maven_artifact(line: Line, version: str, onnxruntime: str) -> list[Path]:
    """Puts a line's artifact into the repository."""
    name = f"spark-classify-{line.name}"
    purl = PackageURL("maven", maven_layout.GROUP, name, version)
    components = sbom.make(sbom.subject(purl), natives_of(line.jar), onnxruntime, line.jar.parent)
    # As Spring Boot and others have it.
    entry = f"META-INF/sbom/{components.name}"
    jar = line.jar.with_name("with-sbom.jar")
    rewrite(line.jar, jar, lambda _: True, {entry: components.read_bytes()})
    files = {".jar": jar, "-sources.jar": line.sources, "-javadoc.jar": line.scaladoc, "-cyclonedx.json": components}
    artifact = maven_layout.Artifact(name, version, line.spark, line.scala, files)
    return maven_layout.add(OUTPUT / "maven", artifact, project_url())


def wheel(
    lines: list[Line], platform: str, natives: Mapping[str, bytes], version: str, onnxruntime: str, target: Path
) -> Path:
    """Builds the wheel of a platform in a folder: the classes of every line, and the native libraries once."""
    say(f"wheel for {platform}")
    source = WORK / "python" / platform
    shutil.copytree(ROOT / "python", source, ignore=shutil.ignore_patterns("__pycache__", ".*", "tests", "dist"))
    jars = source / "src/spark_classify/jars"
    jars.mkdir()
    of_others = "META-INF/THIRD-PARTY-LICENSES.txt"
    for line in lines:
        classes = jars / f"spark-classify-{line.name}-{version}.jar"
        # What is others' lies in the libraries.
        rewrite(line.jar, classes, lambda name: not name.startswith("native/") and name != of_others)
    kept = {"META-INF/MANIFEST.MF", "META-INF/LICENSE", "META-INF/NOTICE", of_others, *natives}
    rewrite(lines[0].jar, jars / f"spark-classify-natives-{platform}-{version}.jar", kept.__contains__)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    with zipfile.ZipFile(lines[0].jar) as archive:
        (source / "THIRD-PARTY-LICENSES.txt").write_bytes(archive.read(of_others))
    (source / "platform-tag").write_text(platform_tag(platform, natives))
    sbom.make(sbom.subject(PackageURL("pypi", name="spark-classify", version=version)), natives, onnxruntime, source)

    # Without isolation: what builds it is in this environment.
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", target, source]
    epoch = str(int(sbom.committed_at().timestamp()))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
    (made,) = target.glob(f"*_{platform.partition('-')[2]}.whl")
    if made.stat().st_size > LARGEST_WHEEL:
        raise SystemExit(f"{made} has {made.stat().st_size} bytes: a package index takes {LARGEST_WHEEL} at most")
    maven_layout.add_checksums([made])
    return made


def platform_tag(platform: str, natives: Mapping[str, bytes]) -> str:
    """The tag of a wheel: the oldest glibc that has what the native libraries ask for (PEP 600)."""
    needed = OLDEST_GLIBC
    for name, content in natives.items():
        library = WORK / Path(name).name
        library.write_bytes(content)
        versions = subprocess.run(["readelf", "-VW", library], check=True, capture_output=True, text=True).stdout
        found = [int(minor) for minor in re.findall(r"\bGLIBC_2\.(\d+)", versions)]
        if not found:
            raise SystemExit(f"{name}: readelf names no version of glibc")
        needed = max(needed, *found)
    return f"manylinux_2_{needed}_{platform.partition('-')[2]}"


def rewrite(source: Path, target: Path, keep: Callable[[str], bool], more: Mapping[str, bytes] | None = None) -> None:
    """Copies the files of a jar whose names `keep` is true of, and adds `more` by name, all with the first's time."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        times = old.infolist()[0].date_time
        files = {info.filename: old.read(info) for info in old.infolist() if not info.is_dir() and keep(info.filename)}
        for name, content in {**files, **(more or {})}.items():
            new.writestr(zipfile.ZipInfo(name, times), content, zipfile.ZIP_DEFLATED)


def natives_of(jar: Path) -> dict[str, bytes]:
    """The native libraries in a jar, by name: native/linux-x86_64/libonnxruntime.so."""
    with zipfile.ZipFile(jar) as archive:
        names = [name for name in archive.namelist() if name.startswith("native/") and not name.endswith("/")]
        return {name: archive.read(name) for name in names}


def property_of(jar: Path, key: str) -> str:
    """One of the versions that a jar was built with."""
    with zipfile.ZipFile(jar) as archive:
        properties = archive.read("io/sparkclassify/version.properties").decode()
    return re.search(rf"(?m)^{re.escape(key)}=(.*)$", properties)[1]


def project_version() -> str:
    """The version of the project, which the Python package must have too."""
    version = workspace_field("version")
    python = re.search(r'(?m)^version = "(.*)"', (ROOT / "python/pyproject.toml").read_text())[1]
    if version != python:
        raise SystemExit(f"Cargo.toml has version {version} and python/pyproject.toml {python}: make them the same")
    return version


def project_url() -> str | None:
    """The project's own address, where Cargo.toml says one."""
    return workspace_field("repository")


def workspace_field(name: str) -> str | None:
    """A text in [workspace.package] of Cargo.toml."""
    section = re.search(r"(?ms)^\[workspace\.package\]$(.*?)^\[", (ROOT / "Cargo.toml").read_text())[1]
    field = re.search(rf'(?m)^{name} = "(.*)"$', section)
    return field and field[1]


def summarize(made: Iterable[Path], lines: list[Line], platforms: list[str]) -> None:
    total = 0
    for file in made:
        total += file.stat().st_size
        print(f"{file.stat().st_size / 1e6:8.2f} MB  {file.relative_to(ROOT)}")
    if project_url() is None:
        print("Cargo.toml has no `repository`: the POMs lack `url` and `scm`, without which Maven Central takes none.")
    built = ", ".join(line.name for line in lines)
    print(f"== package: {built}; wheels for {', '.join(platforms)}; {total / 1e6:.1f} MB in {OUTPUT.relative_to(ROOT)}")


def say(text: str) -> None:
    print(f"[package] {text}", flush=True)


if __name__ == "__main__":
    main()
