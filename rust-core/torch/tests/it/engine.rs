//! The libtorch engine on the project's model and on small models traced here.

use std::fs;

use spark_classify_core::{Asked, Engine, Error, LoadOptions, ModelDirectory, Precision};
use spark_classify_testing::contract::{self, load, load_error, pixels, run};
use spark_classify_testing::{model_without_weights, repository};
use spark_classify_torch::TorchEngine;
use tch::{CModule, Device, Kind, Tensor};
use tempfile::TempDir;

const ENGINE: TorchEngine = TorchEngine::new();
const IMAGE: usize = 3 * 128 * 128;

#[test]
fn batches_agree_with_single_images() {
    contract::batches_agree_with_single_images(&ENGINE);
}

#[test]
fn concurrent_runs_agree() {
    contract::concurrent_runs_agree(&ENGINE);
}

#[test]
fn threads_do_not_change_the_result() {
    contract::threads_do_not_change_the_result(&ENGINE);
}

#[test]
fn wrong_buffers_are_refused() {
    contract::wrong_buffers_are_refused(&ENGINE);
}

#[test]
fn another_device_is_refused() {
    contract::another_device_is_refused(&ENGINE);
}

#[test]
#[ignore = "needs a GPU: scripts/gpu-check runs it"]
fn a_gpu_agrees_with_the_cpu() {
    contract::a_gpu_agrees_with_the_cpu(&ENGINE, Precision::Fp32, contract::GPU_TOLERANCE);
}

#[test]
#[ignore = "needs a GPU: scripts/gpu-check runs it"]
fn a_gpu_in_bf16_gives_about_the_same() {
    contract::a_gpu_agrees_with_the_cpu(&ENGINE, Precision::Bf16, 0.05);
}

#[test]
fn broken_model_files_are_refused() {
    contract::broken_model_files_are_refused(&ENGINE, "model.pt");
}

#[test]
fn probabilities_agree_with_python() {
    contract::probabilities_agree_with_python(&ENGINE);
}

#[test]
fn bf16_gives_about_the_same_probabilities() {
    let (flips, largest) = contract::price_of(&TorchEngine::on_any_cpu(), Precision::Bf16);
    assert!(flips <= 1, "{flips} labels");
    // 0 would mean that nothing was converted.
    assert!(largest > 1e-4 && largest < 0.05, "{largest}");
}

#[test]
fn bf16_converts_what_is_among_the_weights_of_a_module() {
    // Scaling constants of one dimension, a convolution's weights of four, and integers, which stay as they are.
    let scale = Tensor::from_slice(&[1.0_f32, 2.0, 3.0]).view([1, 3, 1, 1]);
    let weights = Tensor::eye(3, (Kind::Float, Device::Cpu)).view([3, 3, 1, 1]);
    let order = Tensor::from_slice(&[2_i64, 1, 0]);
    let dir = traced(|input| {
        let scaled = (input * &scale).conv2d(&weights, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1);
        channel_means(&scaled).index_select(1, &order)
    });
    let options = LoadOptions {
        precision: Precision::Bf16,
        ..LoadOptions::default()
    };
    let model = ModelDirectory::open(dir.path()).unwrap();
    let model = TorchEngine::on_any_cpu().load(&model, &options).unwrap();
    let nchw = pixels(2 * IMAGE);
    let exact = run(&*load(&ENGINE, &dir).unwrap(), 2, &nchw);
    for (actual, expected) in run(&*model, 2, &nchw).iter().zip(exact) {
        assert!((actual - expected).abs() < 2e-3, "{actual} is not {expected}");
    }
}

#[test]
fn version_is_that_of_the_library() {
    let version = ENGINE.version().unwrap();
    assert!(version.starts_with("2.11."), "{version}");
}

#[test]
fn a_state_dict_is_not_a_module() {
    let dir = model_without_weights();
    let weights = fs::read_dir(repository("model"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "pth"))
        .expect("the model directory has a state dict");
    fs::copy(weights, dir.path().join("model.pt")).unwrap();
    let error = load_error(&ENGINE, &dir).to_string();
    assert!(error.contains("not a TorchScript module"), "{error}");
    assert!(!error.contains("frame #"), "the message ends with a backtrace: {error}");
}

/// A model directory whose model is traced from `forward` on one image.
fn traced(forward: impl FnMut(&Tensor) -> Tensor) -> TempDir {
    traced_on(128, forward)
}

/// The same on an image of `size` by `size` pixels.
fn traced_on(size: i64, mut forward: impl FnMut(&Tensor) -> Tensor) -> TempDir {
    let dir = model_without_weights();
    let example = Tensor::zeros([1, 3, size, size], (Kind::Float, Device::Cpu));
    CModule::create_by_tracing("Traced", "forward", &[example], &mut |inputs| vec![forward(&inputs[0])])
        .unwrap()
        .save(dir.path().join("model.pt"))
        .unwrap();
    dir
}

fn channel_means(input: &Tensor) -> Tensor {
    input.mean_dim([2_i64, 3].as_slice(), false, Kind::Float)
}

