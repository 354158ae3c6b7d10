//! Which files of a model directory are used.

use std::fs;
use std::path::Path;

use spark_classify_core::{Engine, Error, LoadOptions, ModelDirectory, Precision};
use spark_classify_testing::contract::{load_error, run};
use spark_classify_testing::model_without_weights;
use spark_classify_testing::onnx_model::{external_model, pooling_model, Tensor, Weights, FLOAT};

use crate::engine;

const INPUT: Tensor<'static> = Tensor::new("pixels", FLOAT, &[-1, 3, 128, 128]);
const OUTPUT: Tensor<'static> = Tensor::new("scores", FLOAT, &[-1, 3]);

/// Writes a model that adds this number to its logits; its weights are in `data`, beside it.
fn write(dir: &Path, file: &str, data: &str, added: f32) {
    let path = dir.join(file);
    let folder = path.parent().unwrap();
    fs::create_dir_all(folder.join(data).parent().unwrap()).unwrap();
    fs::write(folder.join(data), [added; 3].map(f32::to_le_bytes).concat()).unwrap();
    let model = external_model(INPUT, OUTPUT, Weights::Initializer, &[("location", data)]);
    fs::write(path, model).unwrap();
}

#[test]
fn each_precision_has_its_files() {
    let dir = model_without_weights();
    for (file, number) in [
        ("onnx/model.onnx", 1.0),
        ("onnx/model_quantized.onnx", 2.0),
        ("onnx/model_fp16.onnx", 3.0),
        ("onnx/model_q4.onnx", 4.0),
    ] {
        write(
            dir.path(),
            file,
            &format!("{}_data", file.split_once('/').unwrap().1),
            number,
        );
    }
    let added = |precision| {
        let options = LoadOptions {
            precision,
            ..LoadOptions::default()
        };
        let model = ModelDirectory::open(dir.path()).unwrap();
        let model = engine().load(&model, &options).unwrap();
        run(&*model, 1, &vec![0.0; 3 * 128 * 128])
    };
    assert_eq!(added(Precision::Fp32), [1.0; 3]);
    assert_eq!(added(Precision::Int8), [2.0; 3]);
    assert_eq!(added(Precision::Fp16), [3.0; 3]);
    // Nearer files first.
    write(dir.path(), "model.onnx", "weights/0.bin", 5.0);
    assert_eq!(added(Precision::Fp32), [5.0; 3]);
}

#[test]
fn a_missing_model_names_what_could_serve() {
    let dir = model_without_weights();
    fs::write(dir.path().join("model.safetensors"), "").unwrap();
    fs::create_dir(dir.path().join("onnx")).unwrap();
    fs::write(
        dir.path().join("onnx/model_quantized.onnx"),
        pooling_model(&[INPUT], &[OUTPUT]),
    )
    .unwrap();
    match load_error(&engine(), &dir) {
        Error::ModelFile { path, reason } => {
            assert_eq!(path, dir.path().join("model.onnx"));
            for part in [
                "is missing; there is onnx/model_quantized.onnx: choose the precision `int8`",
                "model.safetensors holds weights alone, and cannot be run as it is",
                "`spark-classify export` makes it",
            ] {
                assert!(reason.contains(part), "{reason}");
            }
        }
        other => panic!("expected Error::ModelFile, got {other:?}"),
    }
}

#[test]
fn what_is_to_be_copied_is_known_when_the_model_is_there() {
    let source = model_without_weights();
    write(source.path(), "onnx/model.onnx", "deep/0.bin", 1.0);
    let listing = [
        "config.json",
        "deep/0.bin",
        "model.safetensors",
        "onnx/deep/0.bin",
        "onnx/deep/1.bin",
        "onnx/model.onnx",
        "preprocessor_config.json",
    ]
    .map(str::to_owned);
    let copy = tempfile::tempdir().unwrap();
    let needed = |precision| engine().needed_files(copy.path(), &listing, precision);
    let first = ["config.json", "onnx/model.onnx", "preprocessor_config.json"];
    assert_eq!(needed(Precision::Fp32).unwrap(), first);
    fs::create_dir(copy.path().join("onnx")).unwrap();
    fs::copy(
        source.path().join("onnx/model.onnx"),
        copy.path().join("onnx/model.onnx"),
    )
    .unwrap();
    assert_eq!(
        needed(Precision::Fp32).unwrap(),
        [&first[..], &["onnx/deep/0.bin"]].concat()
    );
    let error = needed(Precision::Int8).unwrap_err().to_string();
    assert!(
        error.contains("model.int8.onnx: is missing; there is onnx/model.onnx: choose the precision `fp32`"),
        "{error}"
    );
}
