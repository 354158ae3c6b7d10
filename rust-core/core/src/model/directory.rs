//! A directory with a model and its configuration.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::json::Object;
use super::labels::Labels;
use super::output_kind::OutputKind;
use super::preprocessor_config::PreprocessorConfig;
use crate::error::{Error, Result};
use crate::platform::files;

const CONFIG: &str = "config.json";
const PREPROCESSOR_CONFIG: &str = "preprocessor_config.json";

/// A model directory whose configuration files have been read and checked.
///
/// | file | holds |
/// |---|---|
/// | `config.json` | `id2label`, `function_to_apply` |
/// | `preprocessor_config.json` | resize, crop, rescale, normalise |
/// | `model.onnx`, `model.pt`, `model.int8.onnx` | the model; each engine asks for its own |
#[derive(Debug, Clone)]
pub struct ModelDirectory {
    path: PathBuf,
    labels: Labels,
    output_kind: OutputKind,
    preprocessor: PreprocessorConfig,
}

impl ModelDirectory {
    /// Reads and checks the configuration files in `dir`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] for a missing directory or file and for broken JSON, [`Error::ModelField`] for a field
    /// that is missing, wrong or not supported.
    pub fn open(dir: &Path) -> Result<Self> {
        if !dir.is_dir() {
            return Err(Error::ModelFile {
                path: dir.to_owned(),
                reason: "is not a directory; name a directory that holds config.json, preprocessor_config.json and \
                         the model itself"
                    .to_owned(),
            });
        }
        let mut config = Object::read(&find(dir, CONFIG)?)?;
        let mut preprocessor = Object::read(&find(dir, PREPROCESSOR_CONFIG)?)?;
        Ok(Self {
            path: dir.to_owned(),
            labels: Labels::take(&mut config)?,
            output_kind: OutputKind::take(&mut config)?,
            preprocessor: PreprocessorConfig::take(&mut preprocessor)?,
        })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the directory, `model.onnx` for example.
    ///
    /// # Errors
    /// [`Error::ModelFile`] when it is not there, with what writes such a file, and when it is not a regular file or
    /// cannot be read.
    pub fn file(&self, name: &str) -> Result<PathBuf> {
        find(&self.path, name)
    }

    /// The class names.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// What the numbers that the model gives mean.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.output_kind
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

fn find(dir: &Path, name: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    match files::open(&path) {
        Ok(_) => return Ok(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            return Err(Error::ModelFile {
                path,
                reason: format!("cannot be read: {error}"),
            })
        }
    }
    let way_out = match name {
        CONFIG => "Hugging Face's `model.save_pretrained` writes it; `id2label` is what it must have",
        PREPROCESSOR_CONFIG => "Hugging Face's `processor.save_pretrained` writes it",
        "model.onnx" => "`optimum-cli export onnx` or `torch.onnx.export` writes it; or choose another model",
        "model.int8.onnx" => "`scripts/quantize_model.py` makes it of model.onnx; or choose the precision `fp32`",
        "model.pt" => "`torch.jit.trace(model, example).save(...)` writes it; or choose another model",
        _ => "put it into the model directory",
    };
    Err(Error::ModelFile {
        path,
        reason: format!("is missing; {way_out}"),
    })
}
