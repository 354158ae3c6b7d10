//! The JSON documents that cross the boundary.

use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spark_classify_core::{Error, LoadOptions, Result};

/// What the library tells about itself before anything else happens.
#[derive(Debug, Serialize)]
pub(crate) struct BuildInfo {
    /// The version of this workspace.
    pub(crate) version: &'static str,
    /// [`crate::ABI`].
    pub(crate) abi: i32,
    /// `onnx` or `pytorch`.
    pub(crate) backend: &'static str,
}

/// The argument of `initialize`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Initialize {
    /// The engine's own library, an absolute path; null for an engine that this library is linked to.
    pub(crate) engine_library: Option<PathBuf>,
}

/// The argument of `openModel`. Equal requests share one loaded model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenModel {
    /// The model directory.
    pub(crate) directory: PathBuf,
    /// Where the model runs; `cpu` when left out.
    #[serde(default = "default_device")]
    pub(crate) device: String,
}

fn default_device() -> String {
    LoadOptions::default().device
}

impl OpenModel {
    /// The part of the request that concerns the engine.
    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            device: self.device.clone(),
        }
    }
}

/// What `describeModel` returns.
#[derive(Debug, Serialize)]
pub(crate) struct ModelDescription<'a> {
    /// `onnx` or `pytorch`.
    pub(crate) backend: &'static str,
    /// Class names, in class-id order.
    pub(crate) labels: Vec<&'a str>,
    /// Height and width of the model's input, in pixels.
    pub(crate) input: (usize, usize),
    /// How long the model took to load.
    pub(crate) load_millis: u64,
}

/// Reads a document.
///
/// # Errors
/// [`Error::Argument`] when it is not one, or has a field that this version does not know.
pub(crate) fn parse<T: DeserializeOwned>(argument: &'static str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| Error::Argument {
        argument,
        reason: format!("{error} in {json}"),
    })
}

/// Writes a document.
///
/// # Errors
/// [`Error::Argument`] when a value has no JSON form.
pub(crate) fn render<T: Serialize>(document: &T) -> Result<String> {
    serde_json::to_string(document).map_err(|error| Error::Argument {
        argument: "document",
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_request_has_defaults_and_no_unknown_fields() {
        let request: OpenModel = parse("request", r#"{"directory": "/models/id-card"}"#).unwrap();
        assert_eq!(request.load_options(), LoadOptions::default());

        let refused = parse::<OpenModel>("request", r#"{"directory": "/m", "threads": 2}"#).unwrap_err();
        assert!(refused.to_string().contains("unknown field `threads`"), "{refused}");
    }

    #[test]
    fn the_engine_library_may_be_null() {
        let request: Initialize = parse("request", r#"{"engine_library": null}"#).unwrap();
        assert_eq!(request.engine_library, None);
    }
}
