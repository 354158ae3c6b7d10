"""python/README.md: its snippets, run one after the other, say what stands below them."""

from __future__ import annotations

import re

from conftest import ROOT

README = (ROOT / "python/README.md").read_text()


def test_the_snippets_run(spark_run, jar, tmp_path):
    program = tmp_path / "readme.py"
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", README, re.M | re.S))
    for name, path in {
        "/models/id-card": ROOT / "model",
        "/predictions": tmp_path / "predictions",
        '"/images"': f'"{ROOT}/dataset/all_images"',
    }.items():
        assert name in code
        code = code.replace(name, str(path))
    program.write_text(code)
    options = ["--master", "local[2]", "--jars", jar]
    done = spark_run("spark-submit", *options, program, env={"PYTHONPATH": str(ROOT / "python/src")})
    for block in re.findall(r"(?:^    .+\n)+", README, re.M):
        if "CLASSIFY_" in block:
            assert " ".join(block.split()) in " ".join(done.stdout.split())
    # spark-submit hands on what a program writes to either of its outputs as one.
    assert re.search(r"^120 images, [\d,.]+ images/s, 0 bad$", done.stdout, re.M)
    assert len(re.findall(r"\|\s*(?:font_issue|valid_id|crop_and_replace)\s*\|", done.stdout)) == 10
    assert re.search(r"driver\|\s*onnx\|\s*true", done.stdout)
