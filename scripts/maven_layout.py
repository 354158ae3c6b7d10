"""A folder as a Maven repository: artifacts with POM, checksums and metadata."""

from __future__ import annotations

import hashlib
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

GROUP = "io.sparkclassify"
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
DESCRIPTION = "Image classification as a Spark SQL function: PyTorch and ONNX Runtime inside the executors"


class Artifact(NamedTuple):
    """What is published under one artifactId."""

    name: str
    version: str
    spark: str
    """The release of Spark that it was compiled for."""
    scala: str
    """Its binary version, 2.13."""
    files: Mapping[str, Path]
    """By what follows the version in the file's name: `.jar`, `-sources.jar`, `-javadoc.jar`, `-cyclonedx.json`."""


def pom(artifact: Artifact, url: str | None) -> str:
    """The POM. Spark is what whoever runs it has. `url` is the project's, which Maven Central asks for."""
    name = artifact.name
    fields = [("modelVersion", "4.0.0"), ("groupId", GROUP), ("artifactId", name), ("version", artifact.version)]
    fields += [("packaging", "jar"), ("name", name), ("description", f"{DESCRIPTION}, for Spark {artifact.spark}")]
    project = ET.Element(
        "project",
        {
            "xmlns": "http://maven.apache.org/POM/4.0.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:schemaLocation": "http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd",
        },
    )
    _add(project, fields + ([("url", url)] if url else []))
    licence = ET.SubElement(ET.SubElement(project, "licenses"), "license")
    _add(licence, [("name", "MIT"), ("url", "https://opensource.org/license/mit"), ("distribution", "repo")])
    developer = ET.SubElement(ET.SubElement(project, "developers"), "developer")
    _add(developer, [("name", "The spark-classify developers")] + ([("url", url)] if url else []))
    if url:
        scm = ET.SubElement(project, "scm")
        _add(scm, [("connection", f"scm:git:{url}.git"), ("tag", f"v{artifact.version}"), ("url", url)])
    dependency = ET.SubElement(ET.SubElement(project, "dependencies"), "dependency")
    spark = ("artifactId", f"spark-sql_{artifact.scala}")
    _add(dependency, [("groupId", "org.apache.spark"), spark, ("version", artifact.spark), ("scope", "provided")])
    ET.indent(project)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(project, encoding="unicode") + "\n"


def add(repository: Path, artifact: Artifact, url: str | None) -> list[Path]:
    """Writes an artifact into a repository's folder, and returns its files without their checksums."""
    folder = repository.joinpath(*GROUP.split("."), artifact.name)
    files = [folder / artifact.version / f"{artifact.name}-{artifact.version}{end}" for end in artifact.files]
    (folder / artifact.version).mkdir(parents=True, exist_ok=True)
    for file, source in zip(files, artifact.files.values(), strict=True):
        shutil.copyfile(source, file)
    files.append(folder / artifact.version / f"{artifact.name}-{artifact.version}.pom")
    files[-1].write_text(pom(artifact, url))
    add_checksums(files)
    _write_metadata(folder)
    return files


def publish(source: Path, repository: Path) -> list[Path]:
    """Copies the artifacts of a repository's folder into another, beside what is there, and returns their folders.

    Raises SystemExit, and copies nothing, where a version is there with other content: others may hold that one.
    """
    versions = sorted({file.parent for file in source.rglob("*.pom")})
    for file in (file for version in versions for file in version.iterdir()):
        published = repository / file.relative_to(source)
        if published.exists() and published.read_bytes() != file.read_bytes():
            raise SystemExit(
                f"{published} is there, and is another one: a version that is published stays as it is. "
                "Raise the version, or remove that folder if nobody has used it"
            )
    for version in versions:
        target = repository / version.relative_to(source)
        shutil.copytree(version, target, dirs_exist_ok=True)
        _write_metadata(target.parent)
    return [repository / version.relative_to(source) for version in versions]


def add_checksums(files: Iterable[Path]) -> None:
    """Writes beside each file one with its checksum for each algorithm, as repositories hold them."""
    for file in files:
        content = file.read_bytes()
        for algorithm in ALGORITHMS:
            file.with_name(f"{file.name}.{algorithm}").write_text(hashlib.new(algorithm, content).hexdigest())


def _write_metadata(folder: Path) -> None:
    """Which versions of an artifact there are. A pre-release is no `release`."""
    versions = sorted((pom.parent.name for pom in folder.glob("*/*.pom")), key=_order)
    releases = [version for version in versions if _order(version).is_final]
    metadata = ET.Element("metadata")
    _add(metadata, [("groupId", GROUP), ("artifactId", folder.name)])
    versioning = ET.SubElement(metadata, "versioning")
    _add(versioning, [("latest", versions[-1]), *(("release", version) for version in releases[-1:])])
    _add(ET.SubElement(versioning, "versions"), [("version", version) for version in versions])
    ET.indent(metadata)
    file = folder / "maven-metadata.xml"
    file.write_text(ET.tostring(metadata, encoding="unicode") + "\n")
    add_checksums([file])


class _Order(NamedTuple):
    """Versions sort by it: 0.1.0-rc9, 0.1.0-rc10, 0.1.0-SNAPSHOT, 0.1.0, 0.2.0."""

    numbers: list[int]
    is_final: bool
    qualifier: list[tuple[int, str]]


def _order(version: str) -> _Order:
    numbers, qualifier = re.fullmatch(r"([\d.]*)(.*)", version).groups()
    parts = re.findall(r"\d+|[a-z]+", qualifier.lower())
    return _Order(
        [int(number) for number in numbers.split(".") if number],
        not qualifier,
        [(int(part), "") if part.isdigit() else (0, part) for part in parts],
    )


def _add(parent: ET.Element, fields: Iterable[tuple[str, str]]) -> None:
    for tag, text in fields:
        ET.SubElement(parent, tag).text = text
