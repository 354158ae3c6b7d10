"""Large files on an executor of 1 GB with 4 cores, all else default: it survives, and every row has its answer.

`make test-faults` runs this with the fixtures of the end-to-end tests.
"""

from __future__ import annotations

import json
import struct
from itertools import cycle, islice
from pathlib import Path

import pytest
from conftest import EXTENSION, event_log, read_events
from PIL import Image

CORES = 4
ROWS = 96

SCRIPT = r"""
import json, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
questions, answers = sys.argv[1:]
rows = list(enumerate(json.load(open(questions))))
frame = spark.createDataFrame(rows, "id int, path string").repartition(8)
answered = frame.selectExpr("id", "try_classify(path, 'onnx') AS c")
result = answered.selectExpr("id", "c.probabilities", "c.error").collect()
json.dump([[row.id, row.probabilities, row.error] for row in result], open(answers, "w"))
"""


def write_tiff(path: Path, width: int, height: int, colour: tuple[int, int, int]) -> Path:
    """An uncompressed TIFF of one colour, in strips of 16 rows."""
    strips = [min(16, height - top) * width * 3 for top in range(0, height, 16)]
    entries, values = [], b""
    values_at = 8 + 2 + 12 * 10 + 4

    def entry(tag: int, kind: int, *numbers: int) -> None:
        nonlocal values
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            packed, values = struct.pack("<I", values_at + len(values)), values + packed
        entries.append(struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0"))

    pixels_at = values_at + 6 + 8 * len(strips)
    entry(256, 4, width)
    entry(257, 4, height)
    entry(258, 3, 8, 8, 8)
    entry(259, 3, 1)
    entry(262, 3, 2)
    entry(273, 4, *(pixels_at + sum(strips[:at]) for at in range(len(strips))))
    entry(277, 3, 3)
    entry(278, 4, 16)
    entry(279, 4, *strips)
    entry(284, 3, 1)
    with path.open("wb") as file:
        file.write(struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + b"".join(entries) + bytes(4) + values)
        for length in strips:
            file.write(bytes(colour) * (length // 3))
    return path


@pytest.fixture
def classify(spark_run, jar, tmp_path):
    """The answers of files in their order, each its probabilities or its error. No executor may be lost."""

    def ask(paths: list[Path]) -> list[list[float] | str]:
        script, questions, answers = tmp_path / "job.py", tmp_path / "paths.json", tmp_path / "answers.json"
        script.write_text(SCRIPT)
        questions.write_text(json.dumps([str(path) for path in paths]))
        events = tmp_path / "events"
        spark_run(
            *["spark-submit", "--master", f"local-cluster[1,{CORES},1024]", "--jars", jar, "--conf", EXTENSION],
            *["--conf", "spark.classify.model=model"],
            *[*event_log(events), script, questions, answers],
        )
        log = read_events(events)
        # Executors go when the application does, and not before.
        last_job = max(at for at, event in enumerate(log) if event["Event"] == "SparkListenerJobEnd")
        assert [event for event in log[:last_job] if event["Event"] == "SparkListenerExecutorRemoved"] == []
        ends = {event["Task End Reason"]["Reason"] for event in log if event["Event"] == "SparkListenerTaskEnd"}
        assert ends == {"Success"}
        rows = sorted(json.loads(answers.read_text()))
        assert [row[0] for row in rows] == list(range(len(paths)))
        return [probabilities if error is None else error for _, probabilities, error in rows]

    return ask


COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


@pytest.mark.parametrize(("width", "height"), [(3600, 3600), (4900, 4830)], ids=["39MB", "71MB"])
def test_many_large_tiffs(classify, tmp_path, width, height):
    large = [write_tiff(tmp_path / f"large{at}.tiff", width, height, colour) for at, colour in enumerate(COLOURS)]
    small = [write_tiff(tmp_path / f"small{at}.tiff", 64, 64, colour) for at, colour in enumerate(COLOURS)]
    answers = classify([*islice(cycle(large), ROWS), *small])
    expected = answers[ROWS:]
    assert len({tuple(answer) for answer in expected}) == len(COLOURS)
    for answer, right in zip(answers, cycle(expected), strict=False):
        assert answer == pytest.approx(right, abs=1e-5)


def test_a_mixture(classify, tmp_path, golden):
    colour = COLOURS[0]
    large = write_tiff(tmp_path / "large.tiff", 4900, 4830, colour)
    small = write_tiff(tmp_path / "small.tiff", 64, 64, colour)
    progressive, tiny = tmp_path / "progressive.jpg", tmp_path / "tiny.jpg"
    Image.new("RGB", (4000, 3000), colour).save(progressive, progressive=True)
    Image.new("RGB", (64, 64), colour).save(tiny)
    photograph, huge = tmp_path / "photograph.jpg", tmp_path / "huge.jpg"
    Image.new("RGB", (12000, 9000), colour).save(photograph)
    Image.new("RGB", (12000, 9000), colour).save(huge, progressive=True)
    beyond = write_tiff(tmp_path / "beyond.tiff", 12000, 9000, colour)
    names = sorted(golden["onnx"])
    cards = [Path("dataset/all_images") / name for name in names]
    paths = [large, cards[0], progressive, photograph, large, small, cards[1], huge, beyond, tiny, large, cards[2]] * 8
    answers = classify(paths)
    by_path = dict(zip(paths, answers, strict=True))
    right = {
        large: by_path[small],
        small: by_path[small],
        progressive: by_path[tiny],
        # 324 MB of pixels, of which there are never more than a strip.
        photograph: by_path[tiny],
        tiny: by_path[tiny],
        **{card: golden["onnx"][name] for card, name in zip(cards[:3], names, strict=False)},
    }
    wrong = {huge: "image.maxMemory", beyond: "image.maxBytes"}
    for path, answer in zip(paths, answers, strict=True):
        if path in right:
            assert answer == pytest.approx(right[path], abs=1e-4), path
        else:
            assert f"spark.classify.{wrong[path]}" in answer, path
