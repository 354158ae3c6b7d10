"""What is checked of a command in a page, by the program that it starts: files, targets and options that it names."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache

from conftest import ROOT

sys.path.insert(0, str(ROOT / "python/src"))
from spark_classify import cli

JVM = ROOT / "spark-udf-jvm"


class WrongCommand(Exception):
    """A command that cannot work, with the reason."""


def require(condition: object, problem: str) -> None:
    if not condition:
        raise WrongCommand(problem)


def commands(text: str) -> list[list[str]]:
    """The commands of a script, without comments, redirections and what comes from here-documents."""
    text = re.sub(r"<<'?(\w+)'?\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(^|\s)# .*$", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    # What a command is replaced by, is one as well.
    inner = [command for match in re.findall(r"\$\(([^)]*)\)", text) for command in commands(match)]
    text = re.sub(r"\$\([^)]*\)", "…", text)
    words = shlex.shlex(f"{text}\n", posix=True, punctuation_chars="();&|\n")
    words.whitespace, words.commenters, words.whitespace_split = " \t", "", True
    found: list[list[str]] = []
    command: list[str] = []
    for word in words:
        if re.fullmatch(r"[();&|\n]+", word):
            found += [command] if command else []
            command = []
        else:
            command.append(word)
    return [plain for command in [*inner, *found] if (plain := without_settings(command))]


def without_settings(command: list[str]) -> list[str]:
    """A command without the variables that it is given in front."""
    command = command[command[0] == "export" :]
    while command and re.match(r"[A-Z_]+=", command[0]):
        command = command[1:]
    return command


def check(command: list[str]) -> None:
    """Raises WrongCommand with what is wrong."""
    program, *arguments = command
    if program in CHECKS:
        CHECKS[program](arguments)
    elif program.startswith((".venv/", ".venv-reference/")):
        _python(arguments)
    elif program.startswith("scripts/"):
        require((ROOT / program).is_file(), f"there is no {program}")
    else:
        raise WrongCommand(f"nothing is known of the program {program}")


def _file(name: str) -> None:
    require((ROOT / name).exists(), f"there is no {name}")


def _options(arguments: list[str]) -> list[str]:
    return [argument.partition("=")[0] for argument in arguments if argument.startswith("--") and argument != "--"]


def _make(arguments: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for argument in arguments:
        name, is_setting, value = argument.partition("=")
        if not is_setting:
            require(re.search(rf"^{re.escape(name)}:", makefile, re.MULTILINE), f"there is no target {name}")
            continue
        require(re.search(rf"\b{name}\b", makefile), f"the Makefile reads no {name}")
        if name == "BENCH":
            _benchmark(shlex.split(value))


def _benchmark(arguments: list[str]) -> None:
    programs = "".join(path.read_text() for path in (ROOT / "benchmarks").glob("*.py"))
    for option in _options(arguments):
        require(f'"{option}"' in programs, f"no benchmark has the option {option}")
    for option, value in itertools.pairwise(arguments):
        if option in ("--only", "--set"):
            unknown = [name for name in value.split(",") if not re.search(rf'"{name}"|\b{name}\b', programs)]
            require(not unknown, f"there is no contender or set {', '.join(unknown)}")


def _gradle(arguments: list[str]) -> None:
    build = (ROOT / "build.gradle").read_text()
    for argument in arguments:
        if match := re.fullmatch(r"-P(\w+)=(.*)", argument, re.DOTALL):
            require(f"'{match[1]}'" in build, f"the build reads no property {match[1]}")
            if match[1] == "suite":
                for suite in match[2].split(","):
                    require(suite == "NAME" or list(JVM.rglob(f"{suite}.scala")), f"there is no suite {suite}")
        elif not argument.startswith("-"):
            task = rf"task {argument}\b|\w+Task(?:\(|\s)\(?'{argument}'|compileScalaTask\('{argument}'"
            require(re.search(task, build), f"there is no task {argument}")


@cache
def _crates() -> dict[str, set[str]]:
    """The names of a crate's programs, examples and tests."""
    listed = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    packages = json.loads(listed.stdout)["packages"]
    return {package["name"]: {target["name"] for target in package["targets"]} for package in packages}


def _cargo(arguments: list[str]) -> None:
    for option, value in itertools.pairwise(arguments):
        if option == "-p":
            require(value in _crates(), f"there is no crate {value}")
        if option in ("--bin", "--example", "--test"):
            require(any(value in targets for targets in _crates().values()), f"there is no target {value}")


def _python(arguments: list[str]) -> None:
    if arguments[:2] == ["-m", "pytest"]:
        _pytest(arguments[2:])
    elif arguments and arguments[0].endswith(".py"):
        _file(arguments[0])
        source = (ROOT / arguments[0]).read_text()
        if arguments[0].startswith("benchmarks/"):
            _benchmark(arguments[1:])
            return
        for option in _options(arguments[1:]):
            require(f'"{option}"' in source, f"{arguments[0]} has no option {option}")


def _pytest(arguments: list[str]) -> None:
    for argument in arguments:
        if "/" in argument and "…" not in argument:
            _file(argument)


@cache
def _bench_help() -> str:
    program = ROOT / "target/release/classify-bench"
    return subprocess.run([program, "--help"], check=True, capture_output=True, text=True).stdout


def _photos(arguments: list[str]) -> None:
    require("classify-photos" in _crates()["classify-tools"], "there is no program classify-photos")
    require(len(arguments) == 4, "classify-photos takes FILE SIDE SECONDS WAY")


def _classify_bench(arguments: list[str]) -> None:
    for option in _options(arguments):
        require(re.search(rf"^ +{option}\b", _bench_help(), re.MULTILINE), f"classify-bench has no option {option}")


def _spark_classify(arguments: list[str]) -> None:
    (commands_of,) = [action.choices for action in cli.parser()._actions if action.dest == "command"]
    require(arguments[0] in commands_of, f"spark-classify has no command {arguments[0]}")
    known = commands_of[arguments[0]]._option_string_actions
    for option in _options(arguments):
        require(option in known, f"spark-classify {arguments[0]} has no option {option}")


def _kubectl(arguments: list[str]) -> None:
    for option, value in itertools.pairwise(arguments):
        if option == "-f":
            _file(value)


def _pip(arguments: list[str]) -> None:
    require(arguments[0] == "install", f"pip {arguments[0]}")
    for option, value in itertools.pairwise(arguments):
        if option == "-r":
            _file(value)


def _of_others(arguments: list[str]) -> None:
    """Nothing of this project is in it."""


# Those of Spark are in test_commands.py, which asks Spark itself.
SPARK = ["spark-submit", "spark-sql", "spark-shell", "pyspark"]
CHECKS: dict[str, Callable[[list[str]], None]] = {
    "make": _make,
    "gradle": _gradle,
    "cargo": _cargo,
    "python": _python,
    "python3": _python,
    "pytest": _pytest,
    "pip": _pip,
    "pip3": _pip,
    "spark-classify": _spark_classify,
    "classify-bench": _classify_bench,
    "target/release/classify-bench": _classify_bench,
    "target/release/classify-photos": _photos,
    "kubectl": _kubectl,
    "source": lambda arguments: _file(arguments[0]),
    **dict.fromkeys(
        ["cat", "cp", "docker", "echo", "gcloud", "git", "ls", "optimum-cli", "rustup", "sha256sum", "uname"],
        _of_others,
    ),
    **dict.fromkeys(SPARK, _of_others),
}
