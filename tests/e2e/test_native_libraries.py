"""What the shipped native libraries need from a machine, read from the libraries themselves (docs/natives.md)."""

import os
import platform as machine
import re
import shutil
import subprocess
import zipfile

import pytest
from conftest import BACKENDS, ROOT, assert_matches_golden, read_predictions

# Never newer than what libtorch itself asks for. RHEL 8, Debian 10 and Ubuntu 20.04 have all of it.
CEILINGS = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 22), "CXXABI": (1, 3, 11), "GCC": (4, 5, 0)}
PLATFORMS = {"linux-x86_64": "ld-linux-x86-64.so.2", "linux-aarch64": "ld-linux-aarch64.so.1"}
SYSTEM = {"libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libgcc_s.so.1"}
NEEDED = {
    "libspark_classify_onnx.so": SYSTEM,
    "libspark_classify_torch.so": SYSTEM | {"libstdc++.so.6", "libtorch_cpu.so", "libc10.so"},
    "libonnxruntime.so": SYSTEM | {"libstdc++.so.6"},
}
OWN = [name for name in NEEDED if name.startswith("libspark_classify")]

# Functions with instructions beyond x86-64-v2 have in their names what they are made for, and are called where the
# processor was asked for it. By whom:
DISPATCHED = re.compile(
    r"avx2|avx512|"  # imaging (is_x86_feature_detected), libjpeg-turbo, dav1d, memchr and simdutf8 (the same)
    r"_avx[._]|_avx$|"  # dav1d
    r"pclmulqdq|f16c|"  # crc32fast, half
    r"3aes.*2ni|aes_ni|"  # aes, which zip in tch brings
    r"with_fma4?$|"  # Rust's compiler_builtins
    r"x86_sha|4sha[12].*3x86"  # sha2, sha1
)
# VEX and EVEX encodings (all that begin with a v), BMI, AES, PCLMUL, SHA and others. tzcnt is not among them: it is bsf
# to processors that do not know it, and compilers use it where both give the same.
NEWER = re.compile(
    r"v[a-z0-9]+|andn[lq]?|bextr[lq]?|bls(i|r|msk)[lq]?|bzhi[lq]?|mulx[lq]?|pdep[lq]?|pext[lq]?|(ror|sar|shl|shr)x[lq]?|"
    r"ad[co]x[lq]?|lzcnt[wlq]?|movbe[wlq]?|aes[a-z0-9]+|pclmul[a-z]*|sha(1|256)[a-z0-9]+|gf2p8[a-z0-9]+|rdrand|rdseed"
)


@pytest.fixture(scope="module", params=PLATFORMS)
def platform(request):
    return request.param


@pytest.fixture(scope="module")
def libraries(jar, platform, tmp_path_factory):
    """The folder of a platform's libraries: out of the jar, or else as scripts/build_natives.sh left them."""
    folder = tmp_path_factory.mktemp("native")
    with zipfile.ZipFile(jar) as archive:
        if f"native/{platform}/{OWN[0]}" in archive.namelist():
            for name in NEEDED:
                (folder / name).write_bytes(archive.read(f"native/{platform}/{name}"))
            return folder
    if not (ROOT / "target/natives" / platform / OWN[0]).exists():
        pytest.skip(f"neither the jar nor target/natives has {platform}: scripts/build_natives.sh makes it")
    for name in OWN:
        (folder / name).symlink_to(ROOT / "target/natives" / platform / name)
    (folder / "libonnxruntime.so").symlink_to(ROOT / "spark-udf-jvm/build/onnxruntime" / platform / "libonnxruntime.so")
    return folder


def readelf(*args):
    return subprocess.run(["readelf", "-W", *map(str, args)], check=True, capture_output=True, text=True).stdout


def assert_runs_on_older_systems(file):
    found = re.findall(rf"Name: ({'|'.join(CEILINGS)})_(\d+(?:\.\d+)+)", readelf("-V", file))
    assert "GLIBC" in dict(found)
    newer = [(name, version) for name, version in found if tuple(map(int, version.split("."))) > CEILINGS[name]]
    assert not newer


