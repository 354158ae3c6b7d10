//! ONNX Runtime as an engine.
//!
//! ONNX Runtime is not linked but loaded at run time from a path the caller gives, so this crate builds and its
//! library loads on a machine that has neither ONNX Runtime nor libtorch.
//!
//! ```no_run
//! use std::path::Path;
//! use spark_classify_core::{Classifier, LoadOptions};
//! use spark_classify_onnx::OnnxEngine;
//!
//! let engine = OnnxEngine::new(Path::new("/opt/onnxruntime/lib/libonnxruntime.so"));
//! let classifier = Classifier::load(&engine, Path::new("model"), &LoadOptions::default())?;
//! # Ok::<(), spark_classify_core::Error>(())
//! ```

// Models and the shapes in them are whoever's who made them: each conversion is checked.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod cuda;
mod device;
mod library;
mod model;
mod pixels;
mod session;
mod signature;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use spark_classify_core::engine::{DeviceModel, Engine, LoadOptions, Model};
use spark_classify_core::error::Result;
use spark_classify_core::model::ModelDirectory;
use spark_classify_core::{Precision, SampleTable};

use crate::device::OnnxOnDevice;
use crate::model::OnnxModel;
use crate::session::Provider;

/// The engine's name in SQL, configuration and errors.
const ENGINE: &str = "onnx";

/// The model files in a model directory: as it was trained, and quantized to 8-bit integers.
const MODEL_FILE: &str = "model.onnx";
const INT8_MODEL_FILE: &str = "model.int8.onnx";

/// ONNX Runtime, on the CPU or on a GPU.
#[derive(Debug, Clone)]
pub struct OnnxEngine {
    library: PathBuf,
}

impl OnnxEngine {
    /// An engine on the ONNX Runtime library at `library` (`libonnxruntime.so`, 1.24 or later).
    ///
    /// The library is loaded at first use and stays loaded until the process ends. A process holds one ONNX Runtime:
    /// once a library is loaded, an engine on another one fails.
    #[must_use]
    pub fn new(library: &Path) -> Self {
        Self {
            library: library.to_owned(),
        }
    }
}

impl Engine for OnnxEngine {
    fn name(&self) -> &'static str {
        ENGINE
    }

    fn version(&self) -> Result<String> {
        Ok(library::load(&self.library)?.version.clone())
    }

    fn devices(&self) -> Vec<String> {
        spark_classify_core::gpu::cuda::devices()
    }

    fn load(&self, model: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Model>> {
        options.require_cpu()?;
        let file = model_file(model, options.precision)?;
        let environment = library::environment(&self.library)?;
        let loaded = OnnxModel::load(environment, file, model.preprocessor())?;
        Ok(Box::new(loaded))
    }

    fn load_on_gpu(
        &self,
        model: &ModelDirectory,
        gpu: u32,
        samples: &SampleTable,
        options: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>> {
        if options.precision != Precision::Fp32 {
            let reason = "the onnx backend has only `fp32` on a GPU, where a model of float16 keeps its own precision";
            return Err(options.precision.refused(reason.to_owned()));
        }
        let name = spark_classify_core::gpu::cuda::gpu(gpu)?;
        let environment = library::environment(&self.library)?;
        cuda::find_libraries(&self.library);
        let loaded = OnnxOnDevice::load(
            environment,
            model.file(MODEL_FILE)?,
            model.preprocessor(),
            samples,
            Provider::Cuda(gpu, options.gpu),
        )?;
        log::info!("ONNX Runtime uses GPU {gpu}, {name}");
        Ok(Arc::new(loaded))
    }
}

/// The file of `model` that is loaded for this precision on a CPU.
///
/// # Errors
/// [`Error::ModelFile`](spark_classify_core::Error::ModelFile) when it is missing,
/// [`Error::Option`](spark_classify_core::Error::Option) for bfloat16.
pub fn model_file(model: &ModelDirectory, precision: Precision) -> Result<PathBuf> {
    match precision {
        Precision::Fp32 => model.file(MODEL_FILE),
        Precision::Int8 => model.file(INT8_MODEL_FILE),
        Precision::Bf16 => {
            let reason = "the onnx backend has no bfloat16 on the CPU; use `int8`, `fp32`, or the pytorch backend";
            Err(precision.refused(reason.to_owned()))
        }
    }
}
