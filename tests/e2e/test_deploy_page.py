"""docs/deploy.md: its commands are ones that Spark takes, and the manifests are ones that Kubernetes takes."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import zipfile
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from conftest import ROOT

PAGE = (ROOT / "docs/deploy.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LINES = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
SUBMITS = [shlex.split(line)[1:] for line in LINES if line.startswith("spark-submit ")]
MANIFESTS = sorted((ROOT / "examples/kubernetes").glob("*.yaml"))
# Keys that Spark puts together, some of them with a name of the user's.
MADE = (
    r"spark\.(executorEnv|yarn\.appMasterEnv)\.\w+|spark\.(executor|task)\.resource\.gpu\.\w+"
    r"|spark\.kubernetes\.authenticate\.driver\.serviceAccountName"
)


@pytest.fixture(scope="module")
def strings_of_spark() -> bytes:
    """The class files of Spark, which hold the names of its configuration keys."""
    jars = [
        jar
        for part in ["core", "yarn", "kubernetes", "common-utils"]
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


def test_there_are_commands_for_each_kind_of_cluster():
    masters = {arguments[arguments.index("--master") + 1].split(":")[0] for arguments in SUBMITS}
    assert masters == {"spark", "yarn", "k8s"}


@pytest.mark.parametrize("arguments", SUBMITS, ids=lambda arguments: arguments[1])
def test_spark_takes_the_command(arguments, strings_of_spark):
    home = os.environ["SPARK_HOME"]
    launcher = [
        "java",
        "-cp",
        f"{home}/jars/*",
        "org.apache.spark.launcher.Main",
        "org.apache.spark.deploy.SparkSubmit",
    ]
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


def test_an_option_that_does_not_exist_would_be_found(strings_of_spark):
    with pytest.raises(AssertionError, match="Unrecognized option"):
        test_spark_takes_the_command(["--master", "yarn", "--no-such-option", "x", "job.py"], strings_of_spark)
    with pytest.raises(AssertionError, match="memoryOverhed"):
        test_spark_takes_the_command(["--conf", "spark.executor.memoryOverhed=1g", "job.py"], strings_of_spark)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.name)
def test_kubernetes_takes_the_manifest(manifest):
    documents = list(yaml.safe_load_all(manifest.read_text()))
    # What Spark adds to a template, without which it is no pod.
    for document in documents:
        if document["kind"] == "Pod":
            document["spec"]["containers"][0]["image"] = "spark"
        for version in ["1.28", "1.34"]:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_page_names_each_manifest():
    assert MANIFESTS
    assert all(f"examples/kubernetes/{manifest.name}" in PAGE for manifest in MANIFESTS)
