//! The one error type of the Rust core.

use std::path::PathBuf;

use spark_classify_imaging::ImageError;

/// Result with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Anything that can go wrong, with the thing it happened to and the reason.
///
/// It concerns the model, the configuration or the engine, and so the whole call. What concerns one image alone is a
/// [`PredictionError`].
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the model directory is missing, unreadable or not what it should be.
    #[error("model file {}: {reason}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and the way out.
        reason: String,
    },

    /// A field of a configuration file of the model directory is missing, unsupported or contradicts the model.
    #[error("model file {}: field `{field}`: {reason}", path.display())]
    ModelField {
        /// The configuration file.
        path: PathBuf,
        /// The JSON field, dotted where nested (`size.height`).
        field: String,
        /// What is wrong with it and the way out.
        reason: String,
    },

    /// An option (a `spark.classify.*` key or a command-line flag) has a value that cannot be used.
    #[error("option `{option}` = `{value}`: {reason}")]
    Option {
        /// The option's name without prefix, for example `device`.
        option: &'static str,
        /// The refused value.
        value: String,
        /// Why, and what is accepted.
        reason: String,
    },

    /// A device is missing, or the engine cannot use it.
    #[error("device {device}: {reason}")]
    Device {
        /// Its name, for example `cuda:0`.
        device: String,
        /// What is missing, and what to install or set.
        reason: String,
    },

    /// The inference engine's library is missing, cannot be loaded or has the wrong version.
    #[error("{engine}: {reason}")]
    EngineLibrary {
        /// `onnx` or `pytorch`.
        engine: &'static str,
        /// What was looked for, where, and what to install or set.
        reason: String,
    },

    /// The engine failed while it ran a batch.
    #[error("{engine}: inference failed: {reason}")]
    Inference {
        /// `onnx` or `pytorch`.
        engine: &'static str,
        /// The engine's own message.
        reason: String,
    },

    /// A handle, of a model or a file, that was never given out or has been closed.
    #[error("handle {0} is not open")]
    StaleHandle(i64),

    /// The caller broke the contract of a call (buffer too short, count negative, ...).
    #[error("invalid argument `{argument}`: {reason}")]
    Argument {
        /// The argument.
        argument: &'static str,
        /// Why it is refused.
        reason: String,
    },

    /// The process is ending, and its engines take no more calls.
    #[error("the process is ending, and takes no more calls")]
    ShuttingDown,

    /// A bug of this project: a thread panicked.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Why one image has no prediction or embedding; the rest of its batch is not touched. The caller adds the path, which
/// the core does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictionError {
    /// It cannot be decoded, or exceeds a limit.
    #[error(transparent)]
    Image(#[from] ImageError),

    /// What the model gives for it says nothing about its class.
    #[error("the model gives no prediction for this image: {reason}")]
    NoClass {
        /// What it gives.
        reason: &'static str,
    },

    /// What the model gives for it is no embedding.
    #[error("the model gives no embedding for this image: {reason}")]
    NoEmbedding {
        /// What it gives.
        reason: &'static str,
    },
}

impl Error {
    /// The error condition under which the JVM reports this error; its SQLSTATE stands in the jar's
    /// `error-conditions.json`.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self {
            Self::ModelFile { .. } | Self::ModelField { .. } => "CLASSIFY_BAD_MODEL",
            Self::Option { .. } => "CLASSIFY_BAD_CONFIGURATION",
            Self::Device { .. } => "CLASSIFY_DEVICE_UNAVAILABLE",
            Self::EngineLibrary { .. } => "CLASSIFY_BACKEND_UNAVAILABLE",
            Self::Inference { .. } => "CLASSIFY_INFERENCE_FAILED",
            Self::ShuttingDown => "CLASSIFY_SHUTTING_DOWN",
            Self::StaleHandle(_) | Self::Argument { .. } | Self::Internal(_) => "CLASSIFY_INTERNAL_ERROR",
        }
    }
}
