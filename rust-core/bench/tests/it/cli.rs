//! The binary on the project's model and images.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spark_classify_testing::{make_fifo, repository};

use crate::command::{bench, directory, image_dir, images, json, refusal, rows, run, text};

const BACKENDS: [&str; 2] = ["pytorch", "onnx"];

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
