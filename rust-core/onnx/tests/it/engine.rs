//! The ONNX Runtime engine on the project's model and on small models made here.

use std::fs;

use spark_classify_core::{Engine, Error, LoadOptions, ModelDirectory, Precision};
use spark_classify_testing::contract::{self, load, load_error, pixels, run};
use spark_classify_testing::onnx_model::{channels_last_model, pooling_model, Tensor, FLOAT, FLOAT16, INT64};
use spark_classify_testing::{model_without_weights, repository};
use tempfile::TempDir;

use crate::engine;

#[test]
fn batches_agree_with_single_images() {
    contract::batches_agree_with_single_images(&engine());
}

#[test]
fn concurrent_runs_agree() {
    contract::concurrent_runs_agree(&engine());
}

#[test]
fn threads_do_not_change_the_result() {
    contract::threads_do_not_change_the_result(&engine());
}

#[test]
fn wrong_buffers_are_refused() {
    contract::wrong_buffers_are_refused(&engine());
}

#[test]
fn another_device_is_refused() {
    contract::another_device_is_refused(&engine());
}

#[test]
#[ignore = "needs a GPU and an ONNX Runtime with CUDA: scripts/gpu-check runs it"]
fn a_gpu_agrees_with_the_cpu() {
    contract::a_gpu_agrees_with_the_cpu(&engine(), Precision::Fp32, contract::GPU_TOLERANCE);
}

#[test]
fn broken_model_files_are_refused() {
    contract::broken_model_files_are_refused(&engine(), "model.onnx");
}

#[test]
fn probabilities_agree_with_python() {
    contract::probabilities_agree_with_python(&engine());
}

#[test]
fn int8_gives_about_the_same_labels() {
    let (flips, largest) = contract::price_of(&engine(), Precision::Int8);
    assert!(flips <= 2, "{flips} labels");
    // 0 would mean that it is the same model.
    assert!(largest > 1e-3 && largest < 0.2, "{largest}");
}

#[test]
fn a_precision_that_is_not_there_is_refused() {
    let refused = |precision| {
        let dir = model_without_weights();
        fs::copy(repository("model/model.onnx"), dir.path().join("model.onnx")).unwrap();
        let options = LoadOptions {
            precision,
            ..LoadOptions::default()
        };
        let model = ModelDirectory::open(dir.path()).unwrap();
        (dir, engine().load(&model, &options).map(|_| ()).unwrap_err())
    };
    match refused(Precision::Int8) {
        (dir, Error::ModelFile { path, reason }) => {
            assert_eq!(path, dir.path().join("model.int8.onnx"));
            assert!(reason.contains("scripts/quantize_model.py"), "{reason}");
        }
        (_, other) => panic!("expected Error::ModelFile, got {other:?}"),
    }
    let (_, bf16) = refused(Precision::Bf16);
    assert!(
        matches!(
            bf16,
            Error::Option {
                option: "precision",
                ..
            }
        ),
        "{bf16:?}"
    );
    assert!(
        bf16.to_string().contains("`bf16`: the onnx backend has no bfloat16"),
        "{bf16}"
    );
}

#[test]
fn version_is_that_of_the_library() {
    let version = engine().version().unwrap();
    assert!(version.starts_with("1."), "{version}");
}

/// A model directory with this model.
fn directory_of(model: &[u8]) -> TempDir {
    let dir = model_without_weights();
    fs::write(dir.path().join("model.onnx"), model).unwrap();
    dir
}

/// A model directory with a model that averages each colour channel: one logit a channel.
fn directory(inputs: &[Tensor<'_>], outputs: &[Tensor<'_>]) -> TempDir {
    directory_of(&pooling_model(inputs, outputs))
}

fn refusal(inputs: &[Tensor<'_>], outputs: &[Tensor<'_>]) -> String {
    let dir = directory(inputs, outputs);
    match load_error(&engine(), &dir) {
        Error::ModelFile { path, reason } => {
            assert_eq!(path, dir.path().join("model.onnx"));
            reason
        }
        other => panic!("expected Error::ModelFile, got {other:?}"),
    }
}

const IMAGE: usize = 3 * 128 * 128;

#[test]
fn a_fixed_batch_is_filled_up() {
    let fixed = Tensor::new("pixels", FLOAT, &[4, 3, 128, 128]);
    let dynamic = Tensor::new("pixels", FLOAT, &[-1, 3, -1, -1]);
    let of_four = directory(&[fixed], &[Tensor::new("scores", FLOAT, &[4, 3])]);
    let of_any = directory(&[dynamic], &[Tensor::new("scores", FLOAT, &[-1, 3])]);
    let of_four = load(&engine(), &of_four).unwrap();
    let of_any = load(&engine(), &of_any).unwrap();

    let nchw = pixels(9 * IMAGE);
    for n in [1, 4, 6, 9] {
        let nchw = &nchw[..n * IMAGE];
        let means: Vec<f32> = nchw
            .chunks(128 * 128)
            .map(|channel| channel.iter().sum::<f32>() / (128.0 * 128.0))
            .collect();
        contract::assert_close(&run(&*of_four, n, nchw), &means);
        contract::assert_close(&run(&*of_any, n, nchw), &means);
    }
}

