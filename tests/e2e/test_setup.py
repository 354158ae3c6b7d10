"""What `scripts/setup.sh` says on a machine that lacks something: one sentence with the way out, and no backtrace.

It runs in a copy of the few files that it reads, with a PATH of real programs and stand-ins for those of the machine
that a case is about.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

REAL = ["bash", "cat", "cut", "dirname", "env", "grep", "head", "mktemp", "rm", "sed", "sh", "sort", "tail", "uname"]
# What a machine has that lacks nothing, as far as setup.sh asks.
HEALTHY = {
    **dict.fromkeys(["cc", "c++", "cmake", "nasm", "gradle", "meson", "ninja", "cargo"], "exit 0"),
    "id": "echo 1000",
    "javac": "echo javac 17.0.21",
    "python3": "exit 0",
    "rustc": "echo 'rustc 1.95.0 (0123456789 2026-03-21)'",
}
NO_PYTHON_VENV = 'case "$2" in *ensurepip*) exit 1;; esac'
OLD_PYTHON = 'case "$*" in --version) echo Python 3.9.2;; *version_info*) exit 1;; esac'
# rustup's stand-in for a tool chain, and what the one of a Mac says without a JDK.
NO_TOOL_CHAIN = """echo 'error: rustup could not choose a version of rustc to run
stack backtrace:
   0: std::backtrace' >&2; exit 1"""
NO_JDK = "echo 'The operation could not be completed. Unable to locate a Java Runtime.' >&2; exit 1"

CASES = {
    "no compiler, and not root": ({"cc": None, "c++": None}, ["build-essential", "sudo apt-get install"]),
    "no python3-venv, and not root": ({"python3": NO_PYTHON_VENV}, ["python3-venv", "sudo apt-get install"]),
    "no JDK, and not root": ({"javac": None}, ["openjdk-17-jdk-headless", "sudo apt-get install"]),
    "no JDK, and root without apt": ({"javac": None, "id": "echo 0"}, ["openjdk-17-jdk-headless"]),
    "no JDK, and no packages": (
        {"javac": None, "id": "echo 0", "apt-get": "echo 'E: Unable to locate package' >&2; exit 100"},
        ["apt-get cannot install openjdk-17-jdk-headless", "E: Unable to locate package"],
    ),
    "a javac that does not run": ({"javac": NO_JDK}, ["javac does not run", "JDK 17"]),
    "JDK 11": ({"javac": "echo javac 11.0.25"}, ["javac 11", "JDK 17", "JAVA_HOME"]),
    "JDK 8": ({"javac": "echo javac 1.8.0_432 >&2"}, ["javac 8", "JDK 17", "JAVA_HOME"]),
    "old Python": ({"python3": OLD_PYTHON}, ["Python 3.9.2 is too old", "3.11"]),
    "no Rust": ({"cargo": None, "rustc": None}, ["cargo is missing", "rustup"]),
    "Rust without a tool chain": ({"rustc": NO_TOOL_CHAIN}, ["no Rust tool chain", "rustup toolchain install"]),
    "old Rust": ({"rustc": "echo 'rustc 1.70.0 (90c541806 2023-05-31)'"}, ["rustc 1.70.0", "rustup update"]),
    "another system": ({"uname": "echo Darwin"}, ["Linux", "Darwin"]),
}


