//! Linear layers in oneDNN: they must give what libtorch gives otherwise.
#![allow(clippy::unwrap_used)]
#![allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, clippy::cast_possible_truncation)]

use std::thread;

use spark_classify_core::Precision;
use spark_classify_testing::{model_without_weights, repository, Random};
use tch::CModule;
use tempfile::TempDir;

use super::*;

const SIDE: i64 = 128;
const IMAGE: usize = 3 * 128 * 128;

/// A model directory whose model is traced from `forward` on one image.
fn traced(forward: impl Fn(&Tensor) -> Tensor) -> TempDir {
    let directory = model_without_weights();
    let example = Tensor::zeros([1, 3, SIDE, SIDE], (Kind::Float, Device::Cpu));
    CModule::create_by_tracing("Traced", "forward", &[example], &mut |inputs| vec![forward(&inputs[0])])
        .unwrap()
        .save(directory.path().join("model.pt"))
        .unwrap();
    directory
}

/// Random weights, which are small enough for sums over `shape`'s last axis.
fn weights(random: &mut Random, shape: &[i64]) -> Tensor {
    let len = shape.iter().product::<i64>() as usize;
    let scale = (*shape.last().unwrap() as f32).sqrt().recip();
    let values: Vec<f32> = (0..len).map(|_| random.normalised() * scale).collect();
    Tensor::from_slice(&values).view(shape)
}

/// An encoder as vision transformers have them, with each form in which linear layers are written. 10 of its products
/// have constant weights.
fn transformer() -> TempDir {
    let mut random = Random::new(11);
    let mut layer = |outputs, inputs| {
        (
            weights(&mut random, &[outputs, inputs]),
            weights(&mut random, &[outputs]),
        )
    };
    let width = 32;
    let patches = layer(width, 3 * 16 * 16);
    let (attended, mixed) = (layer(3 * width, width), layer(width, width));
    let (wide, narrow) = (layer(4 * width, width), layer(width, 4 * width));
    let (tanh, exact) = (layer(width, width), layer(width, width));
    let (pooled, head) = (layer(width, width), layer(3, width));
    traced(move |input| {
        let linear = |input: &Tensor, (weight, bias): &(Tensor, Tensor)| input.linear(weight, Some(bias));
        let normal = |input: &Tensor| input.layer_norm([width], None::<Tensor>, None::<Tensor>, 1e-5, false);
        let tokens = input.im2col([16, 16], [1, 1], [0, 0], [16, 16]).transpose(1, 2);
        let tokens = linear(&tokens, &patches);
        let heads = linear(&normal(&tokens), &attended).view([-1, 64, 3, 2, width / 2]);
        let heads = heads.permute([2, 0, 3, 1, 4]);
        let [queries, keys, values] = [0, 1, 2].map(|place| heads.select(0, place));
        // A product of two tensors that are both made here.
        let shares = (queries.matmul(&keys.transpose(2, 3)) / 4.0).softmax(-1, Kind::Float);
        let seen = shares.matmul(&values).transpose(1, 2).reshape([-1, 64, width]);
        let tokens = tokens + linear(&seen, &mixed);
        let tokens = &tokens + linear(&linear(&normal(&tokens), &wide).gelu("none"), &narrow);
        let tokens = &tokens + linear(&tokens, &tanh).gelu("tanh");
        // More than the GELU is made of this one.
        let both = linear(&tokens, &exact);
        let tokens = both.gelu("none") + both;
        // Without a bias, and the same weights once more.
        let tokens = tokens.matmul(&mixed.0.tr());
        let mean = tokens.mean_dim([1_i64].as_slice(), false, Kind::Float);
        let mean = pooled.1.addmm(&mean, &pooled.0.tr());
        linear(&mean, &head)
    })
}

/// The module in `directory`, optimized like this.
fn load(directory: &Path, optimized: Optimized) -> TorchModel {
    let model = ModelDirectory::open(directory).unwrap();
    let file = model.model_file(ENGINE, Precision::Fp32).unwrap();
    TorchModel::load_optimized(optimized, &file, &model, false, false).unwrap()
}

