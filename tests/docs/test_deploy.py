"""docs/deploy.md: each kind of cluster has its command, and the manifests are ones that Kubernetes takes."""

from __future__ import annotations

import kubernetes_validate
import pytest
import yaml
from commands import commands
from conftest import ROOT
from pages import in_language

PAGE = (ROOT / "docs/deploy.md").read_text()
MANIFESTS = sorted((ROOT / "examples/kubernetes").glob("*.yaml"))


def test_there_are_commands_for_each_kind_of_cluster():
    scripts = in_language("sh", "docs/deploy.md")
    submits = [command for script in scripts for command in commands(script.text) if command[0] == "spark-submit"]
    masters = {arguments[arguments.index("--master") + 1].split(":")[0] for arguments in submits}
    assert masters == {"spark", "yarn", "k8s"}


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
