//! The ONNX Runtime backend.
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

mod backend;
mod library;
mod session;
mod signature;

use std::path::{Path, PathBuf};

use spark_classify_core::backend::{Backend, Engine, LoadOptions};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::ModelDirectory;

use crate::backend::OnnxBackend;

/// The engine's name in SQL, configuration and errors.
const ENGINE: &str = "onnx";

/// The model file in a model directory.
const MODEL_FILE: &str = "model.onnx";

/// ONNX Runtime on the CPU.
#[derive(Debug, Clone)]
pub struct OnnxEngine {
    library: PathBuf,
}

impl OnnxEngine {
    /// An engine on the ONNX Runtime library at `library` (`libonnxruntime.so`, 1.22 or later).
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

    fn load(&self, model: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Backend>> {
        if options.device != "cpu" {
            return Err(Error::Option {
                option: "device",
                value: options.device.clone(),
                reason: "the onnx backend runs on `cpu` only".to_owned(),
            });
        }
        let environment = library::environment(&self.library)?;
        let backend = OnnxBackend::load(environment, model.file(MODEL_FILE)?, model.preprocessor())?;
        Ok(Box::new(backend))
    }
}
