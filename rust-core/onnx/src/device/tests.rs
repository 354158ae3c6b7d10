//! The model that takes pixels, on the CPU's provider: it must give what the one that takes tensors gives, to the last
//! bit, because both compute on the same numbers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use spark_classify_core::{Model, ModelDirectory, Precision};
use spark_classify_testing::onnx_model::{
    self, casting_model, channels_last_model, pooling_model, reshaping_model, zipmap_model, BFLOAT16, FLOAT, FLOAT16,
    FLOAT64, UINT8,
};
use spark_classify_testing::{model_without_weights, onnxruntime, repository, Random};
use tempfile::TempDir;

use super::*;
use crate::library;
use crate::model::OnnxModel;

/// Loads both forms of a model directory's model.
fn both(directory: &Path) -> (OnnxModel, OnnxOnDevice, SampleTable) {
    let environment = library::environment(&onnxruntime()).unwrap();
    let model = ModelDirectory::open(directory).unwrap();
    let samples = SampleTable::new(model.preprocessor());
    let file = || model.model_file("onnx", Precision::Fp32).unwrap();
    let of_tensors = OnnxModel::load(environment, file(), &model).unwrap();
    let of_pixels = OnnxOnDevice::load(environment, file(), &model, &samples, Provider::Cpu).unwrap();
    (of_tensors, of_pixels, samples)
}

/// A model directory like the project's, with another model.
fn directory(model: &[u8]) -> TempDir {
    let directory = model_without_weights();
    fs::write(directory.path().join("model.onnx"), model).unwrap();
    directory
}

fn agrees(directory: &Path, counts: &[usize]) {
    let (of_tensors, of_pixels, samples) = both(directory);
    let classes = of_pixels.classes();
    let image = of_pixels.signature.image_len();
    assert_eq!(
        (of_tensors.classes(), of_tensors.batch_multiple()),
        (classes, of_pixels.batch_multiple())
    );
    let largest = counts.iter().copied().max().unwrap();
    let mut lane = of_pixels.lane(largest).unwrap();
    let mut random = Random::new(7);
    for &n in counts {
        let pixels: Vec<u8> = (0..n * image).map(|_| random.byte()).collect();
        lane.pixels()[..pixels.len()].copy_from_slice(&pixels);
        let channels = of_pixels.channels();
        assert_eq!(of_tensors.channels(), channels);
        let planes = pixels
            .chunks_exact(image / channels)
            .zip(samples.0[..channels].iter().cycle());
        let tensor: Vec<f32> = planes
            .flat_map(|(plane, values)| plane.iter().map(|sample| values[usize::from(*sample)]))
            .collect();
        let (mut expected, mut actual) = (vec![0.0; n * classes], vec![0.0; n * classes]);
        of_tensors.run(n, &tensor, Asked::Classes, &mut expected).unwrap();
        lane.run(n, Asked::Classes, &mut actual).unwrap();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&actual), bits(&expected), "{n} images");
        assert!(
            (expected[0] - expected[1]).abs() > 1e-6,
            "the classes get different logits"
        );
    }
}

#[test]
fn the_projects_model_takes_pixels() {
    agrees(&repository("model"), &[1, 3, 8]);
}

#[test]
fn a_model_of_a_fixed_batch_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[4, 3, 128, 128]);
    let output = onnx_model::Tensor::new("logits", FLOAT, &[4, 3]);
    agrees(directory(&pooling_model(&[input], &[output])).path(), &[4, 1, 6, 8]);
}

#[test]
fn a_model_in_half_precision_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT16, &[-1, 3, 128, 128]);
    let output = onnx_model::Tensor::new("logits", FLOAT16, &[-1, 3]);
    agrees(directory(&pooling_model(&[input], &[output])).path(), &[2, 5]);
}

#[test]
fn a_model_with_its_channels_last_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 128, 128, 3]);
    let output = onnx_model::Tensor::new("logits", FLOAT, &[-1, 3]);
    agrees(directory(&channels_last_model(input, output)).path(), &[1, 2]);
}

#[test]
fn models_of_other_types_take_pixels() {
    let scores = onnx_model::Tensor::new("scores", FLOAT, &[-1, 3]);
    for element in [FLOAT64, BFLOAT16] {
        let input = onnx_model::Tensor::new("image", element, &[-1, 3, 128, 128]);
        agrees(directory(&casting_model(input, scores)).path(), &[2, 3]);
    }
    let samples = |element, shape| {
        let input = onnx_model::Tensor::new("image", element, shape);
        let directory = directory(&casting_model(input, scores));
        fs::write(
            directory.path().join("preprocessor_config.json"),
            r#"{"size": {"height": 128, "width": 128}, "resample": 2, "do_rescale": false, "do_normalize": false}"#,
        )
        .unwrap();
        directory
    };
    agrees(samples(UINT8, &[-1, 3, 128, 128]).path(), &[2, 3]);
}

