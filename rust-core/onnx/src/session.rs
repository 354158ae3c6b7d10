//! Making sessions of a model file, and running one.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::Session;
use ort::value::TensorRef;
use spark_classify_core::error::{Error, Result};

/// Why ONNX Runtime refused something; the caller knows what to call it.
pub(crate) type Reason = String;

/// Makes equal sessions of one model.
pub(crate) struct SessionFactory {
    environment: &'static Environment,
    path: PathBuf,
    /// The model file as it was at load: a file that is replaced later must not give a session of another model.
    model: Vec<u8>,
    threads: NonZeroUsize,
}

impl SessionFactory {
    /// Reads the model file at `path`; its sessions will use `threads` cores each.
    pub(crate) fn open(environment: &'static Environment, path: PathBuf, threads: NonZeroUsize) -> Result<Self> {
        let model = fs::read(&path).map_err(|cause| Error::ModelFile {
            path: path.clone(),
            reason: format!("cannot be read: {cause}"),
        })?;
        Ok(Self {
            environment,
            path,
            model,
            threads,
        })
    }

    /// The model file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A new session.
    ///
    /// The CPU arena stays on, as it is by default: without it every run gives its activations back to the system and
    /// faults them in again, which costs a tenth of the time. It grows to what the largest batch needs. Planning one
    /// block for each batch size (the memory pattern) is off: it doubles the arena and gains no time.
    pub(crate) fn create(&self) -> ort::Result<Session> {
        let mut builder = Session::builder(self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_parallel_execution(false)?
            .with_memory_pattern(false)?
            .with_intra_threads(self.threads.get())?
            .with_inter_threads(1)?
            // Threads that spin between runs would take the cores of other tasks.
            .with_intra_op_spinning(false)?
            .with_inter_op_spinning(false)?;
        if let Some(folder) = self.path.parent().and_then(Path::to_str) {
            // Weights beyond 2 GB lie in files beside the model, which a model read from memory cannot find by itself.
            builder = builder.with_config_entry("session.model_external_initializers_file_folder_path", folder)?;
        }
        builder.commit_from_memory(&self.model)
    }
}

/// Runs `session` on one NCHW tensor of shape `[n, channels, height, width]`, without copying it, and hands shape and
/// content of the output called `output` to `read`.
pub(crate) fn infer<T>(
    session: &mut Session,
    shape: [usize; 4],
    nchw: &[f32],
    output: &str,
    read: impl FnOnce(&[i64], &[f32]) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let input = TensorRef::from_array_view((shape, nchw)).map_err(reason)?;
    let outputs = session.run(ort::inputs![input]).map_err(reason)?;
    let tensor = outputs
        .get(output)
        .ok_or_else(|| format!("there is no output `{output}`"))?;
    let (shape, values) = tensor.try_extract_tensor::<f32>().map_err(reason)?;
    read(shape, values)
}

#[allow(clippy::needless_pass_by_value)]
pub(crate) fn reason(error: ort::Error) -> Reason {
    error.message().to_owned()
}
