//! `classify-bench --check`.

use std::fs;
use std::path::Path;
use std::process::Command;

use spark_classify_testing::repository;

use crate::command::{directory, run, text};

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
