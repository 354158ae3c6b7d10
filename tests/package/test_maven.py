"""The Maven artifacts of `make package`: what is in them, and Spark installing them with --packages."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT, assert_matches_golden, read_predictions
from packages import REPOSITORY, artifacts, line_of, spark_home

POM = "{http://maven.apache.org/POM/4.0.0}"


@pytest.fixture(params=artifacts(), ids=lambda folder: folder.parent.name)
def artifact(request) -> Path:
    """The folder of one version of an artifact."""
    return request.param


def file_of(artifact: Path, end: str) -> Path:
    return artifact / f"{artifact.parent.name}-{artifact.name}{end}"


def names_of(archive: Path) -> set[str]:
    with zipfile.ZipFile(archive) as jar:
        assert jar.testzip() is None
        return set(jar.namelist())


def test_it_is_complete_and_has_its_checksums(artifact):
    ends = {".jar", "-sources.jar", "-javadoc.jar", "-cyclonedx.json", ".pom"}
    algorithms = ("md5", "sha1", "sha256", "sha512")
    files = {file_of(artifact, end) for end in ends}
    assert set(artifact.iterdir()) == files | {Path(f"{file}.{name}") for file in files for name in algorithms}
    for file in [*files, artifact.parent / "maven-metadata.xml"]:
        for name in algorithms:
            assert Path(f"{file}.{name}").read_text() == hashlib.new(name, file.read_bytes()).hexdigest(), file


def test_the_jar_holds_all_that_runs(artifact):
    names = names_of(file_of(artifact, ".jar"))
    assert {
        "META-INF/LICENSE",
        "META-INF/NOTICE",
        "META-INF/THIRD-PARTY-LICENSES.txt",
        "META-INF/sbom/spark-classify.cdx.json",
        "META-INF/services/org.apache.spark.sql.SparkSessionExtensionsProvider",
        "io/sparkclassify/ClassifyExtensions.class",
        "native/linux-x86_64/libspark_classify_onnx.so",
        "native/linux-x86_64/libspark_classify_torch.so",
        "native/linux-x86_64/libonnxruntime.so",
    } <= names


def test_sources_and_scaladoc_are_of_both_languages(artifact):
    sources = names_of(file_of(artifact, "-sources.jar"))
    assert {"io/sparkclassify/natives/NativeLoader.java", "io/sparkclassify/execution/ClassifyExec.scala"} <= sources
    pages = names_of(file_of(artifact, "-javadoc.jar"))
    # Not all of Java: ClassifyException is of a class that Spark keeps from Scala, whose compiler then makes no page.
    assert {"index.html", "io/sparkclassify/functions$.html", "io/sparkclassify/ClassifyExtensions.html"} <= pages


def test_the_pom_says_what_it_is_and_leaves_spark_to_whoever_runs_it(artifact):
    pom = ET.parse(file_of(artifact, ".pom")).getroot()
    text = {child.tag.removeprefix(POM): child.text for child in pom}
    assert text["groupId"] == "io.sparkclassify"
    assert (text["artifactId"], text["version"]) == (artifact.parent.name, artifact.name)
    assert text["name"] and text["description"]
    assert pom.findtext(f"{POM}licenses/{POM}license/{POM}name") == "MIT"
    assert pom.findtext(f"{POM}developers/{POM}developer/{POM}name")
    (spark,) = pom.findall(f"{POM}dependencies/{POM}dependency")
    assert spark.findtext(f"{POM}scope") == "provided"
    assert spark.findtext(f"{POM}artifactId") == f"spark-sql_{artifact.parent.name.rpartition('_')[2]}"
    line = re.search(r"-spark([\d.]+)_", artifact.parent.name)[1]
    assert f"{spark.findtext(f'{POM}version')}.".startswith(f"{line}.")


def test_a_project_with_an_address_says_it_in_the_pom():
    url = "https://example.org/spark-classify"
    program = (
        "import sys; sys.path.insert(0, 'scripts'); import maven_layout as m;"
        "print(m.pom(m.Artifact('a', '1.2', '4.1.1', '2.13', {}), sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", program, url], cwd=ROOT, check=True, capture_output=True, text=True)
    pom = ET.fromstring(done.stdout)
    assert pom.findtext(f"{POM}url") == pom.findtext(f"{POM}scm/{POM}url") == url
    assert pom.findtext(f"{POM}scm/{POM}connection") == f"scm:git:{url}.git"
    assert pom.findtext(f"{POM}scm/{POM}tag") == "v1.2"


def publish(repository: Path) -> None:
    command = [sys.executable, "scripts/package.py", "publish", "--partial", str(repository)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


def test_publishing_leaves_what_a_repository_has(artifact, tmp_path):
    older = tmp_path / artifact.parent.relative_to(REPOSITORY) / "0.0.9"
    older.mkdir(parents=True)
    shutil.copy(file_of(artifact, ".pom"), older / f"{artifact.parent.name}-0.0.9.pom")
    publish(tmp_path)
    metadata = ET.parse(older.parent / "maven-metadata.xml").getroot()
    assert [element.text for element in metadata.iter("version")] == ["0.0.9", artifact.name]
    assert metadata.findtext("versioning/release") == artifact.name
    assert (tmp_path / file_of(artifact, ".jar").relative_to(REPOSITORY)).is_file()


def test_spark_installs_it_with_packages(artifact, golden, tmp_path):
    repository, home, output = tmp_path / "repository", tmp_path / "home", tmp_path / "out"
    home.mkdir()
    publish(repository)
    command = [
        str(spark_home(line_of(artifact.parent.name)) / "bin/spark-submit"),
        *["--packages", f"io.sparkclassify:{artifact.parent.name}:{artifact.name}"],
        *["--repositories", repository.as_uri(), "--conf", f"spark.jars.ivy={tmp_path}/ivy"],
        *["--master", "local-cluster[2,1,1024]", "--conf", "spark.ui.enabled=false"],
        *["--class", "io.sparkclassify.ClassifyJob", "spark-internal"],
        *["--images", "dataset/image_data.csv", "--image-dir", "dataset/all_images", "--model", "model"],
        *["--backend", "onnx", "--output", str(output)],
    ]
    # No other repository can be reached.
    nowhere = "-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9 -Dhttp.proxyHost=127.0.0.1 -Dhttp.proxyPort=9"
    environment = {
        **{key: value for key, value in os.environ.items() if key != "SPARK_HOME"},
        "HOME": str(home),
        "SPARK_SUBMIT_OPTS": f"-Duser.home={home} {nowhere}",
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-12000:]
    assert_matches_golden(read_predictions(output), golden["onnx"])
    # What it depends on is Spark's own, and so nothing else was installed.
    jars = [file.name for file in (tmp_path / "ivy/jars").iterdir()]
    assert jars == [f"io.sparkclassify_{artifact.parent.name}-{artifact.name}.jar"]


def test_the_sbom_of_the_jar_is_the_one_beside_it(artifact):
    with zipfile.ZipFile(file_of(artifact, ".jar")) as jar:
        inside = jar.read("META-INF/sbom/spark-classify.cdx.json")
    assert inside == file_of(artifact, "-cyclonedx.json").read_bytes()
    purl = json.loads(inside)["metadata"]["component"]["purl"]
    assert purl == f"pkg:maven/io.sparkclassify/{artifact.parent.name}@{artifact.name}"
