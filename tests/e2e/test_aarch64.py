"""linux-aarch64 under QEMU: the pixels of x86, and the main job in a JVM for Arm.

`make test-aarch64` makes what it needs, and what is not there is skipped.
"""

import os
import platform
import shutil
import subprocess

import pytest
from conftest import ROOT, assert_matches_golden, read_predictions

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
    # Without it, QEMU takes the paths of x86 libraries for those of Arm.
    env = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    return subprocess.run(
        ["qemu-aarch64", "-L", ARM, *map(str, command)], cwd=ROOT, env=env, capture_output=True, check=True, **options
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


@pytest.mark.parametrize("backend", ["onnx", "pytorch"])
def test_the_job_runs_in_a_jvm_for_arm(golden, jar, tmp_path, backend):
    libraries = [
        NATIVES
        / "linux-aarch64"
        / {"onnx": "libspark_classify_onnx.so", "pytorch": "libspark_classify_torch.so"}[backend],
        ROOT / "spark-udf-jvm/build/onnxruntime/linux-aarch64/libonnxruntime.so",
    ]
    need(ARM / "done", LIBTORCH.with_name("nvidia"), *libraries)
    # The jar of this machine with the libraries for Arm in the place where a jar for all platforms has them.
    both = tmp_path / "both.jar"
    shutil.copy(jar, both)
    folder = tmp_path / "native/linux-aarch64"
    folder.mkdir(parents=True)
    for library in libraries:
        shutil.copy(library, folder)
    subprocess.run(["jar", "--update", "--file", both, "-C", tmp_path, "native"], check=True)
    images = sorted(golden[backend])[:2]
    table = (ROOT / "dataset/image_data.csv").read_text().splitlines()
    (tmp_path / "images.csv").write_text(
        "\n".join([table[0], *(row for row in table if row.startswith(tuple(images)))])
    )
    modules = [
        "java.lang",
        "java.lang.invoke",
        "java.io",
        "java.net",
        "java.nio",
        "java.util",
        "java.util.concurrent",
        "sun.nio.ch",
    ]
    on_arm(
        *[JAVA, "-Xmx1g", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={tmp_path}"],
        *[f"--add-opens=java.base/{module}=ALL-UNNAMED" for module in modules],
        *["-cp", f"{os.environ['SPARK_HOME']}/jars/*", "org.apache.spark.deploy.SparkSubmit"],
        *["--master", "local[1]", "--conf", "spark.ui.enabled=false", "--conf", f"spark.local.dir={tmp_path}/local"],
        *["--conf", "spark.sql.extensions=io.sparkclassify.ClassifyExtensions"],
        *["--conf", f"spark.classify.torch.home={LIBTORCH}"],
        *["--conf", "spark.sql.shuffle.partitions=1", "--class", "io.sparkclassify.ClassifyJob", both],
        *["--images", tmp_path / "images.csv", "--image-dir", "dataset/all_images", "--model", "model"],
        *["--backend", backend, "--output", tmp_path / "output"],
        timeout=1200,
    )
    assert_matches_golden(read_predictions(tmp_path / "output"), {image: golden[backend][image] for image in images})
