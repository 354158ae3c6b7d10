//! What a model may take.

use std::fs;
use std::num::NonZeroUsize;

use spark_classify_core::{Classifier, LoadOptions, Predictions, Result};
use spark_classify_testing::model_directory;
use spark_classify_testing::onnx_model::{
    casting_model, reshaping_model, Tensor, BFLOAT16, FLOAT, FLOAT16, FLOAT64, INT64, UINT8,
};

use crate::engine;

const PLAIN: &str = r#""do_normalize": false"#;
const BYTES: &str = r#""do_rescale": false, "do_normalize": false"#;

/// The probabilities that a model gives for an image of 3 x 2 pixels, one for each of its outputs, of which there are
/// `classes`.
fn probabilities(model: &[u8], classes: usize, preprocessor: &str) -> Result<Vec<f32>> {
    let size = r#""do_resize": false, "do_center_crop": true, "crop_size": {"height": 2, "width": 3}"#;
    let directory = model_directory(&format!("{{{size}, {preprocessor}}}"));
    let labels: Vec<_> = (0..classes).map(|id| format!(r#""{id}": "{id}""#)).collect();
    let config = format!(r#"{{"id2label": {{{}}}}}"#, labels.join(","));
    fs::write(directory.path().join("config.json"), config).unwrap();
    fs::write(directory.path().join("model.onnx"), model).unwrap();
    let classifier = Classifier::load(&engine(), directory.path(), &LoadOptions::default())?;
    let mut predictions = Predictions::new();
    let image = image();
    classifier.classify(&[&image, &image], NonZeroUsize::MIN, &mut predictions)?;
    let [first, second] = [0, 1].map(|row| predictions.get(row).unwrap().probabilities.to_vec());
    assert_eq!(first, second);
    Ok(first)
}

const COLOURS: [[u8; 3]; 6] = [
    [10, 200, 30],
    [255, 255, 255],
    [1, 2, 3],
    [0, 0, 255],
    [77, 77, 77],
    [250, 3, 128],
];

/// What Pillow's `convert("L")` gives for these colours.
const GREY: [u8; 6] = [124, 255, 2, 29, 77, 91];

/// A portable pixmap.
fn image() -> Vec<u8> {
    [b"P6 3 2 255\n".as_slice(), &COLOURS.concat()].concat()
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<_> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    powers.iter().map(|power| power / powers.iter().sum::<f32>()).collect()
}

fn assert_near(actual: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (actual, expected) in actual.iter().zip(expected) {
        assert!(
            (actual - expected).abs() <= tolerance,
            "{what}: {actual} is not {expected}"
        );
    }
}

/// The means of the colours, of samples from 0 to 255.
fn means() -> [f32; 3] {
    [0, 1, 2].map(|channel| COLOURS.iter().map(|colour| f32::from(colour[channel])).sum::<f32>() / 6.0)
}

#[test]
fn every_floating_point_type_is_taken() {
    let expected = softmax(&means().map(|mean| mean / 255.0));
    let scores = Tensor::new("scores", FLOAT, &[-1, 3]);
    for (element, tolerance) in [(FLOAT, 1e-6), (FLOAT64, 1e-6), (FLOAT16, 1e-3), (BFLOAT16, 4e-3)] {
        let first = casting_model(Tensor::new("pixels", element, &[-1, 3, 2, 3]), scores);
        let actual = probabilities(&first, 3, PLAIN).unwrap();
        assert_near(&actual, &expected, tolerance, &format!("type {element}"));
    }
}

#[test]
fn bytes_are_taken_as_they_are() {
    let model = casting_model(
        Tensor::new("pixels", UINT8, &[-1, 3, 2, 3]),
        Tensor::new("scores", FLOAT, &[-1, 3]),
    );
    let actual = probabilities(&model, 3, BYTES).unwrap();
    assert_near(&actual, &softmax(&means()), 1e-5, "bytes");
    let mean = r#""do_rescale": false, "image_mean": 0.5, "image_std": 0.5"#;
    for preprocessor in [PLAIN, mean] {
        let message = probabilities(&model, 3, preprocessor).unwrap_err().to_string();
        for part in [
            "model.onnx: input `pixels`: Tensor<u8>(any, 3, 2, 3) takes bytes",
            "write `do_rescale` and `do_normalize` as false into preprocessor_config.json",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

#[test]
fn a_model_of_one_channel_gets_grey_images() {
    let expected = softmax(&GREY.map(|grey| f32::from(grey) / 255.0));
    let scores = [Tensor::new("scores", FLOAT, &[-1, 6])];
    // Each pixel is a class, so that a channel too many or too few is another shape.
    for shape in [&[-1, 1, 2, 3][..], &[-1, 2, 3, 1], &[2, 1, 2, 3]] {
        let model = reshaping_model(Tensor::new("pixels", FLOAT, shape), &scores, "");
        let actual = probabilities(&model, 6, PLAIN).unwrap();
        assert_near(&actual, &expected, 1e-6, &format!("{shape:?}"));
    }

    let model = reshaping_model(Tensor::new("pixels", FLOAT, &[-1, 1, 2, 3]), &scores, "");
    let normalized = softmax(&GREY.map(|grey| (f32::from(grey) / 255.0 - 0.25) / 0.5));
    let one_number = r#""image_mean": 0.25, "image_std": 0.5"#;
    assert_near(
        &probabilities(&model, 6, one_number).unwrap(),
        &normalized,
        1e-6,
        "normalised",
    );
    let of_colours = r#""image_mean": [0.485, 0.456, 0.406], "image_std": 0.5"#;
    let message = probabilities(&model, 6, of_colours).unwrap_err().to_string();
    assert!(
        message
            .contains("takes grey images, but the model directory's preprocessing differs by colour; write one number"),
        "{message}"
    );
}

#[test]
fn other_inputs_are_refused_by_type() {
    let model = casting_model(
        Tensor::new("ids", INT64, &[-1, 3, 2, 3]),
        Tensor::new("scores", FLOAT, &[-1, 3]),
    );
    let message = probabilities(&model, 3, PLAIN).unwrap_err().to_string();
    assert!(
        message.contains("input `ids`: Tensor<i64>(any, 3, 2, 3), expected a tensor of one of f32, f16, bf16, f64, u8"),
        "{message}"
    );
}
