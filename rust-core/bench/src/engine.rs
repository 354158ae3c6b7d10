//! The engines this binary was built with.

use std::path::PathBuf;

use spark_classify_core::{Engine, Error, ModelDirectory, Precision};

use crate::args::{Args, Model};

/// The engine the command line asks for.
pub(crate) fn open(args: &Args) -> Result<Box<dyn Engine>, Error> {
    match args.backend {
        Model::Onnx => onnx(args),
        Model::Pytorch => torch(),
    }
}

/// The file that the engine loads for this precision.
///
/// # Errors
/// Those of a file that is missing, of a precision that the engine has not, and of an engine that is not built in.
pub(crate) fn model_file(backend: Model, directory: &ModelDirectory, precision: Precision) -> Result<PathBuf, Error> {
    match backend {
        #[cfg(feature = "onnx")]
        Model::Onnx => spark_classify_onnx::model_file(directory, precision),
        #[cfg(feature = "torch")]
        Model::Pytorch => spark_classify_torch::model_file(directory),
        #[cfg(not(feature = "onnx"))]
        Model::Onnx => Err(not_built_in("onnx", "onnx")),
        #[cfg(not(feature = "torch"))]
        Model::Pytorch => Err(not_built_in("pytorch", "torch")),
    }
}

#[cfg(feature = "onnx")]
fn onnx(args: &Args) -> Result<Box<dyn Engine>, Error> {
    let library = args.onnxruntime.as_deref().ok_or_else(|| Error::EngineLibrary {
        engine: "onnx",
        reason:
            "no ONNX Runtime library is given: set --onnxruntime or ORT_DYLIB_PATH to the path of libonnxruntime.so"
                .to_owned(),
    })?;
    Ok(Box::new(spark_classify_onnx::OnnxEngine::new(library)))
}

#[cfg(not(feature = "onnx"))]
fn onnx(_: &Args) -> Result<Box<dyn Engine>, Error> {
    Err(not_built_in("onnx", "onnx"))
}

#[cfg(feature = "torch")]
#[allow(clippy::unnecessary_wraps)]
fn torch() -> Result<Box<dyn Engine>, Error> {
    Ok(Box::new(spark_classify_torch::TorchEngine::new()))
}

#[cfg(not(feature = "torch"))]
fn torch() -> Result<Box<dyn Engine>, Error> {
    Err(not_built_in("pytorch", "torch"))
}

#[cfg(not(all(feature = "onnx", feature = "torch")))]
fn not_built_in(engine: &'static str, feature: &str) -> Error {
    Error::EngineLibrary {
        engine,
        reason: format!("not built into this classify-bench: build it with `cargo build --features {feature}`"),
    }
}
