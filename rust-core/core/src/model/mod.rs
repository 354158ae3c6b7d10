//! The model directory, in Hugging Face conventions.

mod directory;
mod json;
mod labels;
mod preprocessor_config;
mod preprocessor_fields;
mod processors;

pub use directory::ModelDirectory;
pub use labels::Labels;
pub use preprocessor_config::{Crop, CropConvention, Normalize, PreprocessorConfig, Resampling, Rescale, Resize, Size};
