//! Image classification without an engine: model directories, Pillow-exact preprocessing, softmax and labels.

pub mod backend;
pub mod error;
pub mod model;
