//! The binary on the project's model and images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use spark_classify_testing::{make_fifo, repository};

const BACKENDS: [&str; 2] = ["pytorch", "onnx"];

/// A new directory for the test called `name`.
fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// `classify-bench` with the project's model; the caller adds the images.
fn bench(backend: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_classify-bench"));
    // It has to find libtorch by itself.
    command.env_remove("LD_LIBRARY_PATH");
    command.arg("--model").arg(repository("model"));
    command.args(["--backend", backend]);
    command
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "stderr: {}", text(&output.stderr));
    output
}

fn json(command: &mut Command, code: i32) -> Value {
    serde_json::from_slice(&run(command.arg("--json"), code).stdout).unwrap()
}

/// The stderr of a run that could not start.
fn refusal(command: &mut Command) -> String {
    text(&run(command, 2).stderr).to_owned()
}

fn rows(csv: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(csv).unwrap();
    let row = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// A CSV file in `dir` with the first `n` images of the dataset, and then `more` lines.
fn images(dir: &Path, n: usize, more: &[&str]) -> PathBuf {
    let all = fs::read_to_string(repository("dataset/image_data.csv")).unwrap();
    let lines: Vec<_> = all.lines().take(n + 1).chain(more.iter().copied()).collect();
    let path = dir.join("images.csv");
    fs::write(&path, lines.join("\n")).unwrap();
    path
}

fn image_dir() -> PathBuf {
    repository("dataset/all_images")
}

#[test]
fn the_report_adds_up() {
    let dir = directory("report");
    let csv = images(&dir, 6, &[]);
    for backend in BACKENDS {
        let predictions = dir.join(format!("{backend}.csv"));
        let mut command = bench(backend);
        command.arg("--images").arg(&csv).arg("--image-dir").arg(image_dir());
        command.args(["--batch-size", "4", "--tasks", "2", "--threads", "2", "--repeat", "2"]);
        let report = json(command.arg("--output").arg(&predictions), 0);

        assert_eq!(report["backend"], backend);
        assert_eq!(report["images"], 6);
        assert_eq!(report["bad_images"], Value::Array(Vec::new()));
        let number = |value: &Value| value.as_f64().unwrap();
        let seconds = number(&report["wall_millis"]) / 1e3;
        assert!((number(&report["images_per_second"]) * seconds - 12.0).abs() < 1e-6);
        assert!(number(&report["load_millis"]) > 0.0);
        let latency = &report["batch_latency_millis"];
        assert!(0.0 < number(&latency["p50"]) && number(&latency["p50"]) <= number(&latency["p95"]));
        assert!(number(&latency["p95"]) <= number(&latency["p99"]));
        let shares = report["time_shares"].as_object().unwrap();
        assert_eq!(shares.len(), 5);
        assert!((shares.values().map(number).sum::<f64>() - 1.0).abs() < 1e-6);

        // The matrix counts what the CSV file says.
        let classes = report["labels"].as_array().unwrap().len();
        let mut counts = vec![vec![0_u64; classes]; classes];
        for row in &rows(&predictions)[1..] {
            counts[row[2].parse::<usize>().unwrap()][row[4].parse::<usize>().unwrap()] += 1;
        }
        assert_eq!(report["confusion_matrix"], serde_json::to_value(&counts).unwrap());
    }
}

#[test]
fn predictions_do_not_depend_on_batches_tasks_or_threads() {
    let dir = directory("predictions");
    let csv = images(&dir, 9, &[]);
    for backend in BACKENDS {
        let predict = |name: &str, options: &[&str]| {
            let output = dir.join(format!("{backend}-{name}.csv"));
            let mut command = bench(backend);
            command.arg("--images").arg(&csv).arg("--image-dir").arg(image_dir());
            run(command.args(options).arg("--output").arg(&output), 0);
            rows(&output)
        };
        let one_by_one = predict("sequential", &[]);
        let together = predict("batched", &["--batch-size", "4", "--tasks", "2", "--threads", "2"]);
        let bare = predict(
            "limit",
            &["--limit", "--batch-size", "2", "--tasks", "2", "--repeat", "2"],
        );

        assert_eq!(
            one_by_one[0].join(","),
            "image_path,actual_class,actual_class_id,predicted_class,predicted_class_id,confidence,\
             prob_crop_and_replace,prob_font_issue,prob_valid_id"
        );
        assert_eq!(one_by_one.len(), 10);
        for others in [together, bare] {
            assert_eq!(others.len(), 10);
            for (expected, actual) in one_by_one[1..].iter().zip(&others[1..]) {
                assert_eq!(actual[..5], expected[..5]);
                for (actual, expected) in actual[5..].iter().zip(&expected[5..]) {
                    let (actual, expected): (f32, f32) = (actual.parse().unwrap(), expected.parse().unwrap());
                    assert!((actual - expected).abs() < 1e-5, "{actual} is not {expected}");
                }
            }
        }
    }
}

#[test]
fn bad_images_are_told_and_lose_no_others() {
    let dir = directory("bad images");
    let broken = dir.join("broken.png");
    fs::write(&broken, "not an image").unwrap();
    let broken = format!("{},valid_id,2", broken.display());
    make_fifo(&dir.join("fifo.png"));
    let fifo = format!("{},valid_id,2", dir.join("fifo.png").display());
    let csv = images(&dir, 3, &[&broken, "missing.jpg,valid_id,2", &fifo]);
    for backend in BACKENDS {
        let predictions = dir.join(format!("{backend}.csv"));
        let mut command = bench(backend);
        command.arg("--images").arg(&csv).arg("--image-dir").arg(image_dir());
        command
            .args(["--batch-size", "6", "--json", "--output"])
            .arg(&predictions);
        let output = run(&mut command, 1);

        let stderr = text(&output.stderr);
        assert!(
            stderr.contains("broken.png: not an image of a supported format"),
            "{stderr}"
        );
        assert!(stderr.contains("missing.jpg: cannot be read: No such file"), "{stderr}");
        assert!(
            stderr.contains("fifo.png: cannot be read: it is a FIFO, not a regular file"),
            "{stderr}"
        );
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["bad_images"].as_array().unwrap().len(), 3);
        assert_eq!(report["bad_images"][1]["image_path"], "missing.jpg");

        let rows = rows(&predictions);
        assert_eq!(rows.len(), 7);
        assert!(rows[1..4].iter().flatten().all(|field| !field.is_empty()));
        assert_eq!(rows[5][..3], ["missing.jpg", "valid_id", "2"]);
        assert!(rows[4..].iter().all(|row| row[3..].iter().all(String::is_empty)));
    }
}

