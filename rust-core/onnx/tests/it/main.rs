//! The tests that need no process of their own: they share the ONNX Runtime that `ORT_DYLIB_PATH` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cases;
mod embeddings;
mod engine;
mod external_data;
mod files;
mod inputs;
mod outputs;

use spark_classify_onnx::OnnxEngine;
use spark_classify_testing::onnxruntime;

fn engine() -> OnnxEngine {
    OnnxEngine::new(&onnxruntime())
}
