//! Model directories from the field, in ONNX Runtime.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use spark_classify_core::{Classifier, Engine, LoadOptions, Predictions};
use spark_classify_testing::onnx_model::{one_image_model, Tensor, FLOAT};
use spark_classify_testing::{json, model_directory, repository};

use crate::engine;

fn load(model: &str) -> spark_classify_core::Result<Classifier> {
    load_from(&repository("tests/cases/models").join(model))
}

fn load_from(directory: &Path) -> spark_classify_core::Result<Classifier> {
    Classifier::load(&engine(), directory, &LoadOptions::default())
}

/// A BMP image of 4 x 4 pixels of this grey level.
fn grey(level: u8) -> Vec<u8> {
    bmp([level; 3])
}

/// The same of this level of blue and nothing else.
fn blue(level: u8) -> Vec<u8> {
    bmp([level, 0, 0])
}

fn bmp(pixel: [u8; 3]) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for field in [102_u32, 0, 54, 40, 4, 4, 1 | 24 << 16, 0, 48, 0, 0, 0, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend(pixel.repeat(16));
    bytes
}

/// Directories whose configuration is not read yet.
const CONFIGURATION_TO_COME: &[&str] = &[];

/// Where the files of a case are: within a hub cache, in its snapshot.
fn files_of(case: &str) -> PathBuf {
    let directory = repository("tests/cases/models").join(case);
    match case {
        "hub" => directory.join("models--someone--vit/snapshots/0123abcd"),
        _ => directory,
    }
}

/// Class names and probabilities of an image, or what the error says beside the name of the directory.
fn outcome(directory: &Path, image: &[u8]) -> Result<(Vec<String>, Vec<f64>), String> {
    let path = directory.display().to_string();
    let classifier = load_from(directory).map_err(|error| error.to_string().replace(&path, ""))?;
    let mut predictions = Predictions::new();
    classifier
        .classify(&[image], NonZeroUsize::MIN, &mut predictions)
        .map_err(|error| error.to_string())?;
    let prediction = predictions.get(0).map_err(ToString::to_string)?;
    let labels = classifier.labels().unwrap().iter().map(str::to_owned).collect();
    Ok((
        labels,
        prediction.probabilities.iter().copied().map(f64::from).collect(),
    ))
}

/// Why the outcome is not the expected one.
fn difference(expected: &serde_json::Value, outcome: &Result<(Vec<String>, Vec<f64>), String>) -> Option<String> {
    match (expected["error"].as_str(), outcome) {
        (Some(part), Err(message)) => (!message.contains(part)).then(|| format!("`{part}` is not in: {message}")),
        (Some(part), Ok(_)) => Some(format!("loads, though it should be refused: {part}")),
        (None, Err(message)) => Some(message.clone()),
        (None, Ok((labels, probabilities))) => {
            let texts = expected["labels"].as_array().unwrap();
            let numbers = expected["probabilities"].as_array().unwrap();
            let near = |(actual, number): (&f64, &serde_json::Value)| (actual - number.as_f64().unwrap()).abs() <= 1e-6;
            let equal = texts.iter().map(|text| text.as_str().unwrap()).eq(labels)
                && numbers.len() == probabilities.len()
                && probabilities.iter().zip(numbers).all(near);
            (!equal).then(|| format!("{labels:?}: {probabilities:?}"))
        }
    }
}

#[test]
fn every_directory_gives_what_python_says() {
    let expected = json("tests/cases/models.json");
    let image = fs::read(repository("tests/cases/images/probe.png")).unwrap();
    let mut cases: Vec<_> = fs::read_dir(repository("tests/cases/models"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        // Weights that a link of another directory leads to.
        .filter(|case| case != "elsewhere")
        .collect();
    cases.sort();
    let named: Vec<_> = expected.as_object().unwrap().keys().cloned().collect();
    assert_eq!(named, cases);
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let difference = difference(&expected[case], &outcome(&files_of(case), &image));
            match (difference, CONFIGURATION_TO_COME.contains(&case.as_str())) {
                (Some(difference), false) => Some(format!("{case}: {difference}")),
                (None, true) => Some(format!("{case}: right, take it out of the list")),
                _ => None,
            }
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_model_that_is_too_new_is_refused_with_both_versions() {
    for (model, what, way_out) in [
        (
            "ir99",
            "IR version 99",
            "export it again with an older version of the onnx package",
        ),
        ("opset99", "operator set 99", "export it again with `opset_version="),
    ] {
        let message = load(model).unwrap_err().to_string();
        let version = engine().version().unwrap();
        let start = format!("model.onnx: the model is of {what}, and ONNX Runtime {version} takes versions up to ");
        let (_, rest) = message.split_once(&start).unwrap_or_else(|| panic!("{message}"));
        let (newest, rest) = rest.split_once("; ").unwrap();
        assert!((10..99).contains(&newest.parse().unwrap()), "{message}");
        assert!(
            rest.starts_with(way_out) && rest.ends_with("newer ONNX Runtime (spark.classify.onnxruntime.library)"),
            "{message}"
        );
    }
}

#[test]
fn an_image_whose_logits_are_nan_is_an_error_alone() {
    let (light, dark) = (grey(255), grey(0));
    let mut predictions = Predictions::new();
    let one = NonZeroUsize::MIN;
    let batch: [&[u8]; 3] = [&light, &dark, &light];
    load("nan_for_dark")
        .unwrap()
        .classify(&batch, one, &mut predictions)
        .unwrap();
    assert_eq!(predictions.get(0).unwrap(), predictions.get(2).unwrap());
    assert_eq!(
        predictions.get(1).unwrap_err().to_string(),
        "the model gives no prediction for this image: its logits are not finite numbers"
    );
}

#[test]
fn a_model_that_takes_one_image_gets_one_at_a_time() {
    let directory = model_directory(
        r#"{"do_resize": false, "do_center_crop": true, "crop_size": {"height": 4, "width": 4}, "do_normalize": false}"#,
    );
    // Neither input nor output tells it.
    let input = Tensor::new("pixel_values", FLOAT, &[-1, 3, 4, 4]);
    let output = Tensor::new("logits", FLOAT, &[-1, 3]);
    fs::write(directory.path().join("model.onnx"), one_image_model(input, output)).unwrap();

    let files: Vec<_> = [0, 51, 102, 153, 204].into_iter().map(blue).collect();
    let images: Vec<_> = files.iter().map(Vec::as_slice).collect();
    let mut predictions = Predictions::new();
    let threads = NonZeroUsize::new(2).unwrap();
    load_from(directory.path())
        .unwrap()
        .classify(&images, threads, &mut predictions)
        .unwrap();
    for (row, share) in [0.0_f32, 0.2, 0.4, 0.6, 0.8].into_iter().enumerate() {
        // The logits are 0, 0 and the share of blue.
        let sum = 2.0 + share.exp();
        let expected = [1.0 / sum, 1.0 / sum, share.exp() / sum];
        let actual = predictions.get(row).unwrap().probabilities;
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
        }
    }
}
