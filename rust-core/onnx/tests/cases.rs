//! Model directories from the field, in ONNX Runtime.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use spark_classify_core::{Classifier, LoadOptions, Predictions, Result};
use spark_classify_onnx::OnnxEngine;

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases")
}

fn load(model: &str) -> Result<Classifier> {
    let library = std::env::var_os("ORT_DYLIB_PATH").expect("set ORT_DYLIB_PATH to the path of libonnxruntime.so");
    let engine = OnnxEngine::new(Path::new(&library));
    Classifier::load(&engine, &cases().join("models").join(model), &LoadOptions::default())
}

/// A BMP image of 4 x 4 pixels of this grey level.
fn grey(level: u8) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for field in [102_u32, 0, 54, 40, 4, 4, 1 | 24 << 16, 0, 48, 0, 0, 0, 0] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.resize(102, level);
    bytes
}

#[test]
fn an_image_whose_logits_are_nan_is_an_error_alone() {
    let (light, dark) = (grey(255), grey(0));
    let mut predictions = Predictions::new();
    let one = NonZeroUsize::MIN;
    let batch: [&[u8]; 3] = [&light, &dark, &light];
    load("nan_for_dark")
        .unwrap()
        .classify(&batch, one, &mut predictions)
        .unwrap();
    assert_eq!(predictions.get(0).unwrap(), predictions.get(2).unwrap());
    assert_eq!(
        predictions.get(1).unwrap_err().to_string(),
        "the model gives no prediction for this image: its logits are not finite numbers"
    );
}
