"""The contenders: what they are called, what they run, and in which environment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from images import ImageSet

ROOT = Path(__file__).resolve().parents[1]
CONTENDERS = Path(__file__).resolve().parent / "contenders"
DATASET = ROOT / "dataset/all_images"
MODEL_FOLDER = ROOT / "benchmarks/.models"
LONG_ROWS = 200_000
# The field's workload: images of about the pixels and the bytes of ImageNet's.
FIELD_MODEL = MODEL_FOLDER / "field"
FIELD_IMAGES = ImageSet(500, (500, 375), are_photos=True)
# Of the images of one size in a job, counted as often as they are classified.
SIZE_PIXELS = 1_000_000_000
BACKENDS = (("ONNX", "onnx"), ("PyTorch", "pytorch"))


@dataclass(frozen=True)
class Contender:
    """A program that classifies.

    `name` is for `--only`; `group` and `engine` stand in the table; `environment` is the virtual environment whose
    Python runs the program; `cores` are its workers, `batch_size` its batches and `rows` those of its job, where they
    differ from the others'. `image_dir` or `images` are images of its own, and `model` is a model of its own. One that
    `is_long` does its job in the first round only, after a short one to be warm, and its memory is followed. One
    that `is_inexact` is known to differ from the reference: the report shows by how much, without calling it wrong. One
    that `takes_device` has its model on a GPU where the run asks for it. Of one with `labels_only`
    the probabilities are not compared, if it has any.
    """

    name: str
    group: str
    engine: str
    program: tuple[str, ...]
    environment: str = ".venv-bench-peers"
    cores: int | None = None
    batch_size: int | None = None
    rows: int | None = None
    image_dir: Path | None = None
    images: ImageSet | None = None
    model: Path | None = None
    is_long: bool = False
    is_inexact: bool = False
    takes_device: bool = False
    labels_only: bool = False

    @property
    def python(self) -> Path:
        return ROOT / self.environment / "bin/python"

    @property
    def command(self) -> list[str]:
        script, *arguments = self.program
        return [str(self.python), str(CONTENDERS / script), *arguments]


def ours(name: str, group: str, engine: str, *program: str) -> Contender:
    return Contender(name, group, engine, program, ".venv")


def fast(suffix: str, group: str, engine: str, *program: str) -> tuple[Contender, ...]:
    """One of the faster and less exact ways, on the images of the run and on those of the committed dataset."""
    program = ("spark_classify.py", *program)
    return (
        Contender(f"spark-{suffix}", group, engine, program, ".venv", is_inexact=True),
        Contender(
            *(f"dataset-{suffix}", f"{group}, committed dataset", engine, program, ".venv"),
            image_dir=DATASET,
            is_inexact=True,
        ),
    )


def long(name: str, engine: str, *program: str) -> Contender:
    program = ("spark_classify.py", "--result=files", *program)
    return Contender(name, "200,000 rows, results into files", engine, program, ".venv", rows=LONG_ROWS, is_long=True)


def of_size(width: int, height: int, *program: str) -> Contender:
    """A few images of this size, drawn for it, so often that they have about as many pixels as those of other sizes."""
    name = "-".join(["size", f"{width}x{height}", *(["fast"] if program else [])])
    group = f"images of {width} x {height}" + (", decode=fast" if program else "")
    return Contender(
        *(name, group, "ONNX", ("spark_classify.py", *program), ".venv"),
        rows=max(min(SIZE_PIXELS // (width * height), 4000), 40),
        images=ImageSet(20, (width, height), 0.5),
        is_inexact=bool(program),
    )


def of_model(name: str, engine: str, backend: str) -> Contender:
    program = ("spark_classify.py", f"--engine={backend}")
    return Contender(f"{name}-{backend}", name, engine, program, ".venv", rows=200, model=MODEL_FOLDER / name)


def of_rows(rows: int) -> Contender:
    program = ("spark_classify.py", "--result=files")
    return Contender(f"rows-{rows}", f"{rows:,} rows", "ONNX", program, ".venv", rows=rows, is_long=True)


def batches(engine: str, backend: str, size: int) -> Contender:
    program = ("spark_classify.py", f"--engine={backend}")
    return Contender(f"{backend}-batch-{size}", f"batches of {size}", engine, program, ".venv", batch_size=size)


def field(name: str, group: str, engine: str, *program: str, environment: str = ".venv-bench-peers") -> Contender:
    is_core = program[0] == "core.py"
    settings = {"images": FIELD_IMAGES, "model": FIELD_MODEL, "takes_device": not is_core, "labels_only": True}
    return Contender(f"field-{name}", group, engine, program, environment, **settings)


def peer(name: str, group: str, engine: str, *program: str) -> Contender:
    return Contender(name, group, engine, program)


def jvm(name: str, group: str, engine: str, libraries: str, kind: str) -> Contender:
    return Contender(name, group, engine, ("jvm.py", libraries, kind))


LIMIT = ours("limit", "the limit: bare Rust, no Spark", "ONNX", "core.py", "--mode=limit")
SPARK = ours("spark-onnx", "spark-classify", "ONNX", "spark_classify.py")
REFERENCE = ours("python-onnx", "sequential Python, one core", "ONNX", "sequential.py", "--engine=onnx")

PEERS = (
    LIMIT,
    ours("limit-pytorch", "the limit: bare Rust, no Spark", "PyTorch", "core.py", "--mode=limit", "--engine=pytorch"),
    ours("core-onnx", "classify-bench, no Spark", "ONNX", "core.py"),
    ours("core-pytorch", "classify-bench, no Spark", "PyTorch", "core.py", "--engine=pytorch"),
    SPARK,
    ours("spark-pytorch", "spark-classify", "PyTorch", "spark_classify.py", "--engine=pytorch"),
    ours("spark-scala", "spark-classify, from Scala", "ONNX", "jvm.py", "spark-classify", "spark-classify"),
    REFERENCE,
    peer("python-torch", "sequential Python, one core", "PyTorch", "sequential.py", "--engine=torch"),
    peer("pyspark-row-onnx", "PySpark row UDF", "ONNX", "pyspark_row.py", "--engine=onnx"),
    peer("pyspark-row-torch", "PySpark row UDF", "PyTorch", "pyspark_row.py", "--engine=torch"),
    peer("pyspark-batch-onnx", "predict_batch_udf", "ONNX", "pyspark_batch.py", "--engine=onnx"),
    peer("pyspark-batch-torch", "predict_batch_udf", "PyTorch", "pyspark_batch.py", "--engine=torch"),
    peer(
        *("pyspark-batch-torch-optimized", "predict_batch_udf, optimize_for_inference", "PyTorch"),
        *("pyspark_batch.py", "--engine=torch-optimized"),
    ),
    peer("daft", "Daft, threads", "ONNX", "daft_class.py", "--form=threads"),
    peer("daft-processes", "Daft, processes", "ONNX", "daft_class.py", "--form=processes"),
    peer("daft-own-images", "Daft, its own image functions", "ONNX", "daft_class.py", "--form=own-images"),
    peer("ray", "Ray Data", "ONNX", "ray_data.py", "--engine=onnx"),
    peer("ray-torch", "Ray Data, optimize_for_inference", "PyTorch", "ray_data.py", "--engine=torch-optimized"),
    jvm("ort-java-pillow", "Scala, onnxruntime-java, Pillow's arithmetic", "ONNX", "onnxruntime", "onnxruntime-pillow"),
    jvm("ort-java", "Scala, onnxruntime-java, Java2D", "ONNX", "onnxruntime", "onnxruntime-java2d"),
    jvm("djl", "Scala, DJL, Pillow's arithmetic", "PyTorch", "djl", "djl"),
    Contender("synapseml", "SynapseML ONNXModel", "ONNX", ("synapseml.py",), ".venv-bench-synapseml"),
)

# The Spark function in other shapes: cores, tasks of several cores, executors in processes of their own, partitions,
# and files that take 50 ms to open.
SHAPES = (
    SPARK,
    Contender("spark-1-core", "1 core, local", "ONNX", ("spark_classify.py",), ".venv", cores=1),
    ours("spark-wide-tasks", "one task at a time, on all cores", "ONNX", "spark_classify.py", "--tasks=wide"),
    ours("spark-1-executor", "1 executor", "ONNX", "spark_classify.py", "--executors=1"),
    ours("spark-2-executors", "2 executors", "ONNX", "spark_classify.py", "--executors=2"),
    ours("spark-4-executors", "4 executors", "ONNX", "spark_classify.py", "--executors=4"),
    ours("spark-100-partitions", "100 partitions", "ONNX", "spark_classify.py", "--partitions=100"),
    ours("spark-1000-partitions", "1,000 partitions", "ONNX", "spark_classify.py", "--partitions=1000"),
    ours("spark-quick-files", "files without latency", "ONNX", "spark_classify.py", "--files=quick"),
    ours("spark-slow-files", "files with 50 ms of latency", "ONNX", "spark_classify.py", "--files=slow"),
)

# Below the limit: what is not exact, with its price.
FAST = (
    LIMIT,
    SPARK,
    *fast("decode-fast", "decode=fast", "ONNX", "--decode=fast"),
    *fast("int8", "precision=int8", "ONNX", "--precision=int8"),
    *fast("bf16", "precision=bf16", "PyTorch", "--engine=pytorch", "--precision=bf16"),
    *fast("int8-decode-fast", "precision=int8, decode=fast", "ONNX", "--precision=int8", "--decode=fast"),
    *fast(
        *("bf16-decode-fast", "precision=bf16, decode=fast", "PyTorch"),
        *("--engine=pytorch", "--precision=bf16", "--decode=fast"),
    ),
)

LONG = (LIMIT, long("spark-long", "ONNX"), long("spark-long-pytorch", "PyTorch", "--engine=pytorch"))

# How cost grows with the images, the model and the rows. The batches are a set of their own.
SIZES = ((200, 200), (600, 375), (1500, 1000), (3000, 2000), (6000, 4000))
MODELS = ("resnet-18", "resnet-50", "vit-b-16")
GROWTH = (
    *(of_size(width, height, *decode) for width, height in SIZES for decode in ((), ("--decode=fast",))),
    *(of_model(name, engine, backend) for name in MODELS for engine, backend in BACKENDS),
    *(of_rows(rows) for rows in (1_000, 10_000, 50_000, 200_000)),
)

BATCHES = tuple(batches(engine, backend, size) for engine, backend in BACKENDS for size in (1, 8, 32, 128))

# The workload that Daft and Ray Data publish: each contender as it is written there, and the Spark function.
FIELD = (
    field("limit", LIMIT.group, "ONNX", *LIMIT.program, environment=".venv"),
    field("spark-onnx", "spark-classify", "ONNX", "field_spark.py", environment=".venv"),
    field("spark-pytorch", "spark-classify", "PyTorch", "field_spark.py", "--engine=pytorch", environment=".venv"),
    field("ray", "Ray Data", "PyTorch", "field_ray.py"),
    field("daft", "Daft", "PyTorch", "field_daft.py"),
    field("pandas", "Spark, pandas functions", "PyTorch", "field_pandas.py"),
)
# What the answers of a model are compared with.
REFERENCES = {FIELD_MODEL: field("reference", "plain PyTorch, one core", "PyTorch", "field_reference.py")}

SETS = {
    **{"peers": PEERS, "fast": FAST, "shapes": SHAPES, "long": LONG, "batches": BATCHES, "growth": GROWTH},
    "field": FIELD,
}
# What a run without `--set` measures: all that there are goals for.
DEFAULT_SETS = ("peers", "fast", "shapes", "long")


def reference(model: Path | None) -> Contender:
    """What gives the right answers of a model."""
    return REFERENCES.get(model, REFERENCE)


def of_sets(names: Iterable[str]) -> list[Contender]:
    """The contenders of some sets; what is in several of them comes once."""
    return list({contender.name: contender for name in names for contender in SETS[name]}.values())
