"""The commands of the pages name files, targets, options and keys that exist, and Spark takes those for it."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import zipfile
from pathlib import Path

import commands
import pytest
from commands import SPARK, WrongCommand
from conftest import ROOT
from pages import blocks, pages

# Keys that Spark puts together, some of them with a name of the user's.
MADE = (
    r"spark\.(executorEnv|yarn\.appMasterEnv)\.\w+|spark\.(executor|task)\.resource\.gpu\.\w+"
    r"|spark\.kubernetes\.authenticate\.driver\.serviceAccountName"
)
STARTS = "|".join(re.escape(program) for program in [*commands.CHECKS, ".venv/", ".venv-reference/", "scripts/"])


IN_TEXT = r"make|gradle|cargo|pytest|spark-classify|classify-bench|\.venv\S+|scripts/\S+"


def scripts() -> dict[str, str]:
    """Where a script stands, and what it is: the blocks of commands, and what an example types behind a `$`."""
    found = {}
    for block in blocks():
        if block.language == "sh":
            found[str(block)] = block.text
        elif not block.language:
            typed = re.findall(r"^\$ (.+)$", block.text, re.MULTILINE)
            if typed or re.match(rf"(?:[A-Z_]+=\S+ )*(?:{STARTS})", block.text):
                found[str(block)] = "\n".join(typed) or block.text
    return found


def in_text() -> dict[str, str]:
    """The commands that stand within a sentence."""
    found = {}
    for page in pages():
        text = re.sub(r"^( *)```.*?^\1```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for number, code in enumerate(re.findall(r"`([^`]+)`", text)):
            code = " ".join(code.split())
            if re.match(rf"(?:[A-Z_]+=\S+ )*(?:{IN_TEXT}) \S", code):
                found[f"{page.relative_to(ROOT)} {number}"] = code
    return found


SUBMITS = {
    f"{place} {number}": command[1:]
    for place, script in scripts().items()
    for number, command in enumerate(commands.commands(script))
    if command[0] in SPARK
}


@pytest.mark.parametrize("script", [pytest.param(text, id=place) for place, text in {**scripts(), **in_text()}.items()])
def test_commands_name_what_exists(script):
    for command in commands.commands(script):
        commands.check(command)


@pytest.mark.parametrize(
    "wrong",
    [
        "make no-such-target",
        "make bench NO_SUCH=1",
        'make bench BENCH="--only no-such-contender"',
        "gradle --quiet noSuchTask",
        "gradle test -Psuite=NoSuchSuite",
        "cargo test -p no-such-crate",
        "python scripts/no_such.py",
        "python scripts/quantize_model.py model --no-such-option",
        "scripts/no_such.sh",
        "spark-classify export --no-such-option",
        "target/release/classify-bench --no-such-option",
        "kubectl apply -f examples/none.yaml",
        "x=1; no-such-program",
        'spark-submit --jars "$(spark-classify jarz)" job.py',
    ],
)
def test_a_wrong_command_would_be_found(wrong):
    with pytest.raises(WrongCommand):
        for command in commands.commands(wrong):
            commands.check(command)


@pytest.fixture(scope="module")
def strings_of_spark() -> bytes:
    """The class files of Spark, which hold the names of its configuration keys."""
    jars = [
        jar
        for part in ["core", "yarn", "kubernetes", "common-utils", "sql", "catalyst"]
        for jar in Path(os.environ["SPARK_HOME"], "jars").glob(f"spark-{part}_*.jar")
    ]
    contents = []
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            contents += [archive.read(name) for name in archive.namelist() if name.endswith(".class")]
    return b"".join(contents)


def settings(arguments: list[str]) -> dict[str, str]:
    pairs = [value for option, value in itertools.pairwise(arguments) if option == "--conf"]
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize("arguments", [pytest.param(arguments, id=place) for place, arguments in SUBMITS.items()])
def test_spark_takes_the_command(arguments, strings_of_spark):
    home = os.environ["SPARK_HOME"]
    launcher = [
        "java",
        "-cp",
        f"{home}/jars/*",
        "org.apache.spark.launcher.Main",
        "org.apache.spark.deploy.SparkSubmit",
    ]
    # What the shells start is no program of the user's.
    if not any(argument.endswith((".py", ".jar")) and not argument.startswith("--") for argument in arguments[-1:]):
        arguments = [*arguments, "--class", "org.example.Shell", "spark-internal"] if is_shell(arguments) else arguments
    # The scripts of Spark set it, from which the launcher tells where a build of Spark has its classes; any will do.
    environment = {**os.environ, "SPARK_HOME": home, "SPARK_SCALA_VERSION": "2.13"}
    done = subprocess.run([*launcher, *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and "Error" not in done.stderr, done.stderr
    # The launcher gives the options on as it has understood them, and then the program.
    assert done.stdout.rstrip("\0\n").split("\0")[-1] == arguments[-1]
    known = (ROOT / "docs/configuration.md").read_text()
    for key in settings(arguments):
        if key.startswith("spark.classify."):
            assert f"`{key}`" in known, key
        else:
            assert re.fullmatch(MADE, key) or key.encode() in strings_of_spark, key


def is_shell(arguments: list[str]) -> bool:
    """Whether there is no program among the options."""
    return all(word.startswith("--") for word in arguments[::2])


def test_an_option_that_does_not_exist_would_be_found(strings_of_spark):
    with pytest.raises(AssertionError, match="Unrecognized option"):
        test_spark_takes_the_command(["--master", "yarn", "--no-such-option", "x", "job.py"], strings_of_spark)
    with pytest.raises(AssertionError, match="memoryOverhed"):
        test_spark_takes_the_command(["--conf", "spark.executor.memoryOverhed=1g", "job.py"], strings_of_spark)


def job_options() -> set[str]:
    sources = [*(commands.JVM / "src/main").rglob("job/*.scala"), *(commands.JVM / "src/main").rglob("job/*.java")]
    return set(re.findall(r"--[a-z][a-z-]*", "".join(path.read_text() for path in sources)))


JOBS = {place: words for place, words in SUBMITS.items() if "io.sparkclassify.ClassifyJob" in words}


@pytest.mark.parametrize("arguments", [pytest.param(arguments, id=place) for place, arguments in JOBS.items()])
def test_the_job_has_the_options(arguments):
    (jar,) = [
        number for number, word in enumerate(arguments) if word.endswith(".jar") and arguments[number - 1] != "--jars"
    ]
    assert {word for word in arguments[jar:] if word.startswith("--")} <= job_options()


KEYS = re.compile(r"\bspark\.classify\.[A-Za-z][A-Za-z.]*[A-Za-z]")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_keys_exist(page):
    known = KEYS.findall((ROOT / "docs/configuration.md").read_text())
    for key in KEYS.findall(page.read_text()):
        assert any(name == key or name.startswith(f"{key}.") for name in known) or key.startswith(
            "spark.classify.models."
        ), key
