//! The model directory, in Hugging Face conventions.

mod directory;
mod json;
mod labels;
mod preprocessor_config;

pub use directory::ModelDirectory;
pub use labels::Labels;
pub use preprocessor_config::{Normalize, PreprocessorConfig, Resampling, Resize, Size};
