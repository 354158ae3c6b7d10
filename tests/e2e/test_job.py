"""The main job through spark-submit, in one JVM and on a cluster of separate executor processes."""

import json
import os
import re
import shutil
import subprocess

import pytest
from conftest import CLUSTER, EXTENSION, LOCAL, ROOT, assert_matches_golden, each_with_a_backend, read_predictions

JOB = ["--images", "dataset/image_data.csv", "--image-dir", "dataset/all_images", "--model", "model"]


@pytest.mark.parametrize(("master", "backend"), each_with_a_backend([LOCAL, CLUSTER]))
def test_job_matches_the_python_reference(spark_run, jar, golden, tmp_path, master, backend):
    output = tmp_path / "output_predictions"
    done = spark_run(
        "spark-submit",
        *["--master", master, "--conf", EXTENSION, "--jars", jar],
        *["--conf", f"spark.classify.torch.home={os.environ['LIBTORCH']}"],
        *["--class", "io.sparkclassify.ClassifyJob", jar, *JOB, "--backend", backend, "--output", output],
    )
    assert_matches_golden(read_predictions(output), golden[backend])
    assert "confusion matrix" in done.stdout.lower()
    assert "model load" in done.stdout.lower()


def test_labels_of_any_text_come_back_through_python(spark_run, jar, golden, tmp_path):
    labels = ['a\n"b",c', "crane", "Crane"]
    model = tmp_path / "model"
    shutil.copytree(ROOT / "model", model)
    (model / "config.json").write_text(json.dumps({"id2label": dict(enumerate(labels))}))
    output = tmp_path / "output"
    spark_run(
        *["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob", jar, *JOB[:4]],
        *["--model", model, "--backend", "onnx", "--output", output],
    )
    rows = read_predictions(output)
    assert rows.keys() == golden["onnx"].keys()
    columns = ['prob_a\n"b",c', "prob_crane (1)", "prob_Crane (2)"]
    for image, row in rows.items():
        assert [float(row[column]) for column in columns] == pytest.approx(golden["onnx"][image], abs=1e-4)
        assert row["predicted_class"] == labels[int(row["predicted_class_id"])]


def test_pytorch_is_the_default_and_libtorch_is_found_by_environment(spark_run, jar, golden, tmp_path):
    output = tmp_path / "output"
    spark_run(
        *["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob", jar, *JOB],
        *["--output", output],
    )
    assert_matches_golden(read_predictions(output), golden["pytorch"])


def test_missing_libtorch_names_the_key_and_the_way_out(spark_run, jar, tmp_path):
    # An empty LIBTORCH and a Python without torch: nothing is left to find.
    no_torch = tmp_path / "python3"
    no_torch.write_text("#!/bin/sh\nexit 1\n")
    no_torch.chmod(0o755)
    done = spark_run(
        *["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob", jar, *JOB],
        *["--output", tmp_path / "output"],
        env={"LIBTORCH": "", "PYSPARK_PYTHON": str(no_torch), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.returncode != 0
    message = done.stdout + done.stderr
    assert "CLASSIFY_BACKEND_UNAVAILABLE" in message
    assert "spark.classify.torch.home" in message
    assert "onnx" in message


SUBMIT = ["spark-submit", "--master", "local[2]", "--class", "io.sparkclassify.ClassifyJob"]
ONNX = ["--model", "model", "--backend", "onnx"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--imagez", "x"], "ClassifyJob: error: unknown argument --imagez: did you mean --images?"),
        ([], "ClassifyJob: error: missing --images SOURCE, or --table NAME"),
        (["--images", "a.csv", "--model", "model", "--backend", "tf"], "choose from pytorch, onnx, auto"),
    ],
)
def test_wrong_arguments_end_with_2_and_the_usage(spark_run, jar, arguments, message):
    done = spark_run(*SUBMIT, jar, *arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "usage: spark-submit --class io.sparkclassify.ClassifyJob JAR [--images SOURCE]" in done.stderr
    assert "Exception" not in done.stderr


def test_help_and_version(spark_run, jar):
    assert "exit codes: 0 all is done" in spark_run(*SUBMIT, jar, "--help").stdout
    assert spark_run(*SUBMIT, jar, "--version").stdout.startswith("spark-classify 0.")


@pytest.fixture
def with_bad(tmp_path):
    """A list of an image and of one that is not there."""
    image = ROOT / "dataset/all_images" / sorted(os.listdir(ROOT / "dataset/all_images"))[0]
    (tmp_path / "list.csv").write_text(f"image_path\n{image}\n/none/none.jpg\n")
    return ["--images", tmp_path / "list.csv", *ONNX, "--output", tmp_path / "output"]


@pytest.mark.parametrize(("option", "code"), [([], 1), (["--try"], 0), (["--fail-on-bad"], 3)])
def test_bad_images_by_exit_code(spark_run, jar, tmp_path, with_bad, option, code):
    done = spark_run(*SUBMIT, jar, *with_bad, *option, check=False)
    assert done.returncode == code, done.stderr[-4000:]
    if code == 1:
        assert done.stderr.splitlines()[-1].startswith("ClassifyJob: error: [CLASSIFY_UNREADABLE_IMAGE] ")
        assert "/none/none.jpg" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "output").exists()
    else:
        assert read_predictions(tmp_path / "output")["/none/none.jpg"]["error"].startswith(
            "[CLASSIFY_UNREADABLE_IMAGE]"
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "none.csv", *ONNX], "--images none.csv: there is no such file or folder"),
        (["--images", "dataset/image_data.csv", "--model", "none", "--backend", "onnx"], "[CLASSIFY_BAD_MODEL] "),
        (["--table", "none", *ONNX], "[TABLE_OR_VIEW_NOT_FOUND] "),
        (["--images", "-", *ONNX], "no paths came on standard input"),
    ],
)
def test_a_failure_ends_with_1_and_its_reason_in_the_last_line(spark_run, jar, tmp_path, arguments, message):
    done = spark_run(*SUBMIT, jar, *arguments, "--output", tmp_path / "output", check=False)
    assert done.returncode == 1
    last = next(line for line in done.stderr.splitlines() if line.startswith("ClassifyJob: error: "))
    assert message in last
    assert not (tmp_path / "output").exists()