#[test]
fn the_limit_ends_at_the_first_bad_image() {
    let dir = directory("limit");
    make_fifo(&dir.join("fifo.png"));
    let limit = |backend: &str, images: &Path| {
        let mut command = bench(backend);
        command.arg("--images").arg(images).arg("--image-dir").arg(image_dir());
        refusal(command.arg("--limit"))
    };
    for backend in BACKENDS {
        let reason = limit(backend, &images(&dir, 3, &["missing.jpg,valid_id,2"]));
        assert!(reason.contains("missing.jpg: No such file"), "{reason}");
        let reason = limit(backend, &dir.join("fifo.png"));
        assert!(
            reason.contains("fifo.png: it is a FIFO, not a regular file"),
            "{reason}"
        );
    }
}

#[test]
fn images_come_from_directories_patterns_and_single_files() {
    let dir = directory("sources");
    fs::create_dir(dir.join("deeper")).unwrap();
    let image = fs::read_dir(image_dir()).unwrap().next().unwrap().unwrap().path();
    for copy in ["a.JPG", "b.png", "deeper/c.jpeg"] {
        fs::copy(&image, dir.join(copy)).unwrap();
    }
    fs::write(dir.join("notes.txt"), "no image").unwrap();
    let count = |source: &Path| {
        let report = json(bench("onnx").arg("--images").arg(source), 0);
        assert_eq!(report["confusion_matrix"], Value::Null);
        report["images"].as_u64().unwrap()
    };
    assert_eq!(count(&dir), 3);
    assert_eq!(count(&dir.join("*.[Jp]*")), 2);
    assert_eq!(count(&dir.join("b.png")), 1);
}

