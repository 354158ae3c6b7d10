//! Class names of a model, which may be equal, or hold what no table and no terminal takes as it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use spark_classify_testing::onnx_model::{reshaping_model, Tensor, FLOAT};
use spark_classify_testing::repository;

use crate::command::{directory, json, refusal, rows, run, text};

/// The model of the golden values, with other names for its classes red, green and blue.
fn model_with_labels(dir: &Path, labels: [&str; 3]) -> PathBuf {
    let original = repository("tests/golden/colour-model");
    for name in ["model.onnx", "preprocessor_config.json"] {
        fs::copy(original.join(name), dir.join(name)).unwrap();
    }
    write_labels(dir, labels);
    dir.to_owned()
}

/// A config.json with these classes.
fn write_labels<L: Into<serde_json::Value>>(dir: &Path, labels: impl IntoIterator<Item = L>) {
    let numbered = labels.into_iter().enumerate();
    let labels: serde_json::Map<_, _> = numbered
        .map(|(class, label)| (class.to_string(), label.into()))
        .collect();
    let config = serde_json::json!({ "id2label": labels });
    fs::write(dir.join("config.json"), config.to_string()).unwrap();
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
fn of_many_classes_the_pairs_that_are_confused_are_listed() {
    let dir = directory("many classes");
    green_and_blue(&dir);
    // Each of the 48 numbers of an image is a class.
    let logits = [Tensor::new("logits", FLOAT, &[-1, 48])];
    let model = reshaping_model(Tensor::new("pixel_values", FLOAT, &[-1, 3, 4, 4]), &logits, "");
    fs::write(dir.join("model.onnx"), model).unwrap();
    write_labels(&dir, (0..48).map(|class| format!("class {class}")));
    let original = fs::read(repository("tests/golden/colour-model/preprocessor_config.json")).unwrap();
    let mut steps: serde_json::Value = serde_json::from_slice(&original).unwrap();
    steps["size"] = serde_json::json!({ "height": 4, "width": 4 });
    fs::write(dir.join("preprocessor_config.json"), steps.to_string()).unwrap();
    let mut command = bench_in(&dir, "image_path,actual_class\ngreen.ppm,class 39\nblue.ppm,class 7\n");
    let output = run(&mut command, 0);
    let printed = text(&output.stdout);
    assert!(
        printed.contains("of 48 classes, those most often taken for another"),
        "{printed}"
    );
    assert!(printed.contains("        1  class 39  class 16\n"), "{printed}");
    assert!(!printed.contains("precision"), "{printed}");
}
