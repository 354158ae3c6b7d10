//! The module that takes pixels, on the CPU: it must give what the one that takes tensors gives.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use spark_classify_core::{Model, ModelDirectory, Precision};
use spark_classify_testing::{model_without_weights, repository, Random};
use tch::{CModule, Tensor};
use tempfile::TempDir;

use super::*;
use crate::model::TorchModel;

/// A model directory like the project's, with these fields more in its preprocessing, whose module has weights of
/// `kind`.
fn traced(fields: &str, kind: Kind, forward: impl Fn(&Tensor) -> Tensor) -> TempDir {
    let directory = model_without_weights();
    let config = directory.path().join("preprocessor_config.json");
    let preprocessor = fs::read_to_string(&config).unwrap();
    let preprocessor = preprocessor.replacen('{', &format!("{{{fields}"), 1);
    fs::write(config, preprocessor).unwrap();
    let example = if fields.is_empty() {
        [1, 3, 128, 128]
    } else {
        [1, 128, 128, 3]
    };
    let example = Tensor::zeros(example, (kind, tch::Device::Cpu));
    CModule::create_by_tracing("Traced", "forward", &[example], &mut |inputs| vec![forward(&inputs[0])])
        .unwrap()
        .save(directory.path().join("model.pt"))
        .unwrap();
    directory
}

/// The largest difference between the logits of both.
fn difference(directory: &Path, bf16: bool) -> f32 {
    let model = ModelDirectory::open(directory).unwrap();
    let (file, preprocessor) = (
        model.model_file("pytorch", Precision::Fp32).unwrap(),
        model.preprocessor(),
    );
    let samples = SampleTable::new(preprocessor);
    let of_tensors = TorchModel::load(&file, &model, bf16, false).unwrap();
    let of_pixels = TorchOnDevice::load(
        &file,
        &model,
        &samples,
        None,
        DeviceOptions {
            bf16,
            ..DeviceOptions::default()
        },
    )
    .unwrap();
    let classes = of_pixels.classes();
    assert_eq!(of_tensors.classes(), classes);
    let image = 3 * of_pixels.height * of_pixels.width;
    let mut lane = of_pixels.lane(6).unwrap();
    assert_eq!(lane.pixels().len(), 6 * image);
    let mut random = Random::new(7);
    let mut largest = 0_f32;
    for n in [1, 6, 2] {
        for sample in &mut lane.pixels()[..n * image] {
            *sample = random.byte();
        }
        let planes = lane.pixels()[..n * image]
            .chunks_exact(image / 3)
            .zip(samples.0.iter().cycle());
        let tensor: Vec<f32> = planes
            .flat_map(|(plane, values)| plane.iter().map(|sample| values[usize::from(*sample)]))
            .collect();
        let (mut expected, mut actual) = (vec![0.0; n * classes], vec![0.0; n * classes]);
        of_tensors.run(n, &tensor, Asked::Classes, &mut expected).unwrap();
        lane.run(n, Asked::Classes, &mut actual).unwrap();
        assert!(
            (expected[0] - expected[1]).abs() > 1e-6,
            "the classes get different logits, not {expected:?} and {actual:?}"
        );
        largest = actual
            .iter()
            .zip(&expected)
            .fold(largest, |largest, (a, b)| largest.max((a - b).abs()));
    }
    largest
}

fn means_of_channels(dimensions: [i64; 2], kind: Kind) -> impl Fn(&Tensor) -> Tensor {
    // Made outside, so that it is a constant of what is traced.
    let weights = Tensor::from_slice(&[1.0_f32, 2.0, -3.0]).to_kind(kind);
    move |input| input.mean_dim(&dimensions[..], false, kind) * &weights
}

#[test]
fn the_projects_model_takes_pixels() {
    // The same weights, in another order of operations: what the CPU's is optimized with makes the last digits differ.
    let difference = difference(&repository("model"), false);
    assert!(difference < 1e-4, "{difference}");
}

#[test]
fn tf32_is_not_what_the_trace_says() {
    // The project's module was traced with TF32 allowed.
    let model = ModelDirectory::open(&repository("model")).unwrap();
    let convolutions = |tf32| {
        let use_ = Use::Lanes { gpu: None, tf32 };
        let module = Module::load(
            &model.model_file("pytorch", Precision::Fp32).unwrap(),
            use_,
            false,
            false,
        )
        .unwrap();
        module.tf32_convolutions()
    };
    assert_eq!((convolutions(false), convolutions(true)), (0, 4));
}

#[test]
fn runs_have_few_sizes() {
    let model = ModelDirectory::open(&repository("model")).unwrap();
    let samples = SampleTable::new(model.preprocessor());
    let file = model.model_file("pytorch", Precision::Fp32).unwrap();
    let loaded = TorchOnDevice::load(&file, &model, &samples, None, DeviceOptions::default()).unwrap();
    assert_eq!(loaded.run_sizes(1), [1]);
    assert_eq!(loaded.run_sizes(10), [1, 4, 8, 10]);
    assert_eq!(loaded.run_sizes(256).last(), Some(&256));
}

#[test]
fn a_model_with_its_channels_last_takes_pixels() {
    let fields = r#""data_format": "channels_last", "#;
    let directory = traced(fields, Kind::Float, means_of_channels([1, 2], Kind::Float));
    let difference = difference(directory.path(), false);
    assert!(difference < 1e-6, "{difference}");
}

#[test]
fn a_model_in_half_precision_takes_pixels() {
    let directory = traced("", Kind::Half, means_of_channels([2, 3], Kind::Half));
    let difference = difference(directory.path(), false);
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn a_converted_model_takes_pixels() {
    let directory = traced("", Kind::Float, means_of_channels([2, 3], Kind::Float));
    let difference = difference(directory.path(), true);
    assert!(difference < 1e-2, "{difference}");
}

#[test]
fn more_images_than_a_lane_has_room_for_are_refused() {
    let model = ModelDirectory::open(&repository("model")).unwrap();
    let samples = SampleTable::new(model.preprocessor());
    let file = model.model_file("pytorch", Precision::Fp32).unwrap();
    let on_device = TorchOnDevice::load(&file, &model, &samples, None, DeviceOptions::default()).unwrap();
    let mut lane = on_device.lane(2).unwrap();
    let error = lane.run(3, Asked::Classes, &mut [0.0; 9]).unwrap_err().to_string();
    assert!(
        error.contains("3 images are not what the lane has memory for"),
        "{error}"
    );
    assert!(!error.contains("frame #"), "the message ends with a backtrace: {error}");
}
