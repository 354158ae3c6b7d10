//! Model directories from the field, in ONNX Runtime.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use spark_classify_core::{Classifier, LoadOptions, Predictions, Result};
use spark_classify_testing::onnx_model::{one_image_model, Tensor, FLOAT};
use spark_classify_testing::{model_directory, repository};

use crate::engine;

fn load(model: &str) -> Result<Classifier> {
    load_from(&repository("tests/cases/models").join(model))
}

fn load_from(directory: &Path) -> Result<Classifier> {
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
