//! The model that takes pixels, on the CPU's provider: it must give what the one that takes tensors gives, to the last
//! bit, because both compute on the same numbers.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use spark_classify_core::{Model, ModelDirectory};
use spark_classify_testing::onnx_model::{self, channels_last_model, pooling_model, FLOAT, FLOAT16};
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
    let file = || model.file("model.onnx").unwrap();
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
        let planes = pixels.chunks_exact(image / 3).zip(samples.0.iter().cycle());
        let tensor: Vec<f32> = planes
            .flat_map(|(plane, values)| plane.iter().map(|sample| values[usize::from(*sample)]))
            .collect();
        let (mut expected, mut actual) = (vec![0.0; n * classes], vec![0.0; n * classes]);
        of_tensors.run(n, &tensor, &mut expected).unwrap();
        lane.run(n, &mut actual).unwrap();
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
    let error = lane.run(3, &mut [0.0; 9]).unwrap_err().to_string();
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
        model.file("model.onnx").unwrap(),
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
