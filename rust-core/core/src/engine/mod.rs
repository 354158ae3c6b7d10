//! What an inference engine has to offer; everything else in this crate is independent of it.

mod device;
mod embedding_output;
mod loaded_model;
mod options;
mod outputs;

use std::path::Path;
use std::sync::Arc;

pub use self::device::Device;
pub use self::embedding_output::EmbeddingOutput;
pub use self::loaded_model::{check_len, DeviceModel, Lane, Model};
pub use self::options::{GpuOptions, LoadOptions};
pub use self::outputs::{Asked, Outputs};
use crate::error::Error;
pub use crate::model::Precision;
use crate::model::{needed_files, ModelDirectory};
use crate::preprocess::SampleTable;

/// An inference engine: opens model directories as [`Model`]s.
pub trait Engine: Send + Sync {
    /// The name users write in SQL and in `spark.classify.backend`: `onnx` or `pytorch`.
    fn name(&self) -> &'static str;

    /// The version of the engine's library that runs in this process, for example `1.28.0`.
    ///
    /// # Errors
    /// [`Error::EngineLibrary`] when the library is missing or cannot be loaded.
    fn version(&self) -> Result<String, Error>;

    /// The devices that a model can be loaded on in this process, as [`LoadOptions::device`] names them.
    fn devices(&self) -> Vec<String> {
        vec!["cpu".to_owned()]
    }

    /// The files that [`load`](Self::load) needs of a model directory which is to be copied: `listing` has all its
    /// files, by their paths in it. `copy` is the directory that they are copied to. What a model file says of further
    /// files is known when that file is there, so the caller asks until it has all.
    ///
    /// # Errors
    /// [`Error::ModelFile`] when the model file is missing.
    fn needed_files(&self, copy: &Path, listing: &[String], precision: Precision) -> Result<Vec<String>, Error> {
        let _ = copy;
        let needed = needed_files(listing, self.name(), precision)?;
        Ok(needed.into_iter().map(str::to_owned).collect())
    }

    /// Loads the engine's model file from `model`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] when the file is missing or broken, [`Error::Option`] for an option this engine cannot
    /// honour, [`Error::EngineLibrary`] when the engine itself is not there.
    fn load(&self, model: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Model>, Error>;

    /// Loads the engine's model file from `model` into the memory of GPU number `gpu`. `samples` are the values that it
    /// is to make of pixels.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`Error::Device`] when the GPU cannot be used, as that of an engine for which
    /// there is none.
    fn load_on_gpu(
        &self,
        model: &ModelDirectory,
        gpu: u32,
        samples: &SampleTable,
        options: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>, Error> {
        let _ = (model, samples, options);
        Err(Error::Device {
            device: Device::Cuda(gpu).to_string(),
            reason: format!("the engine {} runs on the CPU only", self.name()),
        })
    }
}
