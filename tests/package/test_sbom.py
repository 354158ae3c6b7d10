"""The lists of components in jar and wheel: valid, and the same as Cargo.lock and the files beside them."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile

import pytest
from conftest import ROOT
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packages import artifacts, wheels

ARCHIVES = [next(artifacts()[0].glob("*[0-9].jar")), *wheels()]


@pytest.fixture(scope="module", params=ARCHIVES, ids=lambda path: path.name)
def archive(request):
    with zipfile.ZipFile(request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def text(archive) -> str:
    (name,) = (name for name in archive.namelist() if name.endswith("spark-classify.cdx.json"))
    assert re.fullmatch(r"META-INF/sbom/[^/]+|spark_classify-[^/]+\.dist-info/sboms/[^/]+", name)
    return archive.read(name).decode()


@pytest.fixture(scope="module")
def bom(text) -> dict:
    return json.loads(text)


def test_it_is_valid(text):
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_its_crates_are_those_of_cargo_lock(bom):
    package = re.compile(r'name = "(.*)"\nversion = "(.*)"\nsource = ".*"\nchecksum = "(.*)"\n')
    locked = set(package.findall((ROOT / "Cargo.lock").read_text()))
    crates = {
        (part["name"], part["version"], part["hashes"][0]["content"])
        for part in bom["components"]
        if part.get("purl", "").startswith("pkg:cargo/")
    }
    assert crates <= locked
    names = {name for name, *_ in crates}
    # What runs on an executor is there, what only builds and tests is not.
    assert {"jni", "tch", "ort", "png", "turbojpeg-sys", "libdav1d-sys", "openjpeg-sys"} <= names
    assert not {"criterion", "proptest", "cc", "bindgen", "syn", "tempfile", "csv"} & names


def test_it_has_the_c_libraries_that_crates_bring(bom):
    own = {part["name"]: part for part in bom["components"] if part.get("purl", "").startswith("pkg:generic/")}
    assert own.keys() == {"dav1d", "libjpeg-turbo", "OpenJPEG", "Zstandard", "bzip2"}
    for part in own.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", part["version"])
        assert f":{part['version']}:" in part["cpe"]


def test_a_crate_with_c_sources_has_their_library(bom):
    """A crate that builds a C library and is new to us is not overlooked."""
    described = " ".join(part.get("description", "") for part in bom["components"])
    crates = {part["name"] for part in bom["components"] if part.get("purl", "").startswith("pkg:cargo/")}
    # These only declare what is linked at run time.
    declared = {"jni-sys", "ort-sys", "torch-sys"}
    for crate in {name for name in crates if name.endswith("-sys")} - declared:
        assert f"the crate {crate} " in described, crate


def test_every_component_has_its_licence_and_its_place(bom):
    references = {part["bom-ref"] for part in bom["components"]} | {bom["metadata"]["component"]["bom-ref"]}
    for part in bom["components"]:
        assert part["licenses"], part["name"]
    links = {entry["ref"]: set(entry.get("dependsOn", [])) for entry in bom["dependencies"]}
    assert links.keys() == references
    reached, waiting = set(), [bom["metadata"]["component"]["bom-ref"]]
    while waiting:
        part = waiting.pop()
        if part not in reached:
            reached.add(part)
            waiting += links[part]
    assert reached == references


def test_its_hashes_are_those_of_the_native_libraries(archive, bom, tmp_path):
    natives = [name for name in archive.namelist() if "natives-" in name]
    if natives:
        (tmp_path / "natives.jar").write_bytes(archive.read(natives[0]))
        archive = zipfile.ZipFile(tmp_path / "natives.jar")
    of_files = [part for part in bom["components"] if part["bom-ref"].startswith("native/")]
    listed = {part["bom-ref"]: part["hashes"][0]["content"] for part in of_files}
    files = {name for name in archive.namelist() if name.endswith(".so")}
    assert listed == {name: hashlib.sha256(archive.read(name)).hexdigest() for name in files}
    (engine,) = {part["purl"] for part in bom["components"] if part["name"] == "ONNX Runtime"}
    version = re.search(r"onnxruntimeVersion = '(.*)'", (ROOT / "build.gradle").read_text())[1]
    assert engine == f"pkg:maven/com.microsoft.onnxruntime/onnxruntime@{version}"
