"""The job on YARN in both deploy modes, with its model as an archive: all rows are right, and it is loaded once."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from conftest import EXTENSION, ROOT, assert_matches_golden, read_predictions
from standalone import LOADED, SHORT_LIVED, wait_until


@pytest.fixture(scope="module")
def yarn(tmp_path_factory):
    """The folder of a YARN of two nodes: yarn-site.xml, and its containers' logs below `target`."""
    address = socket.gethostbyname(socket.gethostname())
    if not address.startswith("127."):
        pytest.skip(f"YARN listens where this host's name points to, which is {address} and not loopback")
    (client,) = Path(os.environ["SPARK_HOME"], "jars").glob("hadoop-client-api-*.jar")
    version = re.fullmatch(r"hadoop-client-api-(.+)\.jar", client.name).group(1)
    command = ["gradle", "--quiet", "-p", "tests/yarn", f"-PhadoopVersion={version}", "jars"]
    jars = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    folder = tmp_path_factory.mktemp("yarn")
    class_path = ":".join([str(folder), *jars, f"{os.environ['SPARK_HOME']}/jars/*"])
    subprocess.run(["javac", "-d", folder, "-cp", class_path, ROOT / "tests/yarn/YarnCluster.java"], check=True)
    opens = ["--add-opens", "java.base/java.lang=ALL-UNNAMED"]
    log = folder / "yarn.log"
    with log.open("w") as output:
        cluster = subprocess.Popen(
            # Its nodes lie in the working directory, and its file system is the local one.
            ["java", *opens, *SHORT_LIVED.split(), "-cp", class_path, "YarnCluster", folder],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until("the start of YARN", (folder / "yarn-site.xml").exists, cluster, log)
        yield folder
    finally:
        cluster.stdin.close()
        try:
            cluster.wait(timeout=60)
        except subprocess.TimeoutExpired:
            cluster.kill()


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_the_job_in_both_deploy_modes(spark_run, yarn, jar, golden, tmp_path, mode):
    archive, output = tmp_path / "cards.tar.gz", tmp_path / "output"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ["config.json", "preprocessor_config.json", "model.onnx"]:
            tar.add(ROOT / "model" / name, arcname=name)
    before = set(yarn.glob("target/**/stderr"))
    settings = {
        # Nothing is copied of Spark, which is on all nodes.
        "spark.yarn.jars": f"local:{os.environ['SPARK_HOME']}/jars/*",
        "spark.yarn.am.memory": "512m",
        "spark.driver.memory": "512m",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        "spark.executor.memory": "512m",
        "spark.executor.instances": "2",
        "spark.locality.wait": "0",
        "spark.scheduler.minRegisteredResourcesRatio": "1",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        **({"spark.driver.host": "127.0.0.1"} if mode == "client" else {}),
    }
    done = spark_run(
        *["spark-submit", "--master", "yarn", "--deploy-mode", mode, "--conf", EXTENSION],
        *[word for key, value in settings.items() for word in ("--conf", f"{key}={value}")],
        *["--archives", f"{archive}#cards", "--class", "io.sparkclassify.ClassifyJob", jar],
        *["--images", f"file:{ROOT}/dataset/image_data.csv", "--image-dir", f"file:{ROOT}/dataset/all_images"],
        *["--model", "sparkfiles:cards", "--backend", "onnx", "--output", f"file:{output}"],
        env={"HADOOP_CONF_DIR": str(yarn), "YARN_CONF_DIR": str(yarn)},
        check=False,
    )
    logs = {log: log.read_text(errors="replace") for log in set(yarn.glob("target/**/stderr")) - before}
    shown = "\n".join(f"--- {log}\n{text[-6000:]}" for log, text in logs.items())
    assert done.returncode == 0, done.stderr[-6000:] + shown
    assert_matches_golden(read_predictions(output), golden["onnx"])
    loads = [Counter(re.sub(r"\S+/", "", model) for model in LOADED.findall(text)) for text in logs.values()]
    assert [found for found in loads if found] == [Counter({"cards": 1})] * 2, shown
