//! The model directory, in Hugging Face's and timm's conventions.
// Numbers in these files are whoever's who wrote them: each conversion is checked, or says why it need not be.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod configuration;
mod directory;
mod embedding_config;
mod files;
mod json;
mod labels;
mod output_kind;
mod precision;
mod preprocessor_config;
mod preprocessor_fields;
mod processors;
mod timm;
mod values;

pub use directory::{ModelDirectory, OUTPUT_NAME_FIELD};
pub use embedding_config::{EmbeddingConfig, Pooling};
pub use files::needed as needed_files;
pub use labels::Labels;
pub use output_kind::OutputKind;
pub use precision::Precision;
pub use preprocessor_config::{Crop, CropConvention, DataFormat, Normalize, PreprocessorConfig, Rescale, Resize, Size};

pub(crate) use embedding_config::POOLING_FIELD;
pub(crate) use output_kind::FIELD as OUTPUT_KIND_FIELD;