def test_a_list_on_standard_input_and_a_folder(spark_run, jar, golden, tmp_path):
    images = ROOT / "dataset/all_images"
    by_name = {}
    for name, source, stdin in [
        ("list", "-", "".join(f"{image}\n" for image in sorted(images.iterdir()))),
        ("folder", images, ""),
    ]:
        spark_run(*SUBMIT, jar, "--images", source, *ONNX, "--output", tmp_path / name, stdin=stdin)
        by_name[name] = {path.rsplit("/", 1)[1]: row for path, row in read_predictions(tmp_path / name).items()}
        assert_matches_golden(by_name[name], golden["onnx"])


def test_progress_on_a_terminal(jar, tmp_path):
    # Standard error is a terminal of its own; standard output is not.
    controller, terminal = os.openpty()
    command = [
        f"{os.environ['SPARK_HOME']}/bin/{SUBMIT[0]}",
        *SUBMIT[1:3],
        "--conf",
        "spark.log.level=ERROR",
        *SUBMIT[3:],
    ]
    command += [str(jar), *JOB, "--backend", "onnx", "--output", str(tmp_path / "output")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while chunk := os.read(controller, 1 << 16):
            shown += chunk
    except OSError:
        pass  # The other end is closed.
    assert process.wait(timeout=300) == 0
    lines = [line for line in shown.decode(errors="replace").split("\r") if " images (" in line]
    assert len(lines) > 1
    assert re.match(r"120 of 120 images \(100%\), [0-9.]+ images/s, 0:00 left\x1b\[K", lines[-1]), lines[-1]


def approximately(value):
    """The same to 1e-6, in every number of a document."""
    if isinstance(value, dict):
        return {key: approximately(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [approximately(inner) for inner in value]
    return pytest.approx(value, rel=1e-6, abs=1e-6) if isinstance(value, float) else value


def test_the_report_has_the_figures_of_classify_bench(spark_run, jar, tmp_path):
    report = tmp_path / "report.html"
    spark_run(*SUBMIT, jar, *JOB, "--backend", "onnx", "--output", tmp_path / "output", "--report", report)
    # One after the other, as the job's batches have many sizes; engines compute alike in any, but for the last digits.
    bench = [ROOT / "target/release/classify-bench", *JOB, "--backend", "onnx", "--report", tmp_path / "bench.html"]
    subprocess.run(bench, cwd=ROOT, check=True, capture_output=True)
    ours, theirs = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("report", "bench"))
    for document in (ours, theirs):
        assert document["figures"].pop("images_per_second") > 0
    assert ours["figures"] == approximately(theirs["figures"])
    assert ours["classes"] == theirs["classes"]
    for key in ("model_sha256", "backend", "device", "precision", "model"):
        assert ours["head"][key] == theirs["head"][key], key
    for kind in ("uncertain", "mistakes", "label_errors"):
        paths = [[sample["path"] for sample in document["samples"][kind]] for document in (ours, theirs)]
        assert paths[0] == paths[1], kind
    assert [step["name"] for step in ours["head"]["steps"]] == [step["name"] for step in theirs["head"]["steps"]]
    page = report.read_text()
    assert "no picture" not in page
    assert len(page) < 5_000_000
