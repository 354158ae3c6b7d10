"""`progress` where Spark lacks the jar or goes away; what it shows is tested on running sessions (tests/e2e)."""

from __future__ import annotations

import io
import sys
import types
from types import SimpleNamespace

import pytest

import spark_classify
from spark_classify import ClassifyError


class JavaPackage:
    """What py4j takes a class for that is not there; it has every name, and cannot be called."""

    def __getattr__(self, name: str) -> JavaPackage:
        return JavaPackage()


@pytest.fixture(autouse=True)
def py4j(monkeypatch: pytest.MonkeyPatch) -> None:
    # It comes with pyspark, which exporting does without.
    monkeypatch.setitem(sys.modules, "py4j", types.ModuleType("py4j"))
    gateway = types.ModuleType("py4j.java_gateway")
    gateway.JavaPackage = JavaPackage
    monkeypatch.setitem(sys.modules, "py4j.java_gateway", gateway)


def session(running: object) -> SimpleNamespace:
    jvm = SimpleNamespace(
        io=SimpleNamespace(sparkclassify=SimpleNamespace(info=SimpleNamespace(RunningImages=running)))
    )
    context = SimpleNamespace(isStopped=lambda: False)
    return SimpleNamespace(_jvm=jvm, _jsc=SimpleNamespace(sc=lambda: context), _jsparkSession=None)


def fails(*_: object) -> None:
    raise ConnectionError("the JVM is gone")


def test_without_the_jar_it_says_so_before_anything_runs() -> None:
    progress = spark_classify.progress(session(JavaPackage()), file=io.StringIO())
    with pytest.raises(ClassifyError, match="started without spark-classify"), progress:
        pytest.fail("the block should not run")


def test_the_exception_of_the_block_is_the_one_that_comes(capfd: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    progress = spark_classify.progress(session(SimpleNamespace(since=fails)), interval=0.001, file=out)
    with pytest.raises(KeyError, match="mine"), progress:
        progress._over.wait(0.05)
        raise KeyError("mine")
    assert out.getvalue().startswith("0 images"), "what was known is shown"
    assert "Traceback" not in capfd.readouterr().err, "nor does the thread speak of it"


def test_what_fails_to_the_end_is_told_where_nothing_else_is() -> None:
    progress = spark_classify.progress(session(SimpleNamespace(since=fails)), file=io.StringIO())
    with pytest.raises(ConnectionError, match="the JVM is gone"), progress:
        pass
