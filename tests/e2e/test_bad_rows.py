"""A table with a bad image in every hundred rows, of every kind, in `try_classify`: each row against the oracle.

SCALE_ROWS is how many rows there are: 100,000 in `make test-scale`.
"""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from conftest import CLUSTER, EXTENSION, LOCAL, ROOT, SLOW

ROWS = int(os.environ.get("SCALE_ROWS", "4000"))
EVERY = 100

SCRIPT = r"""
import sys
from pyspark.sql import SparkSession

table, output = sys.argv[1:]
spark = SparkSession.builder.getOrCreate()
rows = spark.read.parquet(table).repartition(16)
rows.selectExpr("id", "try_classify(path, 'onnx') AS c").selectExpr("id", "c.*").write.parquet(output)
"""


@dataclass(frozen=True)
class Row:
    """What a row holds, and what has to come out: probabilities, or a part of the error, or nothing of NULL."""

    path: str | None
    probabilities: list[float] | None = None
    error: str | None = None


def cut(source: Path, target: Path) -> str:
    """A copy of half of a file."""
    content = source.read_bytes()
    target.write_bytes(content[: len(content) // 2])
    return str(target)


def written(target: Path, content: bytes) -> str:
    target.write_bytes(content)
    return str(target)


def bad_rows(folder: Path) -> list[Row]:
    """One row of every kind that has no prediction."""
    dataset = ROOT / "dataset/all_images"
    jpeg, png = min(dataset.glob("*.jpg")), min(dataset.glob("*.png"))
    os.mkfifo(folder / "fifo.jpg")
    (folder / "dangling.jpg").symlink_to(folder / "nothing")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.jpg"))
    sparse = folder / "sparse.jpg"
    with sparse.open("wb") as file:
        file.truncate(1 << 30)
    huge = bytearray(png.read_bytes())
    huge[16:24] = (60000).to_bytes(4, "big") * 2
    shutil.copy(jpeg, folder / "image.jpg")
    return [
        Row(None),
        Row("", error="empty"),
        Row(str(folder / "none.jpg"), error="the file does not exist"),
        Row(str(folder / "dangling.jpg"), error="the file does not exist"),
        Row(str(folder / "image.jpg" / "below.jpg"), error="image.jpg/below.jpg"),
        Row(str(folder), error="directory"),
        Row(str(folder / "fifo.jpg"), error="a FIFO"),
        Row(str(folder / "socket.jpg"), error="a socket"),
        Row("/dev/zero", error="a character device"),
        Row(str(sparse), error="more bytes than the limit"),
        Row("nope://bucket/image.jpg", error="nope"),
        Row("http://127.0.0.1:9/image.jpg", error="spark.classify.read.schemes"),
        Row(f"{folder}/{'x' * 300}.jpg", error="File name too long"),
        Row(written(folder / "empty.jpg", b""), error="empty"),
        Row(written(folder / "text.jpg", b"this is no image\n" * 50), error="format"),
        Row(written(folder / "photo.heic", b"\0\0\0\x18ftypheic" + bytes(100)), error="HEI"),
        Row(cut(jpeg, folder / "cut.jpg"), error="JPEG"),
        Row(cut(png, folder / "cut.png"), error="PNG"),
        Row(written(folder / "huge.png", bytes(huge)), error="pixels"),
    ]


@pytest.mark.parametrize("master", [pytest.param(LOCAL, marks=SLOW), CLUSTER])
def test_each_row_has_its_answer_or_its_own_error(spark_run, jar, golden, tmp_path, master):
    good = cycle(Row(f"dataset/all_images/{image}", values) for image, values in golden["onnx"].items())
    (tmp_path / "files").mkdir()
    bad = cycle(bad_rows(tmp_path / "files"))
    rows = [next(bad) if number % EVERY == EVERY // 2 else next(good) for number in range(ROWS)]
    table, script, output = tmp_path / "table.parquet", tmp_path / "job.py", tmp_path / "output"
    pyarrow.parquet.write_table(pyarrow.table({"id": range(ROWS), "path": [row.path for row in rows]}), table)
    script.write_text(SCRIPT)
    settings = ["--conf", EXTENSION, "--conf", f"spark.classify.model=file:{ROOT}/model"]
    spark_run("spark-submit", "--master", master, "--jars", jar, *settings, script, table, output)
    answers = pyarrow.parquet.read_table(output).sort_by("id").to_pylist()
    assert [answer["id"] for answer in answers] == list(range(ROWS))
    for row, answer in zip(rows, answers, strict=True):
        if row.probabilities is None:
            assert answer["class"] is None and answer["probabilities"] is None, (row, answer)
        if row.error is not None:
            assert row.error in answer["error"] and (row.path or "")[:40] in answer["error"], (row, answer)
            continue
        assert answer["error"] is None, (row, answer)
        if row.probabilities is not None:
            assert answer["probabilities"] == pytest.approx(row.probabilities, abs=1e-4), row
            assert answer["class_id"] == max(range(3), key=row.probabilities.__getitem__), row


def test_every_kind_is_there(tmp_path):
    kinds = bad_rows(tmp_path)
    assert len({row.path for row in islice(cycle(kinds), ROWS // EVERY)}) == len(kinds)
