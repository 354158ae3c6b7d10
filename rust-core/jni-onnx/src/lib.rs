//! `libspark_classify_onnx.so`: ONNX Runtime for the JVM.
//!
//! It is linked to no inference engine; `initialize` names the ONNX Runtime library to open.

#![allow(unsafe_code)] // exported symbols

use std::path::Path;

use spark_classify_core::{Engine, Error, Result};
use spark_classify_jni::Library;
use spark_classify_onnx::OnnxEngine;

static LIBRARY: Library = Library::new("onnx", open_engine);

spark_classify_jni::natives!(OnnxNative, LIBRARY);

fn open_engine(library: Option<&Path>) -> Result<Box<dyn Engine>> {
    let library = library.ok_or_else(|| Error::Argument {
        argument: "engine_library",
        reason: "null, but ONNX Runtime is a library of its own".to_owned(),
    })?;
    Ok(Box::new(OnnxEngine::new(library)))
}