#[test]
fn a_model_of_grey_images_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 1, 2, 3]);
    let scores = onnx_model::Tensor::new("scores", FLOAT, &[-1, 6]);
    let directory = directory(&reshaping_model(input, &[scores], ""));
    fs::write(
        directory.path().join("preprocessor_config.json"),
        r#"{"size": {"height": 2, "width": 3}, "resample": 2, "image_mean": 0.5, "image_std": 0.25}"#,
    )
    .unwrap();
    fs::write(
        directory.path().join("config.json"),
        r#"{"id2label": {"0": "a", "1": "b", "2": "c", "3": "d", "4": "e", "5": "f"}}"#,
    )
    .unwrap();
    agrees(directory.path(), &[2, 3]);
}

#[test]
fn maps_of_classes_are_read_for_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 3, 128, 128]);
    agrees(directory(&zipmap_model(input, "probabilities", &[])).path(), &[1, 4]);
}

#[test]
fn of_several_outputs_the_logits_are_taken() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 3, 128, 128]);
    let outputs = [
        onnx_model::Tensor::new("pooled", FLOAT, &[-1, 3, 1, 1]),
        onnx_model::Tensor::new("logits", FLOAT, &[-1, 3]),
    ];
    agrees(directory(&pooling_model(&[input], &outputs)).path(), &[2]);
}

#[test]
fn more_images_than_a_lane_has_room_for_are_refused() {
    let (_, model, _) = both(&repository("model"));
    let mut lane = model.lane(2).unwrap();
    let error = lane.run(3, Asked::Classes, &mut [0.0; 9]).unwrap_err().to_string();
    assert!(
        error.contains("3 images are more than the lane has memory for"),
        "{error}"
    );
}

/// The ONNX Runtime of the tests has no CUDA, whether or not the machine has a GPU.
#[test]
fn a_runtime_without_cuda_is_an_error_of_the_device() {
    let environment = library::environment(&onnxruntime()).unwrap();
    let model = ModelDirectory::open(&repository("model")).unwrap();
    let error = OnnxOnDevice::load(
        environment,
        model.model_file("onnx", Precision::Fp32).unwrap(),
        &model,
        &SampleTable::new(model.preprocessor()),
        Provider::Cuda(0, spark_classify_core::GpuOptions::default()),
    )
    .unwrap_err();
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    let message = error.to_string();
    assert!(
        message.starts_with("device cuda:0: ONNX Runtime cannot use it: "),
        "{message}"
    );
    assert!(message.contains("CUDA"), "{message}");
}

#[test]
fn embeddings_are_those_of_tensors() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 3, 128, 128]);
    let outputs = [
        onnx_model::Tensor::new("last_hidden_state", FLOAT, &[-1, 384, 128]),
        onnx_model::Tensor::new("logits", FLOAT, &[-1, 3]),
    ];
    let directory = directory(&reshaping_model(input, &outputs, "logits"));
    let config = directory.path().join("config.json");
    let labels = fs::read_to_string(&config).unwrap();
    fs::write(config, labels.replacen('{', r#"{"pooling": "mean", "#, 1)).unwrap();
    let (of_tensors, of_pixels, samples) = both(directory.path());
    let image = of_pixels.signature.image_len();
    let mut lane = of_pixels.lane(2).unwrap();
    let mut random = Random::new(9);
    lane.pixels().iter_mut().for_each(|sample| *sample = random.byte());
    let planes = lane.pixels().chunks_exact(image / 3).zip(samples.0.iter().cycle());
    let tensor: Vec<f32> = planes
        .flat_map(|(plane, values)| plane.iter().map(|sample| values[usize::from(*sample)]))
        .collect();
    for (asked, width) in [(Asked::Both, 131), (Asked::Embedding, 128), (Asked::Classes, 3)] {
        let (mut expected, mut actual) = (vec![0.0; 2 * width], vec![0.0; 2 * width]);
        of_tensors.run(2, &tensor, asked, &mut expected).unwrap();
        lane.run(2, asked, &mut actual).unwrap();
        assert_eq!(actual, expected, "{asked:?}");
        assert!(actual.iter().any(|value| value.abs() > 1e-6));
    }
}
