//! `TorchScript` modules that change themselves, work as in training, or do more than compute.
//! `tests/cases/torch/make_modules.py` makes them.

use std::fs;
use std::path::{Path, PathBuf};

use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::{Classifier, Error, LoadOptions, ModelDirectory, Predictions};
use spark_classify_imaging::{DecodeOptions, Scratch};
use spark_classify_testing::{dataset, repository};
use spark_classify_torch::TorchEngine;

const ENGINE: TorchEngine = TorchEngine::new();

fn module(name: &str) -> PathBuf {
    repository("tests/cases/torch").join(name)
}

fn load(name: &str) -> Result<Classifier, Error> {
    Classifier::load(&ENGINE, &module(name), &LoadOptions::default())
}

fn load_with_all_operators(name: &str) -> Result<Classifier, Error> {
    let options = LoadOptions {
        all_operators: true,
        ..LoadOptions::default()
    };
    Classifier::load(&ENGINE, &module(name), &options)
}

/// The reason for which a module is refused.
fn refusal(loaded: Result<Classifier, Error>, name: &str) -> String {
    match loaded.map(|_| ()) {
        Err(Error::ModelFile { path, reason }) => {
            assert!(path.starts_with(module(name)), "{}", path.display());
            reason
        }
        other => panic!("{name}: expected Error::ModelFile, got {other:?}"),
    }
}

/// Three images of the data set.
fn images() -> Vec<Vec<u8>> {
    let mut images = dataset();
    images.truncate(3);
    images
}

/// The same as the modules' input.
fn tensors() -> impl Iterator<Item = tch::Tensor> {
    let model = ModelDirectory::open(&module("plain")).unwrap();
    let preprocessor = Preprocessor::new(model.preprocessor(), DecodeOptions::default());
    images().into_iter().map(move |image| {
        let mut values = vec![0.0; preprocessor.tensor_len()];
        preprocessor
            .preprocess(&image, &mut values, &mut Scratch::default())
            .unwrap();
        tch::Tensor::from_slice(&values).view([1, 3, 32, 32])
    })
}

/// The probabilities that a module gives for these images, `count` at a time.
fn probabilities(classifier: &Classifier, count: usize) -> Vec<Vec<f32>> {
    let files = images();
    let images: Vec<_> = files.iter().map(Vec::as_slice).collect();
    let mut rows = Vec::new();
    for batch in images.chunks(count) {
        let mut predictions = Predictions::new();
        classifier
            .classify(batch, std::num::NonZeroUsize::MIN, &mut predictions)
            .unwrap();
        for row in 0..batch.len() {
            rows.push(predictions.get(row).unwrap().probabilities.to_vec());
        }
    }
    rows
}

#[test]
fn a_module_that_changes_itself_is_refused() {
    for (name, changed) in [
        ("assign", "its attribute `state`"),
        ("counter", "its attribute `count`"),
        ("feature", "its attribute `kept`"),
        ("memory", "its attribute `kept`"),
        ("holder", "a tensor or an object that it was made with"),
        ("inner", "its attribute `counter.count`"),
        ("traced_batch_norm", "its attribute `norm.num_batches_tracked`"),
    ] {
        let reason = refusal(load(name), name);
        assert!(reason.contains(&format!("changes {changed}")), "{name}: {reason}");
        assert!(reason.contains("take that out of forward"), "{name}: {reason}");
        // No list of operators makes it fit for several tasks.
        assert_eq!(refusal(load_with_all_operators(name), name), reason);
    }
}

#[test]
fn a_module_that_changes_what_it_was_made_with_is_refused_however_it_takes_it() {
    for name in [
        "changes_list",
        "changes_dict",
        "changes_tuple",
        // These operators may return their argument, and do not declare that.
        "changes_type_as",
        "changes_einsum",
        "changes_atleast",
        "changes_dequantize",
        "changes_split",
    ] {
        let reason = refusal(load(name), name);
        assert!(
            reason.contains("changes a tensor or an object that it was made with"),
            "{name}: {reason}"
        );
    }
}