fn pixels(len: usize) -> Vec<f32> {
    let mut random = Random::new(1);
    (0..len).map(|_| random.normalised()).collect()
}

fn run(model: &TorchModel, n: usize, nchw: &[f32]) -> Vec<f32> {
    let mut logits = vec![f32::NAN; n * model.classes()];
    model.run(n, nchw, Asked::Classes, &mut logits).unwrap();
    logits
}

fn assert_close(actual: &[f32], expected: &[f32]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-4, "{actual} is not {expected}");
    }
}

#[test]
fn linear_layers_in_onednn_give_what_libtorch_gives() {
    let traced = transformer();
    let scripted = repository("tests/cases/torch/scripted_linear");
    for (directory, layers, image) in [(traced.path(), 10, IMAGE), (&scripted, 5, 3 * 32 * 32)] {
        let in_onednn = load(directory, Optimized::Everything);
        let (in_blas, plain) = (
            load(directory, Optimized::ButLinear),
            load(directory, Optimized::Nothing),
        );
        assert_eq!(in_onednn.module.linear_layers(), layers);
        assert_eq!((in_blas.module.linear_layers(), plain.module.linear_layers()), (0, 0));
        for n in [1, 2, 3, 8, 1] {
            let nchw = pixels(n * image);
            let expected = run(&plain, n, &nchw);
            assert!(
                expected.iter().any(|logit| (logit - expected[0]).abs() > 0.01),
                "all logits are about the same: {expected:?}"
            );
            assert_close(&run(&in_blas, n, &nchw), &expected);
            assert_close(&run(&in_onednn, n, &nchw), &expected);
        }
    }
}

#[test]
fn concurrent_runs_in_onednn_agree_to_the_bit() {
    let directory = transformer();
    let model = load(directory.path(), Optimized::Everything);
    let nchw = pixels(8 * IMAGE);
    let bits = |caller: usize| {
        let n = 1 + caller % 4;
        let logits = run(&model, n, &nchw[caller * IMAGE..][..n * IMAGE]);
        logits.into_iter().map(f32::to_bits).collect::<Vec<_>>()
    };
    let expected: Vec<_> = (0..5).map(bits).collect();
    thread::scope(|scope| {
        for caller in 0..5 {
            let (bits, expected) = (&bits, &expected);
            scope.spawn(move || (0..8).for_each(|_| assert_eq!(bits(caller), expected[caller])));
        }
    });
}

#[test]
fn a_module_whose_layers_onednn_cannot_compute_runs_without_it() {
    // The product of a sparse tensor, which libtorch has and oneDNN has not.
    let weight = weights(&mut Random::new(3), &[3, 3]);
    let directory = traced(|input| {
        let means = input.mean_dim([2_i64, 3].as_slice(), false, Kind::Float);
        means.to_sparse_sparse_dim(2).matmul(&weight)
    });
    let model = load(directory.path(), Optimized::Everything);
    assert_eq!(model.module.linear_layers(), 0);
    let nchw = pixels(2 * IMAGE);
    assert_close(
        &run(&model, 2, &nchw),
        &run(&load(directory.path(), Optimized::Nothing), 2, &nchw),
    );
}

#[test]
fn other_precisions_and_uses_leave_linear_layers_alone() {
    let directory = transformer();
    let model = ModelDirectory::open(directory.path()).unwrap();
    let file = model.model_file(ENGINE, Precision::Fp32).unwrap();
    let everything = Use::Tensors {
        optimized: Optimized::Everything,
    };
    let lanes = Use::Lanes { gpu: None, tf32: false };
    for (use_, bf16) in [(everything, true), (lanes, false)] {
        assert_eq!(Module::load(&file, use_, bf16, false).unwrap().linear_layers(), 0);
    }
    assert_eq!(
        Module::load(&file, everything, false, false).unwrap().linear_layers(),
        10
    );
}
