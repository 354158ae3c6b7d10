//! The model directory, in Hugging Face conventions.

mod directory;
mod json;
mod labels;
mod output_kind;
mod preprocessor_config;
mod preprocessor_fields;
mod processors;

pub use directory::ModelDirectory;
pub use labels::Labels;
pub use output_kind::OutputKind;
pub use preprocessor_config::{Crop, CropConvention, DataFormat, Normalize, PreprocessorConfig, Rescale, Resize, Size};

pub(crate) use output_kind::FIELD as OUTPUT_KIND_FIELD;
