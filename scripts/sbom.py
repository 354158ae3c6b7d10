"""What the jar and the wheel hold of others, as a software bill of materials: CycloneDX 1.6 in JSON.

The components are the crates that are compiled into the native libraries, the C libraries that those crates bring, and
ONNX Runtime. The same build gives the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from third_party_licenses import BUNDLED, ROOT, linked_crates

LICENSES = LicenseFactory()


class CLibrary(NamedTuple):
    """What the sources of a C library in a crate do not say of themselves, or say in a place of their own."""

    version_in: tuple[str, str]
    """A file in the crate's folder, and the pattern of the version in it."""
    licence: str
    cpe: str
    """Vendor and product, by which lists of known weaknesses call it."""


C_LIBRARIES = {
    "dav1d": CLibrary(("vendor/meson.build", r"\n    version: '([\d.]+)'"), "BSD-2-Clause", "videolan:dav1d"),
    "libjpeg-turbo": CLibrary(
        ("libjpeg-turbo/CMakeLists.txt", r"(?m)^set\(VERSION ([\d.]+)\)"),
        "IJG AND BSD-3-Clause AND Zlib",
        "libjpeg-turbo:libjpeg-turbo",
    ),
    "OpenJPEG": CLibrary(
        ("config/opj_config_private.h", r'OPJ_PACKAGE_VERSION "([\d.]+)"'), "BSD-2-Clause", "uclouvain:openjpeg"
    ),
    "Zstandard": CLibrary(
        ("Cargo.toml", r'(?m)^version = "[^"]+\+zstd\.([\d.]+)"'), "BSD-3-Clause", "facebook:zstandard"
    ),
    "bzip2": CLibrary(("Cargo.toml", r'(?m)^version = "[^"]+\+([\d.]+)"'), "bzip2-1.0.6", "bzip:bzip2"),
}


def make(subject: Component, natives: Mapping[str, bytes], onnxruntime: str, folder: Path) -> Path:
    """Writes the list of `subject`, which holds the native libraries `natives` (content by name), into a folder.

    Raises SystemExit where what was written is not valid CycloneDX.
    """
    bom = Bom()
    bom.metadata.component = subject
    bom.metadata.timestamp = committed_at()
    crates = linked_crates()
    checksums = locked_checksums()
    components = {package["id"]: of_crate(package, checksums) for package in crates}
    brought: dict[str, list[Component]] = {
        package["id"]: [of_c_library(package, name) for name, *_ in BUNDLED.get(package["name"], [])]
        for package in crates
    }
    for package in crates:
        bom.components.add(components[package["id"]])
        uses = [components[other] for other in package["uses"] if other in components]
        for library in brought[package["id"]]:
            bom.components.add(library)
            bom.register_dependency(library)
        bom.register_dependency(components[package["id"]], [*uses, *brought[package["id"]]])

    files = [of_file(name, content, onnxruntime) for name, content in sorted(natives.items())]
    for file in files:
        bom.components.add(file)
        bom.register_dependency(file, [] if file.purl else components.values())
    bom.register_dependency(subject, files)
    content = sorted(f"{part.bom_ref} {[value.content for value in part.hashes]}" for part in bom.components)
    bom.serial_number = uuid.uuid5(uuid.NAMESPACE_URL, f"{subject.purl} {content}")

    text = JsonV1Dot6(bom).output_as_string(indent=2)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error:
        raise SystemExit(f"the SBOM of {subject.purl} is not valid CycloneDX: {error}")
    target = folder / "spark-classify.cdx.json"
    target.write_text(text + "\n")
    return target


def locked_checksums() -> dict[tuple[str, str], str]:
    """The SHA-256 of the file that each crate came in, by name and version, as Cargo.lock has it."""
    package = re.compile(r'name = "(.*)"\nversion = "(.*)"\nsource = ".*"\nchecksum = "(.*)"\n')
    found = package.findall((ROOT / "Cargo.lock").read_text())
    return {(name, version): checksum for name, version, checksum in found}


def subject(purl: PackageURL) -> Component:
    """What a list is about: a jar or a wheel of this project."""
    return Component(
        name=purl.name,
        group=purl.namespace,
        version=purl.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LICENSES.make_from_string("MIT")],
    )


def of_crate(package: dict, checksums: Mapping[tuple[str, str], str]) -> Component:
    checksum = checksums[package["name"], package["version"]]
    purl = PackageURL("cargo", name=package["name"], version=package["version"])
    return Component(
        name=package["name"],
        version=package["version"],
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        # The slash is how cargo wrote OR once.
        licenses=[LICENSES.make_from_string(package["license"].replace("/", " OR "))],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=checksum)],
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(package["repository"]))]
        if package["repository"]
        else [],
    )


def of_c_library(package: dict, name: str) -> Component:
    library = C_LIBRARIES[name]
    file, pattern = library.version_in
    match = re.search(pattern, (Path(package["manifest_path"]).parent / file).read_text())
    if not match:
        raise SystemExit(f"{package['name']} {package['version']}: {file} does not say the version of {name} any more")
    version = match[1]
    purl = PackageURL("generic", name=name.lower(), version=version)
    return Component(
        name=name,
        version=version,
        type=ComponentType.LIBRARY,
        purl=purl,
        cpe=f"cpe:2.3:a:{library.cpe}:{version}:*:*:*:*:*:*:*",
        bom_ref=str(purl),
        description=f"compiled from the sources in the crate {package['name']} {package['version']}",
        licenses=[LICENSES.make_from_string(library.licence)],
    )


def of_file(name: str, content: bytes, onnxruntime: str) -> Component:
    """A native library: ONNX Runtime's own, which has the version of its Maven artifact, or one of this project."""
    is_engine = name.endswith("/libonnxruntime.so")
    purl = PackageURL("maven", "com.microsoft.onnxruntime", "onnxruntime", onnxruntime) if is_engine else None
    return Component(
        name="ONNX Runtime" if is_engine else name,
        version=onnxruntime if is_engine else None,
        type=ComponentType.LIBRARY if is_engine else ComponentType.FILE,
        purl=purl,
        bom_ref=name,
        description=name if is_engine else None,
        licenses=[LICENSES.make_from_string("MIT")],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())],
    )


def committed_at() -> datetime:
    """The time of what is built, so that the same sources give the same files: SOURCE_DATE_EPOCH, else the commit's.

    Sources without their history (an archive, a folder that git does not trust) have that of Cargo.lock.
    """
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not seconds and shutil.which("git"):
        command = ["git", "log", "-1", "--format=%ct"]
        seconds = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    try:
        return datetime.fromtimestamp(int(seconds or (ROOT / "Cargo.lock").stat().st_mtime), timezone.utc)
    except ValueError:
        raise SystemExit(f"SOURCE_DATE_EPOCH is '{seconds}', and is to be a number of seconds since 1970") from None
