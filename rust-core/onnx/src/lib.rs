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
mod model_file;
mod outputs;
mod pixels;
mod results;
mod session;
mod signature;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spark_classify_core::engine::{DeviceModel, Engine, LoadOptions, Model};
use spark_classify_core::error::Result;
use spark_classify_core::model::{needed_files, ModelDirectory};
use spark_classify_core::{Precision, SampleTable};

use crate::device::OnnxOnDevice;
use crate::model::OnnxModel;
pub use crate::model_file::{ModelFile, OperatorSet};
use crate::session::Provider;

/// The engine's name in SQL, configuration and errors.
const ENGINE: &str = "onnx";

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

    fn needed_files(&self, copy: &Path, listing: &[String], precision: Precision) -> Result<Vec<String>> {
        let needed = needed_files(listing, ENGINE, precision)?;
        let mut all: Vec<_> = needed.iter().map(|file| (*file).to_owned()).collect();
        for file in needed
            .into_iter()
            .filter(|file| Path::new(file).extension() == Some("onnx".as_ref()))
        {
            // A file that is not there yet, or only ONNX Runtime can read, says nothing.
            let model = ModelFile::read(&copy.join(file)).unwrap_or_default();
            let folder = file
                .rsplit_once('/')
                .map_or(String::new(), |(folder, _)| format!("{folder}/"));
            let data: BTreeSet<_> = model
                .external_data
                .iter()
                .map(|name| format!("{folder}{name}"))
                .collect();
            all.extend(listing.iter().filter(|listed| data.contains(*listed)).cloned());
        }
        Ok(all)
    }

    fn load(&self, model: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Model>> {
        options.require_cpu()?;
        if options.precision == Precision::Bf16 {
            let reason = "the onnx backend has no bfloat16 on the CPU; use `int8`, `fp32`, or the pytorch backend";
            return Err(options.precision.refused(reason.to_owned()));
        }
        let file = model.model_file(ENGINE, options.precision)?;
        let environment = library::environment(&self.library)?;
        let loaded = OnnxModel::load(environment, file, model)?;
        Ok(Box::new(loaded))
    }

    fn load_on_gpu(
        &self,
        model: &ModelDirectory,
        gpu: u32,
        samples: &SampleTable,
        options: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>> {
        if !matches!(options.precision, Precision::Fp32 | Precision::Fp16) {
            let reason = "the onnx backend has only `fp32` and `fp16` on a GPU, where a model keeps its own precision; use one of them";
            return Err(options.precision.refused(reason.to_owned()));
        }
        let name = spark_classify_core::gpu::cuda::gpu(gpu)?;
        let environment = library::environment(&self.library)?;
        cuda::find_libraries(&self.library);
        let loaded = OnnxOnDevice::load(
            environment,
            model.model_file(ENGINE, options.precision)?,
            model,
            samples,
            Provider::Cuda(gpu, options.gpu),
        )?;
        log::info!("ONNX Runtime uses GPU {gpu}, {name}");
        Ok(Arc::new(loaded))
    }
}
