"""What may be published, the order of versions, and what the licences are read from: without a build."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import maven_layout
import package
import sbom
import third_party_licenses


def add(repository: Path, line: str, platforms: tuple[str, ...] = package.PLATFORMS, version: str = "0.1.0") -> None:
    """An artifact with empty libraries."""
    jar = repository.parent / "made.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for platform in platforms:
            archive.writestr(f"native/{platform}/libspark_classify_onnx.so", "")
    artifact = maven_layout.Artifact(f"spark-classify-{line}", version, "4.3.0", "2.13", {".jar": jar})
    maven_layout.add(repository, artifact, None)


@pytest.fixture
def built(tmp_path, monkeypatch) -> Path:
    """Where `publish` takes the artifacts from; none are there yet."""
    monkeypatch.setattr(package, "OUTPUT", tmp_path / "package")
    return tmp_path / "package/maven"


def test_a_part_is_published_on_demand_alone(built, tmp_path):
    (tmp_path / "package").mkdir()
    add(built, "spark4_2.13")
    add(built, "spark3.5_2.12", platforms=("linux-x86_64",))
    with pytest.raises(SystemExit, match=r"lacks spark3.5_2.12 for linux-aarch64, spark3.5_2.13: .*--partial"):
        package.publish(tmp_path / "repository", partial=False)
    assert not (tmp_path / "repository").exists()
    package.publish(tmp_path / "repository", partial=True)
    assert len(list((tmp_path / "repository").rglob("*.jar"))) == 2


def test_all_of_it_is_published_again_and_nothing_else_under_its_version(built, tmp_path):
    (tmp_path / "package").mkdir()
    for line in package.LINES:
        add(built, line)
    for _ in range(2):
        package.publish(tmp_path / "repository", partial=False)
    add(built, "spark3.5_2.13", platforms=package.PLATFORMS[:1])
    add(built, "spark4_2.13", version="0.2.0")
    with pytest.raises(SystemExit, match=r"spark-classify-spark3.5_2.13-0.1.0.jar\S* is there, and is another one"):
        package.publish(tmp_path / "repository", partial=True)
    assert not list((tmp_path / "repository").rglob("0.2.0"))


def test_a_pre_release_is_before_its_release_and_is_none(tmp_path):
    def metadata(*versions: str) -> ET.Element:
        for version in versions:
            add(tmp_path / "maven", "spark4_2.13", version=version)
        (file,) = (tmp_path / "maven").rglob("maven-metadata.xml")
        return ET.parse(file).getroot()

    (tmp_path / "maven").mkdir()
    assert metadata("0.1.0-rc10", "0.1.0-SNAPSHOT").find("versioning/release") is None
    found = metadata("0.1.0", "0.1.0-rc9", "0.10.0", "0.9.0", "0.11.0-rc1")
    versions = [element.text for element in found.iter("version")]
    assert versions == ["0.1.0-rc9", "0.1.0-rc10", "0.1.0-SNAPSHOT", "0.1.0", "0.9.0", "0.10.0", "0.11.0-rc1"]
    assert (found.findtext("versioning/release"), found.findtext("versioning/latest")) == ("0.10.0", "0.11.0-rc1")


def test_sources_without_their_history_have_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(sbom, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tmp_path / "Cargo.lock").touch()
    written = int((tmp_path / "Cargo.lock").stat().st_mtime)
    assert sbom.committed_at() == datetime.fromtimestamp(written, timezone.utc)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert sbom.committed_at() == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    with pytest.raises(SystemExit, match="'today'"):
        sbom.committed_at()


def test_licences_are_those_of_what_the_jar_has():
    titles = [title for title, _ in third_party_licenses.standard_library()]
    assert titles[0].startswith("Rust's standard library (MIT OR Apache-2.0), of rustc ")
    version = re.search(r"onnxruntimeVersion = '(.*)'", (ROOT / "build.gradle").read_text())[1]
    _, texts = third_party_licenses.onnxruntime(version)
    assert len(texts) == 2
    with pytest.raises(SystemExit, match=r"ONNX Runtime 0\.9.*scripts/requirements.txt"):
        third_party_licenses.onnxruntime("0.9")
