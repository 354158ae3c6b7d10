//! The model directory, in Hugging Face conventions.
// Numbers in these files are whoever's who wrote them: each conversion is checked, or says why it need not be.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod describe;
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