@pytest.mark.parametrize("name", NEEDED)
def test_needs_nothing_but_the_named_libraries(libraries, platform, name):
    dynamic = readelf("-d", libraries / name)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    assert needed, "readelf printed no dependency at all"
    assert needed <= NEEDED[name] | {PLATFORMS[platform]}
    # ONNX Runtime looks for its own parts beside itself; ours look nowhere.
    assert set(re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic)) <= (set() if name in OWN else {"$ORIGIN"})


@pytest.mark.parametrize("name", NEEDED)
def test_runs_on_older_systems(libraries, name):
    assert_runs_on_older_systems(libraries / name)


@pytest.mark.parametrize("name", NEEDED)
def test_is_of_its_platform_and_safe_to_map(libraries, platform, name):
    machine = {"linux-x86_64": "X86-64", "linux-aarch64": "AArch64"}[platform]
    assert re.search(rf"Machine:.*{machine}", readelf("-h", libraries / name))
    assert re.search(r"GNU_STACK.* RW ", readelf("-l", libraries / name)), "the stack would be executable"
    assert "TEXTREL" not in readelf("-d", libraries / name)


@pytest.mark.parametrize("name", OWN)
def test_exports_the_natives_only(libraries, name):
    exported = [
        symbol.split("@")[0]
        for symbol in re.findall(
            r"^ *\d+: \w+ +\d+ \w+ +(?:GLOBAL|WEAK|UNIQUE) +\w+ +(?!UND)\w+ (\S+)",
            readelf("--dyn-syms", libraries / name),
            re.M,
        )
    ]
    assert exported
    assert [
        symbol for symbol in exported if not re.match(r"Java_io_sparkclassify_natives_|JNI_On(Load|Unload)$", symbol)
    ] == []


@pytest.mark.parametrize("name", OWN)
def test_newer_instructions_are_in_dispatched_functions_only(libraries, platform, name):
    if platform != "linux-x86_64":
        pytest.skip("the compilers' default for aarch64 is the first Armv8, and objdump here knows x86")
    disassembly = subprocess.Popen(
        ["objdump", "-d", "--no-show-raw-insn", "-M", "suffix", libraries / name], stdout=subprocess.PIPE, text=True
    )
    function, functions, found = "", 0, {}
    for line in disassembly.stdout:
        if line.endswith(">:\n"):
            label = line.split("<", 1)[1]
            # The assembler's local labels are within the function before them.
            if not label.startswith("..@"):
                function, functions = label[:-3], functions + 1
        elif "\t" in line:
            instruction = line.split("\t")[1].split(" ", 1)[0].strip()
            if NEWER.fullmatch(instruction) and not DISPATCHED.search(function):
                found.setdefault(function, line.strip())
    assert disassembly.wait() == 0
    assert functions > 1000, "the symbols of the functions are missing"
    assert found == {}


def test_classify_bench_runs_on_older_systems():
    assert_runs_on_older_systems(ROOT / "target/release/classify-bench")


@pytest.mark.skipif(machine.machine() != "x86_64", reason="about processors of x86-64-v2")
@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="there is no qemu-x86_64 here (Debian: qemu-user)")
@pytest.mark.parametrize("backend", BACKENDS)
def test_engines_and_decoders_meet_no_newer_instruction(golden, tmp_path, backend):
    table = (ROOT / "dataset/image_data.csv").read_text().splitlines()[:4]
    (tmp_path / "images.csv").write_text("\n".join(table))
    done = subprocess.run(
        [
            *["qemu-x86_64", "-cpu", "Nehalem", ROOT / "target/release/classify-bench"],
            *["--images", tmp_path / "images.csv", "--image-dir", "dataset/all_images", "--model", "model"],
            *["--backend", backend, "--output", tmp_path / "predictions.csv"],
        ],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    images = [row.split(",")[0] for row in table[1:]]
    assert_matches_golden(
        read_predictions(tmp_path / "predictions.csv"), {image: golden[backend][image] for image in images}
    )