#[test]
fn the_number_of_classes_need_not_be_declared() {
    let dir = directory(
        &[Tensor::new("pixels", FLOAT, &[-1, 3, 128, 128])],
        &[Tensor::new("scores", FLOAT, &[-1, -1])],
    );
    assert_eq!(load(&engine(), &dir).unwrap().classes(), 3);
}

#[test]
fn a_model_for_other_images_is_refused() {
    let scores = [Tensor::new("scores", FLOAT, &[-1, 3])];
    let input = |shape: &[i64]| refusal(&[Tensor::new("pixels", FLOAT, shape)], &scores);

    let reason = input(&[-1, 3, 224, 224]);
    assert!(
        reason.contains("[-1, 3, 224, 224]") && reason.contains("[batch, 3, 128, 128]"),
        "{reason}"
    );
    let reason = input(&[-1, 2, 128, 128]);
    assert!(reason.contains("[-1, 2, 128, 128]"), "{reason}");
    let reason = input(&[-1, 3, 128]);
    assert!(
        reason.contains("expected [batch, channels, height, width] or"),
        "{reason}"
    );
}

#[test]
fn a_model_of_another_kind_is_refused() {
    let pixels = Tensor::new("pixels", FLOAT, &[-1, 3, 128, 128]);
    let mask = Tensor::new("mask", INT64, &[-1]);
    let scores = Tensor::new("scores", FLOAT, &[-1, 3]);
    assert_eq!(
        refusal(&[pixels, mask], &[scores]),
        "the model has the inputs `pixels`: Tensor<f32>(any, 3, 128, 128), `mask`: Tensor<i64>(any), and only \
         one, the image, can be given; export it with that alone, or with defaults for the others"
    );
}

/// Means of the channels of each image in `nchw`.
fn means(nchw: &[f32]) -> Vec<f32> {
    let plane = 128 * 128;
    let mean = |channel: &[f32]| channel.iter().sum::<f32>() / plane as f32;
    nchw.chunks(plane).map(mean).collect()
}

#[test]
fn the_order_of_dimensions_is_found() {
    let scores = Tensor::new("scores", FLOAT, &[-1, 3]);
    let nchw = pixels(2 * IMAGE);
    let last = |input: Tensor<'_>| {
        let dir = directory_of(&channels_last_model(input, scores));
        contract::assert_close(&run(&*load(&engine(), &dir).unwrap(), 2, &nchw), &means(&nchw));
    };
    last(Tensor::new("pixels", FLOAT, &[-1, 128, 128, 3]));
    last(Tensor::new("pixels", FLOAT, &[-1, -1, -1, 3]));
    let dynamic = Tensor::new("pixels", FLOAT, &[-1; 4]);
    last(dynamic.called(&["batch", "height", "width", "Channels"]));
    let first = dynamic.called(&["batch_size", "num_channels", "height", "width"]);
    let dir = directory(&[first], &[scores]);
    contract::assert_close(&run(&*load(&engine(), &dir).unwrap(), 2, &nchw), &means(&nchw));

    let reason = refusal(&[dynamic], &[scores]);
    assert!(
        reason.contains("input `pixels` has shape [-1, -1, -1, -1], which may be"),
        "{reason}"
    );
    assert!(reason.contains("write `data_format`"), "{reason}");
}

#[test]
fn the_order_of_dimensions_may_be_written() {
    let scores = Tensor::new("scores", FLOAT, &[-1, 3]);
    let write = |dir: &TempDir, format: &str| {
        let fields = format!(
            r#"{{"size": {{"height": 128, "width": 128}}, "resample": 2, "do_normalize": false, "data_format": "{format}"}}"#
        );
        fs::write(dir.path().join("preprocessor_config.json"), fields).unwrap();
    };
    let input = Tensor::new("pixels", FLOAT, &[-1; 4]);
    let dir = directory_of(&channels_last_model(input, scores));
    write(&dir, "channels_last");
    let nchw = pixels(IMAGE);
    contract::assert_close(&run(&*load(&engine(), &dir).unwrap(), 1, &nchw), &means(&nchw));

    let dir = directory(&[Tensor::new("pixels", FLOAT, &[-1, 3, -1, -1])], &[scores]);
    write(&dir, "channels_last");
    let error = load_error(&engine(), &dir).to_string();
    assert!(
        error.contains("[-1, 3, -1, -1], but `data_format` in preprocessor_config.json is `channels_last`"),
        "{error}"
    );
}

#[test]
fn half_precision_goes_in_and_comes_out() {
    let nchw = pixels(2 * IMAGE);
    let pixels_first = Tensor::new("pixels", FLOAT16, &[-1, 3, 128, 128]);
    let scores = Tensor::new("scores", FLOAT16, &[-1, 3]);
    let first = directory(&[pixels_first], &[scores]);
    let pixels_last = Tensor::new("pixels", FLOAT16, &[-1, 128, 128, 3]);
    let last = directory_of(&channels_last_model(pixels_last, scores));
    for dir in [first, last] {
        let actual = run(&*load(&engine(), &dir).unwrap(), 2, &nchw);
        for (actual, expected) in actual.iter().zip(means(&nchw)) {
            assert!((actual - expected).abs() < 1e-3, "{actual} is not {expected}");
        }
    }
}
