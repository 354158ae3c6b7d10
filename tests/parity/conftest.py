"""What the parity tests measure, and the tables that docs/parity.md shows of it."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path

import PIL
import pytest

ROOT = Path(__file__).resolve().parents[2]
MODELS = Path(__file__).parent / "models"
EMBEDDINGS = Path(__file__).parent / "embeddings"
PAGE = ROOT / "docs/parity.md"
BACKENDS = {"onnx": "model.onnx", "pytorch": "model.pt"}


def golden_of(model: str) -> dict[str, object]:
    """What Pillow, transformers, torch and onnxruntime made of the images."""
    return json.loads((MODELS / model / "golden.json").read_text())


def model_names() -> list[str]:
    return sorted(path.parent.name for path in MODELS.glob("*/golden.json"))


def in_spark(folder: Path, script: str, *arguments: object) -> dict[str, object]:
    """The JSON that a PySpark script writes into the file that is its last argument."""
    program, output = folder / "script.py", folder / "results.json"
    program.write_text(script)
    (jar,) = (ROOT / "spark-udf-jvm/build/libs").glob("spark-classify_*.jar")
    done = subprocess.run(
        [
            *[Path(os.environ["SPARK_HOME"]) / "bin/spark-submit", "--master", "local[2]", "--jars", jar],
            *["--conf", "spark.classify.model.allowPaths=true"],
            *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}"],
            *["--conf", "spark.ui.enabled=false", "--conf", f"spark.sql.warehouse.dir={folder}/warehouse"],
            *[program, *arguments, output],
        ],
        cwd=folder,
        # spark-submit writes what the script says to its own standard output, errors too.
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return json.loads(output.read_text())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-table", action="store_true", help="write what was measured into docs/parity.md")


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest):
    """Where tests note what they measured, by model and by name; written into the page when all have passed."""
    notes: dict[str, dict[str, str]] = defaultdict(dict)
    yield notes
    if request.config.getoption("--write-table") and not request.session.testsfailed:
        write_between("results", results_table(notes))
        write_between("tensors", tensors_table())
        write_between("versions", versions_line() + "\n")


@pytest.fixture(scope="session")
def embedded(request: pytest.FixtureRequest):
    """Where tests note how far embeddings are from Python's, by encoder and backend; written as `measured` is."""
    notes: dict[str, dict[str, float]] = defaultdict(dict)
    yield notes
    if request.config.getoption("--write-table") and not request.session.testsfailed:
        write_between("embeddings", embeddings_table(notes))


class Formats:
    """How many images of each kind had the same bytes, and how many both sides refused."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])

    def note(self, kind: tuple[str, str], equal: int, refused: int) -> None:
        self.counts[kind][0] += equal
        self.counts[kind][1] += refused

    def table(self) -> str:
        rows = ["| format | kind | bytes | images | cut short, refused by both |", "|---|---|---|--:|--:|"]
        for (file_format, kind), (equal, refused) in self.counts.items():
            rows.append(f"| {file_format} | {kind} | equal | {equal} | {refused} |")
        return "\n".join(rows) + "\n"


@pytest.fixture(scope="session")
def formats(request: pytest.FixtureRequest):
    """Where tests note what they compared with a live Pillow; written into the page when all have passed."""
    formats = Formats()
    yield formats
    if request.config.getoption("--write-table") and not request.session.testsfailed:
        write_between("formats", f"Pillow {PIL.__version__}:\n\n{formats.table()}")


def results_table(notes: dict[str, dict[str, str]]) -> str:
    rows = [
        "| model | processor | file | decoded and resized bytes | tensor | probabilities | family's own | labels |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for model in model_names():
        for backend, file in BACKENDS.items():
            images = len(golden_of(model)["images"])
            note = notes[model]
            rows.append(
                f"| {model} | {processor_of(model)} | `{file}` | equal | {note['tensor']} "
                f"| {note[backend]} | {note.get(f'{backend} family', '')} | {images} of {images} |"
            )
    return "\n".join(rows) + "\n"


def processor_of(model: str) -> str:
    path = MODELS / model / "preprocessor_config.json"
    if not path.is_file():
        return "`timm`"
    config = json.loads(path.read_text())
    backend = config.get("image_processor_backend")
    return f"`{config['image_processor_type']}`" + (f", {backend}" if backend else "")


def embeddings_table(notes: dict[str, dict[str, float]]) -> str:
    rows = ["| model | output | `model.onnx` | `model.pt` |", "|---|---|---|---|"]
    for encoder, differences in sorted(notes.items()):
        output = json.loads((EMBEDDINGS / encoder / "golden.json").read_text())["output"]
        rows.append(f"| {encoder} | `{output}` | {differences['onnx']:.1e} | {differences['pytorch']:.1e} |")
    return "\n".join(rows) + "\n"


def tensors_table() -> str:
    rows = ["| model | images | largest difference of a probability | other labels |", "|---|---|---|---|"]
    for model in model_names():
        changed = golden_of(model).get("on_tensors")
        if changed is None:
            # Its preprocessing works on tensors as it is.
            continue
        rows.append(
            f"| {model} | {changed['images']} | {changed['probability_difference']:.4f} | {changed['label_flips']} |"
        )
    return "\n".join(rows) + "\n"


def versions_line() -> str:
    versions = golden_of(model_names()[0])["versions"]
    return ", ".join(f"{name} {version}" for name, version in versions.items() if name != "machine") + "."


def write_between(name: str, content: str) -> None:
    """Replaces what stands between the two markers called `name` in the page."""
    before, rest = PAGE.read_text().split(f"<!-- {name} -->\n")
    _, after = rest.split(f"<!-- end of {name} -->\n")
    PAGE.write_text(f"{before}<!-- {name} -->\n{content}<!-- end of {name} -->\n{after}")
