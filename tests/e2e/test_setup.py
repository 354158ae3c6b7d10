"""What `scripts/setup.sh` says on a machine that lacks something: one sentence with the way out, and no backtrace.

It runs in a copy of the few files that it reads, with a PATH of real programs and stand-ins for those of the machine
that a case is about.
"""

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

    def run(other: dict[str, str | None], **environment: str) -> subprocess.CompletedProcess:
        for name in REAL:
            (programs / name).symlink_to(shutil.which(name))
        for name, script in {**HEALTHY, **other}.items():
            program = programs / name
            program.unlink(missing_ok=True)
            if script is not None:
                program.write_text(f"#!/bin/sh\n{script}\n")
                program.chmod(0o755)
        return subprocess.run(
            [project / "scripts/setup.sh"],
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