#[test]
fn the_input_survives_a_model_that_works_in_place() {
    let dir = traced(|input| channel_means(&input.shallow_clone().g_mul_scalar_(2.0)));
    let model = load(&ENGINE, &dir).unwrap();
    let nchw = pixels(2 * IMAGE);
    let before = nchw.clone();
    let doubled: Vec<f32> = nchw
        .chunks(128 * 128)
        .map(|channel| 2.0 * channel.iter().sum::<f32>() / (128.0 * 128.0))
        .collect();
    contract::assert_close(&run(&*model, 2, &nchw), &doubled);
    assert_eq!(nchw, before);
}

#[test]
fn a_result_that_is_not_contiguous_is_read_in_order() {
    // Channel means as a view with the strides of another shape.
    let dir = traced(|input| channel_means(input).transpose(0, 1).contiguous().transpose(0, 1));
    let model = load(&ENGINE, &dir).unwrap();
    let nchw = pixels(3 * IMAGE);
    let single: Vec<f32> = nchw.chunks(IMAGE).flat_map(|image| run(&*model, 1, image)).collect();
    contract::assert_close(&run(&*model, 3, &nchw), &single);
}

#[test]
fn a_model_of_another_kind_is_refused() {
    let reason = |dir: TempDir| match load_error(&ENGINE, &dir) {
        Error::ModelFile { path, reason } => {
            assert_eq!(path, dir.path().join("model.pt"));
            reason
        }
        other => panic!("expected Error::ModelFile, got {other:?}"),
    };
    let rank = reason(traced(|input| input.mean_dim(2_i64, false, Kind::Float)));
    assert!(
        rank.contains("the output has shape [1, 3, 128], expected [1, classes]"),
        "{rank}"
    );
    let double = reason(traced(|input| channel_means(input).to_kind(Kind::Double)));
    assert!(
        double.contains("of type Double, expected float32, float16 or bfloat16"),
        "{double}"
    );
    let size = reason(traced_on(64, |input| input.view([1, 3 * 64 * 64])));
    assert!(
        size.contains("cannot run on a tensor of shape [1, 3, 128, 128]"),
        "{size}"
    );
}

#[test]
fn a_model_that_fails_later_is_an_inference_error() {
    // Tracing writes the batch of the example down: this model takes one image, and no other number.
    let dir = traced(|input| channel_means(&input.view([1, 3, 128, 128])));
    let model = load(&ENGINE, &dir).unwrap();
    run(&*model, 1, &pixels(IMAGE));
    match model.run(2, &pixels(2 * IMAGE), Asked::Classes, &mut [0.0; 6]) {
        Err(Error::Inference {
            engine: "pytorch",
            reason,
        }) => assert!(reason.contains("shape"), "{reason}"),
        other => panic!("expected Error::Inference, got {other:?}"),
    }
}

#[test]
fn a_module_may_compute_in_half_precision() {
    for kind in [Kind::Half, Kind::BFloat16] {
        let dir = model_without_weights();
        let example = Tensor::zeros([1, 3, 128, 128], (kind, Device::Cpu));
        let weights = Tensor::eye(3, (kind, Device::Cpu));
        // The product refuses what is not of the kind of the weights.
        let forward = |input: &Tensor| input.mean_dim([2_i64, 3].as_slice(), false, kind).matmul(&weights);
        CModule::create_by_tracing("Traced", "forward", &[example], &mut |inputs| vec![forward(&inputs[0])])
            .unwrap()
            .save(dir.path().join("model.pt"))
            .unwrap();
        let nchw = pixels(2 * IMAGE);
        let actual = run(&*load(&ENGINE, &dir).unwrap(), 2, &nchw);
        for (actual, channel) in actual.iter().zip(nchw.chunks(128 * 128)) {
            let expected = channel.iter().sum::<f32>() / (128.0 * 128.0);
            assert!((actual - expected).abs() < 1e-3, "{kind:?}: {actual} is not {expected}");
        }
    }
}

#[test]
fn the_channels_may_come_last() {
    let dir = model_without_weights();
    let fields = r#"{"size": {"height": 128, "width": 64}, "resample": 2, "do_normalize": false,
                     "data_format": "channels_last"}"#;
    fs::write(dir.path().join("preprocessor_config.json"), fields).unwrap();
    let example = Tensor::zeros([1, 128, 64, 3], (Kind::Float, Device::Cpu));
    let mut forward = |inputs: &[Tensor]| vec![inputs[0].mean_dim([1_i64, 2].as_slice(), false, Kind::Float)];
    CModule::create_by_tracing("Traced", "forward", &[example], &mut forward)
        .unwrap()
        .save(dir.path().join("model.pt"))
        .unwrap();
    let nchw = pixels(2 * 3 * 128 * 64);
    let means: Vec<f32> = nchw
        .chunks(128 * 64)
        .map(|channel| channel.iter().sum::<f32>() / (128.0 * 64.0))
        .collect();
    contract::assert_close(&run(&*load(&ENGINE, &dir).unwrap(), 2, &nchw), &means);
}