#[test]
fn a_module_that_works_as_in_training_is_refused() {
    for (name, operator) in [
        ("dropping", "aten::dropout"),
        ("traced_dropout", "aten::dropout"),
        ("batch_norm_alone", "aten::batch_norm"),
    ] {
        let reason = refusal(load(name), name);
        assert!(reason.contains(&format!("`{operator}`")), "{name}: {reason}");
        assert!(reason.contains("model.eval()"), "{name}: {reason}");
    }
}

#[test]
fn a_random_module_is_refused() {
    let reason = refusal(load("random"), "random");
    assert!(
        reason.contains("other numbers for the same image in each run"),
        "{reason}"
    );
}

#[test]
fn what_only_looks_like_a_change_is_accepted() {
    // Scripted in train mode, a module is put into the other one when it is loaded.
    for name in ["plain", "forked", "helper", "own", "batch_norm_script"] {
        let classifier = load(name).unwrap();
        let (alone, together) = (probabilities(&classifier, 1), probabilities(&classifier, 3));
        for (alone, together) in alone.iter().flatten().zip(together.iter().flatten()) {
            assert!((alone - together).abs() < 1e-6, "{name}: {alone} is not {together}");
        }
    }
}

#[test]
fn modules_that_are_used_otherwise_than_most_compute_what_plain_does() {
    let expected = probabilities(&load("plain").unwrap(), 3);
    // Two take one image at a time, one of which fails in a function that it calls, and the third one warns in such a
    // one: libtorch looks up where that was in the file, of which not even the module is left.
    for name in ["one_image", "one_image_inside", "named_tuple"] {
        let actual = probabilities(&load(name).unwrap(), 3);
        assert_eq!(actual.len(), 3);
        for (actual, expected) in actual.iter().flatten().zip(expected.iter().flatten()) {
            assert!((actual - expected).abs() < 1e-6, "{name}: {actual} is not {expected}");
        }
    }
}

#[test]
fn a_module_that_cannot_be_optimized_or_is_quantized_gives_what_libtorch_gives() {
    for name in ["odd_pooling", "quantized"] {
        let classifier = load(name).unwrap();
        let (alone, together) = (probabilities(&classifier, 1), probabilities(&classifier, 3));
        // libtorch's own interpreter, without freezing or optimizing.
        let module = tch::CModule::load(module(name).join("model.pt")).unwrap();
        let expected = tensors().map(|image| {
            let logits = module.forward_ts(&[image]).unwrap().softmax(-1, tch::Kind::Float);
            Vec::<f32>::try_from(logits.squeeze()).unwrap()
        });
        for ((alone, together), expected) in alone.iter().zip(&together).zip(expected) {
            for ((alone, together), expected) in alone.iter().zip(together).zip(expected) {
                assert!((alone - together).abs() < 1e-6, "{name}: {alone} is not {together}");
                assert!((alone - expected).abs() < 1e-6, "{name}: {alone} is not {expected}");
            }
        }
    }
}

#[test]
fn operators_that_do_more_than_compute_are_refused_before_any_code_runs() {
    for (name, operator, written) in [
        ("writes", "aten::save", Some("/tmp/spark-classify-written-by-forward")),
        (
            "writes_at_load",
            "aten::save",
            Some("/tmp/spark-classify-written-at-load"),
        ),
        (
            "writes_in_fork",
            "aten::save",
            Some("/tmp/spark-classify-written-by-fork"),
        ),
        ("reads", "aten::from_file", None),
    ] {
        if let Some(path) = written {
            let _ = fs::remove_file(path);
        }
        let reason = refusal(load(name), name);
        assert!(
            reason.contains(&format!("the operator `{operator}`")),
            "{name}: {reason}"
        );
        assert!(
            reason.contains("spark.classify.torch.allowAllOperators"),
            "{name}: {reason}"
        );
        assert!(!written.is_some_and(|path| Path::new(path).exists()), "{name}");
        if let Some(path) = written {
            load_with_all_operators(name).unwrap();
            assert!(Path::new(path).exists(), "{name}");
            fs::remove_file(path).unwrap();
        }
    }
}
