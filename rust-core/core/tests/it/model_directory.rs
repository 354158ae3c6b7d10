//! Errors about the model directory name the file, the place in it and the way out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use spark_classify_core::{Error, ModelDirectory};
use spark_classify_testing::{make_fifo, model_directory, repository};

const PREPROCESSOR: &str = r#"{"size": {"height": 4, "width": 6}, "resample": 2, "do_normalize": false}"#;

fn refusal(directory: &Path) -> (Error, String) {
    let error = ModelDirectory::open(directory).unwrap_err();
    let message = error.to_string();
    (error, message)
}

#[test]
fn the_committed_model_opens() {
    let model = ModelDirectory::open(&repository("model")).unwrap();
    assert_eq!(model.input_size(), (128, 128));
    assert_eq!(
        model.labels().iter().collect::<Vec<_>>(),
        ["crop_and_replace", "font_issue", "valid_id"]
    );
}

#[test]
fn a_missing_directory_or_file_is_named_with_the_way_out() {
    let directory = model_directory(PREPROCESSOR);
    let (error, message) = refusal(&directory.path().join("elsewhere"));
    assert!(matches!(error, Error::ModelFile { .. }));
    assert!(
        message.contains("elsewhere: is not a directory; name a directory that holds"),
        "{message}"
    );

    let model = ModelDirectory::open(directory.path()).unwrap();
    assert_eq!(model.path(), directory.path());
    assert_eq!(model.file("config.json").unwrap(), directory.path().join("config.json"));
    let message = model.file("model.onnx").unwrap_err().to_string();
    assert!(
        message.contains("model.onnx: is missing; `optimum-cli export onnx`"),
        "{message}"
    );

    fs::remove_file(directory.path().join("preprocessor_config.json")).unwrap();
    let (_, message) = refusal(directory.path());
    assert!(
        message.contains("preprocessor_config.json: is missing; Hugging Face's"),
        "{message}"
    );
}

#[test]
fn what_is_no_regular_file_is_refused_and_holds_nobody_up() {
    for name in ["config.json", "preprocessor_config.json"] {
        let directory = model_directory(PREPROCESSOR);
        let file = directory.path().join(name);
        fs::remove_file(&file).unwrap();
        make_fifo(&file);
        let (error, message) = refusal(directory.path());
        assert!(matches!(error, Error::ModelFile { path, .. } if path == file));
        assert!(
            message.ends_with(&format!("{name}: cannot be read: it is a FIFO, not a regular file")),
            "{message}"
        );
    }
    let directory = model_directory(PREPROCESSOR);
    symlink("/dev/zero", directory.path().join("model.onnx")).unwrap();
    let model = ModelDirectory::open(directory.path()).unwrap();
    let message = model.file("model.onnx").unwrap_err().to_string();
    assert!(message.contains("it is a character device"), "{message}");
}

#[test]
fn broken_json_is_located() {
    let directory = model_directory(PREPROCESSOR);
    let config = directory.path().join("config.json");
    fs::write(&config, "{\n  \"id2label\": {\"0\": }\n}").unwrap();
    let (error, message) = refusal(directory.path());
    assert!(matches!(error, Error::ModelFile { path, .. } if path == config));
    assert!(
        message.contains("config.json: is not a JSON object: expected value at line 2 column 21"),
        "{message}"
    );

    fs::write(&config, "[1]").unwrap();
    assert!(refusal(directory.path()).1.contains("is not a JSON object"));
    fs::write(&config, [0xFF, 0xFE]).unwrap();
    assert!(refusal(directory.path()).1.contains("must be UTF-8"));
}

#[test]
fn errors_carry_the_condition_that_the_jvm_reports() {
    let directory = model_directory(r#"{"do_resize": false}"#);
    assert_eq!(refusal(directory.path()).0.condition(), "CLASSIFY_BAD_MODEL");
}

#[test]
fn configuration_is_read_as_python_reads_it() {
    let open = |name: &str| ModelDirectory::open(&repository("tests/cases/models").join(name));
    let plain = open("plain").unwrap();
    let bom = open("bom").unwrap();
    assert_eq!(bom.labels(), plain.labels());
    assert_eq!(bom.preprocessor(), plain.preprocessor());

    let message = open("utf16").unwrap_err().to_string();
    assert!(message.contains("is UTF-16 or UTF-32, and must be UTF-8"), "{message}");
    assert!(message.contains("utf16/"), "{message}");

    // In a field that concerns nobody here.
    let message = open("nan_json").unwrap_err().to_string();
    assert!(
        message.contains("config.json: field `drop`: is NaN; write a finite number"),
        "{message}"
    );

    let directory = model_directory(PREPROCESSOR);
    let config = directory.path().join("config.json");
    fs::write(&config, r#"{"id2label": {"0": "a"}, "attention_window": Infinity}"#).unwrap();
    assert_eq!(ModelDirectory::open(directory.path()).unwrap().labels().len(), 1);
    fs::write(&config, b"{\"id2label\": {\"0\": \"caf\xe9\"}}").unwrap();
    let (_, message) = refusal(directory.path());
    assert!(
        message.contains("config.json: is not UTF-8 text: ") && message.contains("index 23"),
        "{message}"
    );
}
