"""What the shipped native libraries need from a machine, read from the libraries themselves."""

import re
import subprocess
import zipfile

import pytest

# RHEL 9 and Ubuntu 22.04 (the base of Spark's own images, glibc 2.35) are the oldest systems we promise.
GLIBC_CEILING = (2, 34)
SYSTEM = {
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libgcc_s.so.1",
    "ld-linux-x86-64.so.2",
}
NEEDED = {
    "libspark_classify_onnx.so": SYSTEM,
    "libspark_classify_torch.so": SYSTEM | {"libstdc++.so.6", "libtorch_cpu.so", "libc10.so"},
    "libonnxruntime.so": SYSTEM | {"libstdc++.so.6"},
}


@pytest.fixture(scope="module")
def libraries(jar, tmp_path_factory):
    folder = tmp_path_factory.mktemp("native")
    with zipfile.ZipFile(jar) as archive:
        for name in NEEDED:
            (folder / name).write_bytes(archive.read(f"native/linux-x86_64/{name}"))
    return folder


def readelf(*args):
    return subprocess.run(["readelf", "-W", *map(str, args)], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", NEEDED)
def test_needs_nothing_but_the_named_libraries(libraries, name):
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", readelf("-d", libraries / name)))
    assert needed, "readelf printed no dependency at all"
    assert needed <= NEEDED[name]


@pytest.mark.parametrize("name", NEEDED)
def test_runs_on_older_systems(libraries, name):
    versions = {tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d+\.\d+)", readelf("-V", libraries / name))}
    assert versions
    assert max(versions) <= GLIBC_CEILING