@pytest.fixture
def setup(tmp_path):
    """Runs setup.sh where programs are other ones (the text of a script) or missing (None)."""
    project, programs = tmp_path / "project", tmp_path / "bin"
    (project / "scripts").mkdir(parents=True)
    programs.mkdir()
    shutil.copy(ROOT / "Cargo.toml", project)
    for file in ["setup.sh", "requirements.txt", "requirements-libtorch.txt"]:
        shutil.copy(ROOT / "scripts" / file, project / "scripts")

    def run(other: dict[str, str | None], *options: str, **environment: str) -> subprocess.CompletedProcess:
        for name in REAL:
            (programs / name).unlink(missing_ok=True)
            (programs / name).symlink_to(shutil.which(name))
        for name, script in {**HEALTHY, **other}.items():
            program = programs / name
            program.unlink(missing_ok=True)
            if script is not None:
                program.write_text(f"#!/bin/sh\n{script}\n")
                program.chmod(0o755)
        return subprocess.run(
            [project / "scripts/setup.sh", *options],
            env={"PATH": str(programs), "HOME": str(tmp_path), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    run.project = project
    return run


def sentence(done: subprocess.CompletedProcess) -> str:
    """The one line on stderr."""
    assert done.returncode == 1, done
    (line,) = done.stderr.splitlines()
    assert line.startswith("[setup] error: "), done
    return line


@pytest.mark.parametrize("case", CASES)
def test_one_sentence_says_what_is_missing(setup, case):
    other, parts = CASES[case]
    line = sentence(setup(other))
    for part in parts:
        assert part in line


def test_no_package_index(setup):
    python = f'exec {Path(sys.executable).resolve()} "$@"'
    done = setup(
        {"python3": python}, PIP_INDEX_URL="http://127.0.0.1:9/simple", PIP_RETRIES="0", PIP_CONFIG_FILE="/dev/null"
    )
    line = sentence(done)
    assert "scripts/requirements.txt" in line and "package index" in line
    # The environment is made anew by the next run.
    assert not (setup.project / ".venv/.made-from").exists()


@pytest.mark.parametrize(
    ("javac", "parts"),
    [(None, ["no bin/javac", "JDK 17", "unset it"]), ("echo javac 11.0.25", ["bin/javac 11 is too old"])],
)
def test_java_home_comes_before_path(setup, tmp_path, javac, parts):
    program = tmp_path / "jdk/bin/javac"
    program.parent.mkdir(parents=True)
    if javac:
        program.write_text(f"#!/bin/sh\n{javac}\n")
        program.chmod(0o755)
    line = sentence(setup({}, JAVA_HOME=str(tmp_path / "jdk")))
    for part in ["JAVA_HOME", str(tmp_path / "jdk"), *parts]:
        assert part in line


# Makes a Python that installs nothing, and notes that it did.
MAKES_A_PYTHON = """case "$*" in
--version) echo Python $VERSION ;;
"-m venv --clear "*) /bin/mkdir -p "$4/bin" && echo "#!/bin/sh" >"$4/bin/python" && /bin/chmod +x "$4/bin/python" ;;
esac"""


def test_an_environment_is_of_its_requirements_and_of_this_python(setup):
    """It is made anew where one of both has changed, and where it was not finished."""
    requirements = setup.project / "scripts/requirements-docs.txt"
    requirements.write_text("mkdocs==1\n")
    stamp = setup.project / ".venv-docs/.made-from"

    def is_made(version: str) -> bool:
        options = ["--environment", ".venv-docs", "scripts/requirements-docs.txt"]
        done = setup({"python3": MAKES_A_PYTHON}, *options, VERSION=version)
        assert done.returncode == 0 and stamp.exists(), done
        return "making .venv-docs" in done.stdout

    assert is_made("3.11.7") and not is_made("3.11.7")
    assert is_made("3.12.1") and not is_made("3.12.1")
    requirements.write_text("mkdocs==2\n")
    assert is_made("3.12.1") and not is_made("3.12.1")
    stamp.unlink()
    assert is_made("3.12.1")


def test_native_libraries_of_another_platform_do_not_stay(tmp_path):
    """What `NATIVES` leaves out is not in target/natives afterwards, from where the jar takes all that is there."""
    for folder in ("scripts", "bin", "target/release", "target/natives/linux-other"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(ROOT / "scripts/build_natives.sh", tmp_path / "scripts")
    for program in ("scripts/setup.sh", "scripts/env.sh", "bin/cargo"):
        (tmp_path / program).write_text("#!/bin/sh\n")
        (tmp_path / program).chmod(0o755)
    for engine in ("onnx", "torch"):
        (tmp_path / f"target/release/libspark_classify_{engine}.so").touch()
    own = f"linux-{os.uname().machine}"
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "NATIVES": own}
    subprocess.run([tmp_path / "scripts/build_natives.sh"], env=environment, check=True)
    assert [folder.name for folder in (tmp_path / "target/natives").iterdir()] == [own]
