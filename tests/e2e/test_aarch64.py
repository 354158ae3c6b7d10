"""linux-aarch64 under QEMU: the pixels of x86, and a model in a JVM for Arm.

`make test-aarch64` makes what it needs, and what is not there is skipped.
"""

import json
import os
import platform
import shutil
import subprocess

import pytest
from conftest import BACKENDS, CLASSES, ROOT

NATIVES = ROOT / "target/natives"
ARM = ROOT / "target/aarch64/root"
LIBTORCH = ROOT / "target/aarch64/libtorch/torch"
JAVA = ARM / "usr/lib/jvm/java-17-openjdk-arm64/bin/java"
PIXELS = {
    machine: ROOT / f"target/{folder}release/classify-pixels"
    for machine, folder in {"x86_64": "", "aarch64": "aarch64-unknown-linux-gnu/"}.items()
}

pytestmark = [
    pytest.mark.skipif(platform.machine() != "x86_64", reason="a comparison of Arm with x86_64"),
    pytest.mark.skipif(shutil.which("qemu-aarch64") is None, reason="there is no qemu-aarch64 here"),
]


def need(*files):
    absent = [str(file.relative_to(ROOT)) for file in files if not file.exists()]
    if absent:
        pytest.skip(f"not here: {', '.join(absent)} (make test-aarch64)")


def on_arm(*command, **options):
    # With the one, QEMU takes the paths of x86 libraries for those of Arm; the other names an archive of x86.
    env = {key: value for key, value in os.environ.items() if key not in ("LD_LIBRARY_PATH", "JDK_JAVA_OPTIONS")}
    return subprocess.run(
        ["qemu-aarch64", "-cpu", "cortex-a72", "-L", ARM, *map(str, command)],
        cwd=ROOT,
        env=env,
        capture_output=True,
        check=True,
        **options,
    )


def test_pixels_are_those_of_x86():
    need(ARM / "done", *PIXELS.values())
    folders = ["tests/golden/images", "tests/cases/images", "dataset/all_images"]
    images = sorted(str(file) for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file())
    images = [image for image in images if " " not in image]
    # Whole, and with each filter of Pillow.
    lines = images + [f"{image} 61 47 {filter}" for filter in range(6) for image in images[:: len(images) // 40]]
    request = "".join(f"{line}\n" for line in lines).encode()
    expected = subprocess.run([PIXELS["x86_64"]], input=request, capture_output=True, check=True, cwd=ROOT)
    actual = on_arm(PIXELS["aarch64"], input=request)
    # What is refused is refused for the same reason.
    assert actual.stderr == expected.stderr
    assert len(expected.stdout) > 10_000_000
    assert actual.stdout == expected.stdout


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_library_works_in_a_jvm_for_arm(jar, tmp_path, backend):
    """Out of the class path, through the handshake, to a model that has been run once."""
    libraries = [
        NATIVES / "linux-aarch64/libspark_classify_onnx.so",
        NATIVES / "linux-aarch64/libspark_classify_torch.so",
        ROOT / "spark-udf-jvm/build/onnxruntime/linux-aarch64/libonnxruntime.so",
    ]
    need(ARM / "done", LIBTORCH / "lib/libtorch_cpu.so", *libraries)
    folder = tmp_path / "native/linux-aarch64"
    folder.mkdir(parents=True)
    for library in libraries:
        shutil.copy(library, folder)
    classpath = f"{tmp_path}:{jar}:{os.environ['SPARK_HOME']}/jars/*"
    source = ROOT / "tests/e2e/LoadNatives.java"
    subprocess.run(["javac", "--release", "17", "-d", tmp_path, "-cp", classpath, source], check=True)
    done = on_arm(
        *[JAVA, "-XX:TieredStopAtLevel=1", "-cp", classpath],
        *["io.sparkclassify.natives.LoadNatives", backend, ROOT / "model", tmp_path, LIBTORCH],
        text=True,
    )
    architecture, engine, model = done.stdout.splitlines()
    assert architecture == "aarch64"
    assert json.loads(engine)["instruction_set"] == "NEON"
    assert json.loads(model)["labels"] == CLASSES
