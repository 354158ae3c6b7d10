//! The model that takes pixels, on the CPU's provider: it must give what the one that takes tensors gives, to the last
//! bit, because both compute on the same numbers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)]
#[path = "../../tests/onnx_model/mod.rs"]
mod onnx_model;

use std::fs;
use std::path::Path;

use onnx_model::{channels_last_model, pooling_model, FLOAT, FLOAT16};
use spark_classify_core::{Model, ModelDirectory};

use super::*;
use crate::library;
use crate::model::OnnxModel;

/// Loads both forms of a model directory's model.
fn both(directory: &Path) -> (OnnxModel, OnnxOnDevice, SampleTable) {
    let runtime = std::env::var_os("ORT_DYLIB_PATH").expect("set ORT_DYLIB_PATH to the path of libonnxruntime.so");
    let environment = library::environment(Path::new(&runtime)).unwrap();
    let model = ModelDirectory::open(directory).unwrap();
    let samples = SampleTable::new(model.preprocessor());
    let file = || model.file("model.onnx").unwrap();
    let of_tensors = OnnxModel::load(environment, file(), model.preprocessor()).unwrap();
    let of_pixels = OnnxOnDevice::load(environment, file(), model.preprocessor(), &samples, Provider::Cpu).unwrap();
    (of_tensors, of_pixels, samples)
}

/// A model directory like the project's, with another model.
fn directory(name: &str, model: &[u8]) -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("spark-classify-{}-{name}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    for file in ["config.json", "preprocessor_config.json"] {
        fs::copy(project_model().join(file), directory.join(file)).unwrap();
    }
    fs::write(directory.join("model.onnx"), model).unwrap();
    directory
}

fn project_model() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../model")
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
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
    for &n in counts {
        let pixels = noise(n * image);
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
    agrees(&project_model(), &[1, 3, 8]);
}

#[test]
fn a_model_of_a_fixed_batch_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[4, 3, 128, 128]);
    let output = onnx_model::Tensor::new("logits", FLOAT, &[4, 3]);
    agrees(&directory("fixed", &pooling_model(&[input], &[output])), &[4, 1, 6, 8]);
}

#[test]
fn a_model_in_half_precision_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT16, &[-1, 3, 128, 128]);
    let output = onnx_model::Tensor::new("logits", FLOAT16, &[-1, 3]);
    agrees(&directory("half", &pooling_model(&[input], &[output])), &[2, 5]);
}

#[test]
fn a_model_with_its_channels_last_takes_pixels() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 128, 128, 3]);
    let output = onnx_model::Tensor::new("logits", FLOAT, &[-1, 3]);
    agrees(&directory("last", &channels_last_model(input, output)), &[1, 2]);
}

#[test]
fn of_several_outputs_the_logits_are_taken() {
    let input = onnx_model::Tensor::new("image", FLOAT, &[-1, 3, 128, 128]);
    let outputs = [
        onnx_model::Tensor::new("pooled", FLOAT, &[-1, 3, 1, 1]),
        onnx_model::Tensor::new("logits", FLOAT, &[-1, 3]),
    ];
    agrees(&directory("outputs", &pooling_model(&[input], &outputs)), &[2]);
}

#[test]
fn more_images_than_a_lane_has_room_for_are_refused() {
    let (_, model, _) = both(&project_model());
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
    let runtime = std::env::var_os("ORT_DYLIB_PATH").expect("set ORT_DYLIB_PATH to the path of libonnxruntime.so");
    let environment = library::environment(Path::new(&runtime)).unwrap();
    let model = ModelDirectory::open(&project_model()).unwrap();
    let error = OnnxOnDevice::load(
        environment,
        model.file("model.onnx").unwrap(),
        model.preprocessor(),
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
