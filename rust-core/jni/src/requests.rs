//! The JSON documents that cross the boundary.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spark_classify_core::{Error, GpuOptions, LoadOptions, Precision, Result};
use spark_classify_imaging::{DecodeOptions, ImageLimits};

/// What the library says about itself before anything else happens.
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

/// The argument of `neededFiles`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NeededFiles {
    /// The directory that the files are copied to.
    pub(crate) copy: PathBuf,
    /// All files of the model directory, by their paths in it.
    pub(crate) listing: Vec<String>,
    /// The numbers that the model is to compute with.
    pub(crate) precision: Precision,
}

/// The argument of `openModel`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenModel {
    /// The model directory.
    pub(crate) directory: PathBuf,
    /// Where the model runs, `cpu` or `cuda:N`; `cpu` when left out.
    #[serde(default = "default_device")]
    pub(crate) device: String,
    /// The numbers it computes with; `fp32` when left out.
    #[serde(default)]
    pub(crate) precision: Precision,
    /// How images are decoded for the model.
    #[serde(default)]
    pub(crate) decode: Decode,
    /// How it uses a GPU.
    #[serde(default)]
    pub(crate) gpu: GpuOptions,
    /// Whether the code in a model file may do more than compute; it may not when left out.
    #[serde(default)]
    pub(crate) all_operators: bool,
}

/// [`DecodeOptions`] as they cross the boundary. What is left out has its default.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Decode {
    /// The largest compressed size in bytes.
    pub(crate) max_bytes: u64,
    /// The largest width times height.
    pub(crate) max_pixels: u64,
    /// The most bytes that decoding an image may take.
    pub(crate) max_memory: u64,
    /// Whether images are turned upright as their EXIF orientation says.
    pub(crate) exif_transpose: bool,
    /// Whether JPEGs may be decoded at a fraction of their size.
    pub(crate) fast: bool,
}

impl Default for Decode {
    fn default() -> Self {
        let DecodeOptions {
            limits,
            exif_transpose,
            fast,
        } = DecodeOptions::default();
        Self {
            max_bytes: limits.max_bytes,
            max_pixels: limits.max_pixels,
            max_memory: limits.max_memory,
            exif_transpose,
            fast,
        }
    }
}

impl From<Decode> for DecodeOptions {
    fn from(decode: Decode) -> Self {
        Self {
            limits: ImageLimits {
                max_bytes: decode.max_bytes,
                max_pixels: decode.max_pixels,
                max_memory: decode.max_memory,
                ..ImageLimits::default()
            },
            exif_transpose: decode.exif_transpose,
            fast: decode.fast,
        }
    }
}

fn default_device() -> String {
    LoadOptions::default().device
}

impl OpenModel {
    /// The part of the request that concerns the engine.
    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            device: self.device.clone(),
            precision: self.precision,
            gpu: self.gpu,
            all_operators: self.all_operators,
        }
    }
}

/// What `engineInfo` returns.
#[derive(Debug, Serialize)]
pub(crate) struct EngineInfo {
    /// `onnx` or `pytorch`.
    pub(crate) backend: &'static str,
    /// The version of the engine's own library.
    pub(crate) version: String,
    /// The devices that `openModel` accepts in this process.
    pub(crate) devices: Vec<String>,
    /// Why there is no GPU among them; null where there is.
    pub(crate) no_gpu: Option<&'static str>,
    /// The best instruction set of this machine's CPU.
    pub(crate) instruction_set: &'static str,
}

/// An entry of what `models` returns.
#[derive(Debug, Serialize)]
pub(crate) struct OpenedModel<'a> {
    /// The model directory.
    pub(crate) directory: &'a Path,
    /// Where the model runs.
    pub(crate) device: &'a str,
    /// The numbers it computes with.
    pub(crate) precision: Precision,
    /// `onnx` or `pytorch`.
    pub(crate) backend: &'static str,
    /// The number of classes; null for a model that gives none.
    pub(crate) classes: Option<usize>,
    /// The number of values of an embedding; null for a model that gives none.
    pub(crate) embedding: Option<usize>,
}

/// What `describeModel` returns.
#[derive(Debug, Serialize)]
pub(crate) struct ModelDescription<'a> {
    /// `onnx` or `pytorch`.
    pub(crate) backend: &'static str,
    /// The path of its file in the model directory; null where the engine takes no file.
    pub(crate) file: Option<&'a str>,
    /// Class names, in class-id order; none for a model that gives no classes.
    pub(crate) labels: Vec<&'a str>,
    /// Why it gives no classes; null where it does.
    pub(crate) no_classes: Option<String>,
    /// The number of values of an embedding; 0 for a model that gives none.
    pub(crate) embedding: usize,
    /// Why it gives no embedding; null where it does.
    pub(crate) no_embedding: Option<String>,
    /// Height and width of the model's input, in pixels.
    pub(crate) input: (usize, usize),
    /// How long the model took to load.
    pub(crate) load_millis: u64,
    /// What somebody who uses the model should know about the way its files are read.
    pub(crate) notes: &'a [String],
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
        assert_eq!(DecodeOptions::from(request.decode), DecodeOptions::default());

        let refused = parse::<OpenModel>("request", r#"{"directory": "/m", "threads": 2}"#).unwrap_err();
        assert!(refused.to_string().contains("unknown field `threads`"), "{refused}");
    }

    #[test]
    fn options_for_decoding_are_part_of_the_request() {
        let open =
            |decode: &str| parse::<OpenModel>("request", &format!(r#"{{"directory": "/m", "decode": {decode}}}"#));
        let all =
            open(r#"{"max_bytes": 1000, "max_pixels": 99, "max_memory": 500, "exif_transpose": true, "fast": true}"#)
                .unwrap();
        let expected = DecodeOptions {
            limits: ImageLimits {
                max_bytes: 1000,
                max_pixels: 99,
                max_memory: 500,
                ..ImageLimits::default()
            },
            exif_transpose: true,
            fast: true,
        };
        assert_eq!(DecodeOptions::from(all.decode), expected);

        let one = open(r#"{"max_pixels": 99}"#).unwrap();
        assert_eq!(DecodeOptions::from(one.decode).limits.max_pixels, 99);
        assert_eq!(one.decode.max_bytes, ImageLimits::default().max_bytes);

        for (decode, expected) in [
            (r#"{"faster": true}"#, "unknown field `faster`"),
            (r#"{"max_pixels": -1}"#, "invalid value: integer `-1`"),
            (r#"{"fast": 1}"#, "invalid type: integer `1`"),
        ] {
            let refused = open(decode).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }

    #[test]
    fn the_precision_is_part_of_the_request() {
        let open = |precision: &str| {
            let request = format!(r#"{{"directory": "/m", "precision": "{precision}"}}"#);
            parse::<OpenModel>("request", &request)
        };
        for precision in [Precision::Fp32, Precision::Bf16, Precision::Fp16, Precision::Int8] {
            assert_eq!(open(precision.name()).unwrap().load_options().precision, precision);
        }
        let refused = open("fp8").unwrap_err().to_string();
        assert!(
            refused.contains("unknown variant `fp8`, expected one of `fp32`, `bf16`, `fp16`, `int8`"),
            "{refused}"
        );
    }

    #[test]
    fn the_engine_library_may_be_null() {
        let request: Initialize = parse("request", r#"{"engine_library": null}"#).unwrap();
        assert_eq!(request.engine_library, None);
    }
}
