//! A directory with a model and its configuration.

use std::path::{Path, PathBuf};

use super::configuration::Configuration;
use super::embedding_config::EmbeddingConfig;
use super::files::{self, CONFIG};
use super::labels::Labels;
use super::output_kind::{OutputKind, OutputRule, FIELD as OUTPUT_KIND_FIELD};
use super::precision::Precision;
use super::preprocessor_config::PreprocessorConfig;
use crate::error::{Error, Result};

/// The field of `config.json` that names the output with the logits, for a model that has several.
pub const OUTPUT_NAME_FIELD: &str = "output_name";

/// A model directory whose configuration files have been read and checked.
///
/// | file | holds |
/// |---|---|
/// | `config.json` | `id2label`, `function_to_apply`, `output_name`; for embeddings `pooling`, `normalize` |
/// | `processor_config.json`, `preprocessor_config.json`, or timm's `config.json` | resize, crop, rescale, normalise |
/// | `model.onnx`, `model.pt` and the like | the model; each engine asks for its own |
#[derive(Debug, Clone)]
pub struct ModelDirectory {
    path: PathBuf,
    labels: Result<Labels>,
    embedding: Result<EmbeddingConfig>,
    output_rule: OutputRule,
    output_name: Option<String>,
    preprocessor: PreprocessorConfig,
    notes: Vec<String>,
}

impl ModelDirectory {
    /// Reads and checks the configuration files in `dir`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] for a missing directory or file and for broken JSON, [`Error::ModelField`] for a field
    /// that is missing, wrong or not supported. What concerns classes or embeddings alone is an error only where
    /// [`labels`](Self::labels) or [`embedding`](Self::embedding) are asked for.
    pub fn open(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            let problem = if dir.exists() {
                "is not a directory"
            } else {
                "does not exist"
            };
            return Err(Error::ModelFile {
                path: dir.to_owned(),
                reason: format!(
                    "{problem}; name a directory that holds config.json, preprocessor_config.json and the model itself"
                ),
            });
        }
        let mut files = Configuration::read(dir)?;
        Ok(Self {
            path: dir.to_owned(),
            labels: files.labels,
            embedding: EmbeddingConfig::take(&mut files.config),
            output_rule: files.output_rule,
            output_name: files.config.take(OUTPUT_NAME_FIELD)?,
            preprocessor: files.preprocessor,
            notes: files.notes,
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the file that the engine called `backend` runs in `precision`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] when it is not there, with what other files could serve and what makes it; and when it is
    /// not a regular file or cannot be read.
    pub fn model_file(&self, backend: &str, precision: Precision) -> Result<PathBuf> {
        files::find(&self.path, backend, precision)
    }

    /// The class names.
    ///
    /// # Errors
    /// [`Error::ModelField`] when `config.json` has none, or not as they must be.
    pub fn labels(&self) -> Result<&Labels> {
        self.labels.as_ref().map_err(Clone::clone)
    }

    /// What is made of the embeddings that the model gives.
    ///
    /// # Errors
    /// [`Error::ModelField`] when `config.json` says something else than is known here.
    pub fn embedding(&self) -> Result<&EmbeddingConfig> {
        self.embedding.as_ref().map_err(Clone::clone)
    }

    /// What the numbers of this many classes mean; `calls_probabilities` says whether the model file calls them
    /// probabilities, which counts where [`says_output_kind`](Self::says_output_kind) is false.
    ///
    /// # Errors
    /// [`Error::ModelField`] where what is written makes no sense for them.
    pub(crate) fn output_kind(&self, classes: usize, calls_probabilities: bool) -> Result<OutputKind> {
        self.output_rule
            .kind(classes, calls_probabilities)
            .map_err(|reason| self.config_error(OUTPUT_KIND_FIELD, reason.to_owned()))
    }

    /// Whether `function_to_apply` is written.
    #[must_use]
    pub(crate) fn says_output_kind(&self) -> bool {
        self.output_rule.is_written()
    }

    /// The name of the output with these numbers, where the directory says it.
    #[must_use]
    pub fn output_name(&self) -> Option<&str> {
        self.output_name.as_deref()
    }

    /// What somebody who uses the model should know about the way its files are read, a sentence each: where
    /// transformers would resize otherwise, for example.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// How images become tensors.
    #[must_use]
    pub fn preprocessor(&self) -> &PreprocessorConfig {
        &self.preprocessor
    }

    /// Height and width of the model's input, in pixels.
    #[must_use]
    pub fn input_size(&self) -> (usize, usize) {
        self.preprocessor.input_size()
    }

    /// An error about a field of `config.json`, for a model that disagrees with it.
    pub(crate) fn config_error(&self, field: &str, reason: String) -> Error {
        Error::ModelField {
            path: self.path.join(CONFIG),
            field: field.to_owned(),
            reason,
        }
    }
}
