//! The report of a run, as a page and in JSON.

use std::fs;

use serde_json::{json, Value};

use crate::command::{bench, directory, image_dir, images, json, refusal, run};

#[test]
fn the_report_says_what_the_run_says() {
    let dir = directory("page");
    let list = images(&dir, 12, &["none.jpg,valid_id,2"]);
    let page = dir.join("report.html");
    let mut command = bench("onnx");
    command.arg("--images").arg(&list).arg("--image-dir").arg(image_dir());
    command.arg("--report").arg(&page);
    let printed = json(&mut command, 1);
    let twin = fs::read(dir.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&twin).unwrap();
    let figures = &report["figures"];
    assert_eq!((&figures["classified"], &figures["bad"]), (&12.into(), &1.into()));
    assert_eq!(figures["labelled"]["accuracy"], printed["accuracy"]);
    assert_eq!(report["bad"][0]["condition"], "CLASSIFY_UNREADABLE_IMAGE");
    assert_eq!(report["head"]["model_sha256"].as_str().unwrap().len(), 64);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("data:image/jpeg;base64,") && !html.contains("Beside another run"));

    let again = dir.join("again.html");
    let mut command = bench("onnx");
    command.arg("--images").arg(&list).arg("--image-dir").arg(image_dir());
    command
        .arg("--report")
        .arg(&again)
        .arg("--baseline")
        .arg(dir.join("report.json"))
        .args(["--gpu-batch-size=256", "--threads", "2", "--allow-all-operators"]);
    run(&mut command, 1);
    let twin: Value = serde_json::from_slice(&fs::read(dir.join("again.json")).unwrap()).unwrap();
    // What is not its default; a flag has no value.
    let given = json!([["--allow-all-operators", ""], ["--threads", "2"]]);
    assert_eq!(twin["head"]["configuration"], given);
    assert!(fs::read_to_string(&again).unwrap().contains("Beside another run"));
}

#[test]
fn a_page_that_would_be_its_own_twin_is_refused() {
    let message = refusal(bench("onnx").args(["--images", "x.csv", "--report", "report.json"]));
    assert!(message.contains("it does not end in .html"), "{message}");
}

#[test]
fn a_baseline_that_is_none_is_refused() {
    let dir = directory("page_baseline");
    let list = images(&dir, 1, &[]);
    let mut command = bench("onnx");
    command.arg("--images").arg(&list).arg("--image-dir").arg(image_dir());
    command
        .arg("--report")
        .arg(dir.join("report.html"))
        .arg("--baseline")
        .arg(&list);
    let message = refusal(&mut command);
    assert!(message.contains("images.csv: this is no report.json: "), "{message}");
}