#[test]
fn the_report_for_people_has_the_confusion_matrix() {
    let csv = images(&directory("text"), 3, &[]);
    let mut command = bench("onnx");
    command.arg("--images").arg(csv).arg("--image-dir").arg(image_dir());
    let output = run(&mut command, 0);
    let report = text(&output.stdout);
    for part in [
        "images/s",
        "p95",
        "inference",
        "accuracy",
        "precision",
        "crop_and_replace",
    ] {
        assert!(report.contains(part), "no {part} in: {report}");
    }
    // stderr is no terminal here, so there is no progress bar.
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn ways_to_decode_can_be_chosen_and_compared() {
    let dir = directory("decode");
    let classify = |arguments: &[&str]| {
        // A JPEG of 600 x 375 pixels, for a model that takes far fewer.
        let mut command = Command::new(env!("CARGO_BIN_EXE_classify-bench"));
        command.args(["--backend", "onnx", "--model"]);
        command.arg(repository("tests/golden/colour-model"));
        command.arg("--images").arg(image_dir().join("id_0063.jpg"));
        command.args(arguments);
        command
    };
    let row = |name: &str, arguments: &[&str]| {
        let predictions = dir.join(name);
        run(classify(arguments).arg("--output").arg(&predictions), 0);
        rows(&predictions)[1].clone()
    };
    let (exact, fast) = (row("exact.csv", &[]), row("fast.csv", &["--decode", "fast"]));
    assert_eq!(exact[3], fast[3]);
    let differences = exact[6..].iter().zip(&fast[6..]);
    let difference = differences
        .map(|(a, b)| (a.parse::<f64>().unwrap() - b.parse::<f64>().unwrap()).abs())
        .fold(0.0, f64::max);
    assert!(difference > 0.0 && difference < 0.2, "{difference}");

    let compare = ["--compare-decode", "--repeat", "2"];
    let comparison = json(&mut classify(&compare), 0);
    assert_eq!(comparison["images"], 1);
    assert_eq!(comparison["other_labels"], 0);
    let told = comparison["largest_difference"].as_f64().unwrap();
    assert!((told - difference).abs() < 1e-5, "{told} is not {difference}");
    for way in ["exact", "fast"] {
        assert!(
            comparison[way]["images_per_second"].as_f64().unwrap() > 0.0,
            "{comparison}"
        );
        assert!(
            comparison[way]["preprocess_millis"].as_f64().unwrap() > 0.0,
            "{comparison}"
        );
    }
    let report = run(&mut classify(&compare), 0);
    let report = text(&report.stdout);
    assert!(report.contains("other labels        0 of 1 images"), "{report}");
    let refused = refusal(classify(&compare).args(["--decode", "fast"]));
    assert!(refused.contains("--compare-decode"), "{refused}");
}

#[test]
fn precisions_can_be_chosen_and_compared() {
    let dir = directory("precision");
    let csv = images(&dir, 8, &[]);
    let classify = |backend: &str, arguments: &[&str]| {
        let mut command = bench(backend);
        command.arg("--images").arg(&csv).arg("--image-dir").arg(image_dir());
        command.args(arguments);
        command
    };
    assert_eq!(json(&mut classify("onnx", &[]), 0)["model_precision"], "fp32");
    let int8 = json(&mut classify("onnx", &["--precision", "int8"]), 0);
    assert_eq!(int8["model_precision"], "int8");

    let compare = ["--compare-precision", "--precision", "int8", "--repeat", "2"];
    let comparison = json(&mut classify("onnx", &compare), 0);
    assert_eq!(comparison["images"], 8);
    assert!(comparison["other_labels"].as_u64().unwrap() <= 1, "{comparison}");
    let difference = comparison["largest_difference"].as_f64().unwrap();
    assert!(difference > 0.0 && difference < 0.2, "{comparison}");
    for precision in ["fp32", "int8"] {
        assert!(
            comparison[precision]["inference_millis"].as_f64().unwrap() > 0.0,
            "{comparison}"
        );
    }
    let report = run(&mut classify("onnx", &compare), 0);
    let report = text(&report.stdout);
    for part in ["fp32 ", "int8 gains", "in inference", "of 8 images"] {
        assert!(report.contains(part), "no {part} in: {report}");
    }

    let refused = refusal(&mut classify("onnx", &["--compare-precision"]));
    assert!(refused.contains("choose it with --precision"), "{refused}");
    let refused = refusal(&mut classify("pytorch", &["--precision", "int8"]));
    assert!(refused.contains("option `precision` = `int8`"), "{refused}");
}

#[test]
fn an_exif_orientation_counts_where_asked_for() {
    let dir = directory("exif");
    let image = repository("tests/golden/images/exif_rotated.webp");
    let row = |name: &str, arguments: &[&str]| {
        let predictions = dir.join(name);
        let mut command = bench("onnx");
        command
            .arg("--images")
            .arg(&image)
            .args(arguments)
            .arg("--output")
            .arg(&predictions);
        run(&mut command, 0);
        rows(&predictions)[1].clone()
    };
    assert_ne!(row("stored.csv", &[]), row("upright.csv", &["--exif-transpose"]));
}

#[test]
fn what_cannot_run_is_refused_with_a_reason() {
    let dir = directory("refusals");
    let with = |images: &Path| {
        let mut command = bench("pytorch");
        command.arg("--images").arg(images).arg("--image-dir").arg(image_dir());
        command
    };
    let csv = |name: &str, content: &str| {
        let path = dir.join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let good = images(&dir, 1, &[]);

    let stderr = refusal(bench("onnx").arg("--images").arg(&good).env_remove("ORT_DYLIB_PATH"));
    assert!(stderr.contains("set --onnxruntime or ORT_DYLIB_PATH"), "{stderr}");
    let stderr = refusal(with(&good).args(["--device", "gpu"]));
    assert!(stderr.contains("option `device` = `gpu`"), "{stderr}");
    // Whether or not the machine has GPUs.
    let stderr = refusal(with(&good).args(["--device", "cuda:99"]));
    assert!(stderr.contains("device cuda:99: "), "{stderr}");
    let stderr = refusal(&mut with(&dir.join("missing.csv")));
    assert!(stderr.contains("missing.csv"), "{stderr}");
    make_fifo(&dir.join("fifo.csv"));
    let stderr = refusal(&mut with(&dir.join("fifo.csv")));
    assert!(
        stderr.contains("fifo.csv: it is a FIFO, not a regular file"),
        "{stderr}"
    );
    let stderr = refusal(&mut with(&dir.join("*.bmp")));
    assert!(stderr.contains("no images there"), "{stderr}");
    let stderr = refusal(&mut with(&csv("columns.csv", "path\na.jpg\n")));
    assert!(stderr.contains("columns.csv: has no column `image_path`"), "{stderr}");
    let stderr = refusal(&mut with(&csv("class.csv", "image_path,actual_class\na.jpg,forged\n")));
    assert!(
        stderr.contains("class.csv: line 2: actual_class `forged` is no label"),
        "{stderr}"
    );
    let stderr = refusal(&mut with(&csv("id.csv", "image_path,actual_class_id\na.jpg,7\n")));
    assert!(
        stderr.contains("actual_class_id `7` is no class of the model, whose ids are 0 to 2"),
        "{stderr}"
    );
    let stderr = refusal(&mut with(&csv(
        "both.csv",
        "image_path,actual_class,actual_class_id\na.jpg,valid_id,0\n",
    )));
    assert!(
        stderr.contains("actual_class is `valid_id`, but class 0 of the model is"),
        "{stderr}"
    );
}

/// The model of the golden values, with other names for its classes red, green and blue.
fn model_with_labels(dir: &Path, labels: [&str; 3]) -> PathBuf {
    let original = repository("tests/golden/colour-model");
    for name in ["model.onnx", "preprocessor_config.json"] {
        fs::copy(original.join(name), dir.join(name)).unwrap();
    }
    let [red, green, blue] = labels;
    let config = serde_json::json!({ "id2label": { "0": red, "1": green, "2": blue } });
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
    dir.to_owned()
}

/// A green and a blue image in `dir`.
fn green_and_blue(dir: &Path) {
    for (name, color) in [("green.ppm", [0, 255, 0]), ("blue.ppm", [0, 0, 255])] {
        let pixels = color.repeat(32 * 32);
        fs::write(dir.join(name), [b"P6 32 32 255 ", &pixels[..]].concat()).unwrap();
    }
}

/// `classify-bench` with the model in `dir`, on the images there that `list` names.
fn bench_in(dir: &Path, list: &str) -> Command {
    let csv = dir.join("images.csv");
    fs::write(&csv, list).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_classify-bench"));
    command.args(["--backend", "onnx", "--model"]).arg(dir);
    command.arg("--images").arg(csv).arg("--image-dir").arg(dir);
    command
}

#[test]
fn classes_of_one_name_have_columns_of_their_own() {
    let dir = directory("one name");
    green_and_blue(&dir);
    let header = |labels| {
        model_with_labels(&dir, labels);
        let predictions = dir.join("predictions.csv");
        let mut command = bench_in(&dir, "image_path\ngreen.ppm\n");
        run(command.arg("--output").arg(&predictions), 0);
        rows(&predictions)[0][6..].to_vec()
    };
    assert_eq!(
        header(["crane", "heron", "crane"]),
        ["prob_crane (0)", "prob_heron", "prob_crane (2)"]
    );
    assert_eq!(
        header(["Crane", "heron", "crane"]),
        ["prob_Crane (0)", "prob_heron", "prob_crane (2)"]
    );
    assert_eq!(
        header(["crane", "CRANE (0)", "crane"]),
        ["prob_crane (0) (0)", "prob_CRANE (0) (1)", "prob_crane (2)"]
    );
    assert_eq!(header(["a\nb", "c,d", "e\"f"]), ["prob_a\nb", "prob_c,d", "prob_e\"f"]);
}

#[test]
fn an_image_is_right_as_any_class_of_its_name() {
    let dir = model_with_labels(&directory("actual name"), ["heron", "crane", "crane"]);
    green_and_blue(&dir);
    let report = |list| {
        let predictions = dir.join("predictions.csv");
        let report = json(bench_in(&dir, list).arg("--output").arg(&predictions), 0);
        (report["confusion_matrix"].clone(), rows(&predictions)[1..].to_vec())
    };
    let (matrix, rows) = report("image_path,actual_class\ngreen.ppm,crane\nblue.ppm,crane\n");
    assert_eq!(matrix, serde_json::json!([[0, 0, 0], [0, 1, 0], [0, 0, 1]]));
    // Which of the two it is, nobody has said.
    assert_eq!(rows[0][..5], ["green.ppm", "crane", "", "crane", "1"]);
    assert_eq!(rows[1][..5], ["blue.ppm", "crane", "", "crane", "2"]);

    let list = "image_path,actual_class,actual_class_id\ngreen.ppm,crane,1\nblue.ppm,crane,1\ngreen.ppm,heron,\n";
    let (matrix, rows) = report(list);
    assert_eq!(matrix, serde_json::json!([[0, 1, 0], [0, 1, 1], [0, 0, 0]]));
    assert_eq!(rows[1][..5], ["blue.ppm", "crane", "1", "crane", "2"]);
}

#[test]
fn names_do_not_reach_a_terminal_as_they_are() {
    let labels = ["crane", "a\nb\u{1b}[31m", "crane"];
    let dir = model_with_labels(&directory("terminal"), labels);
    green_and_blue(&dir);
    let list = "image_path,actual_class_id\ngreen.ppm,1\n\"\u{1b}[2J\nlost.png\",1\n";
    let output = run(&mut bench_in(&dir, list), 1);
    let (report, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(
        !report.contains('\u{1b}') && !errors.contains('\u{1b}'),
        "{report}{errors}"
    );
    assert!(
        report.contains("a\\nb\\u001b[31m") && report.contains("crane (2)"),
        "{report}"
    );
    assert!(errors.contains("\\u001b[2J\\nlost.png: cannot be read"), "{errors}");

    let refused = refusal(&mut bench_in(
        &dir,
        "image_path,actual_class\ngreen.ppm,\u{1b}[2Jno label\n",
    ));
    assert!(refused.contains("actual_class `\\u001b[2Jno label`"), "{refused}");
}

#[test]
fn threads_that_the_system_does_not_give() {
    let csv = images(&directory("threads"), 3, &[]);
    let without_threads = |options: &[&str]| {
        let mut command = bench("onnx");
        command.arg("--images").arg(&csv).arg("--image-dir").arg(image_dir());
        // No system has the memory for such a stack, so that none of the process's threads can begin.
        command.args(options).env("RUST_MIN_STACK", (1_u64 << 50).to_string());
        command
    };
    // Each task has a thread of its own; so have the shares of the limit.
    for options in [
        ["--tasks", "1"].as_slice(),
        &["--tasks", "2", "--threads", "2"],
        &["--limit"],
    ] {
        let refused = refusal(&mut without_threads(options));
        assert!(refused.contains("the system has no thread for one of "), "{refused}");
    }
}

/// `classify-bench --check` of a directory.
fn check(model: &Path, code: i32) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_classify-bench"));
    command.env_remove("LD_LIBRARY_PATH");
    let done = run(command.arg("--check").arg("--model").arg(model), code);
    (text(&done.stdout).to_owned(), text(&done.stderr).to_owned())
}

#[test]
fn a_check_tells_the_steps_the_classes_and_the_files() {
    let (told, _) = check(&repository("model"), 0);
    for line in [
        "  2. resize to 128 x 128 pixels (height x width), whatever the aspect ratio, with Pillow's filter bilinear",
        "  3. divide the samples (0 to 255) by 255",
        "  4. normalise red, green, blue: minus 0.485, 0.456, 0.406, over 0.229, 0.224, 0.225",
        "Classes: 3: \"crop_and_replace\", \"font_issue\", \"valid_id\"",
        "  onnx, fp32: yes, with model.onnx, which gives logits, of which softmax makes probabilities",
        "  onnx, int8: yes, with model.int8.onnx, which gives logits, of which softmax makes probabilities",
        "  pytorch, fp32: yes, with model.pt, which gives logits, of which softmax makes probabilities",
        "This directory can be used.",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} in:\n{told}");
    }
}

#[test]
fn a_check_tells_what_is_missing_and_fails_where_no_backend_is_left() {
    let dir = directory("check");
    for file in ["config.json", "preprocessor_config.json", "model.onnx"] {
        fs::copy(repository("model").join(file), dir.join(file)).unwrap();
    }
    let (told, _) = check(&dir, 0);
    assert!(told.contains("  onnx, fp32: yes, with model.onnx, "), "{told}");
    assert!(told.contains("model.int8.onnx: is missing"), "{told}");
    assert!(told.contains("  pytorch, fp32: no: "), "{told}");

    fs::write(dir.join("model.onnx"), "no model").unwrap();
    let (told, _) = check(&dir, 1);
    assert!(told.contains("  onnx, fp32: no: "), "{told}");
    assert!(told.ends_with("No backend can use this directory.\n"), "{told}");

    fs::remove_file(dir.join("config.json")).unwrap();
    let (_, error) = check(&dir, 1);
    assert!(error.contains("config.json: is missing"), "{error}");
}
