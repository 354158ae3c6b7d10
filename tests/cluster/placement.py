"""What the tests of this folder share: how applications are started, and what is asked of them."""

from __future__ import annotations

from collections import Counter

import pytest
from conftest import BACKENDS, EXTENSION, ROOT
from standalone import SHORT_LIVED, Cluster

MODEL = f"file:{ROOT}/model"


def common(cluster: Cluster, cores: int = 2) -> list[str]:
    """Options by which an application has so many executors of one core each, and waits for them."""
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.extraJavaOptions": SHORT_LIVED,
        "spark.executor.extraJavaOptions": SHORT_LIVED,
        "spark.executor.cores": "1",
        "spark.cores.max": str(cores),
        # Tasks do not wait for the executor that has their input.
        "spark.locality.wait": "0",
        "spark.scheduler.minRegisteredResourcesRatio": "1",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "120s",
        "spark.classify.model": MODEL,
    }
    options = [word for key, value in settings.items() for word in ("--conf", f"{key}={value}")]
    return ["--master", cluster.url, "--conf", EXTENSION, *options]


def assert_right(answers: dict[str, list], golden, backends: list[str] = BACKENDS) -> None:
    for backend in backends:
        rows = dict(answers[backend])
        assert len(rows) == len(answers[backend]) and rows.keys() == golden[backend].keys()
        for image, expected in golden[backend].items():
            assert rows[image] == pytest.approx(expected, abs=1e-4), (backend, image)


def assert_loaded_once(cluster: Cluster, executors: int, models: dict[str, int]) -> None:
    """Each executor, of all applications, says of each model that it was loaded, once for each backend."""
    loads = cluster.model_loads()
    assert len(loads) == executors
    assert all(found == Counter(models) for found in loads.values()), loads
