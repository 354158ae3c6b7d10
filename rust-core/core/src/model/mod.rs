//! The model directory, in Hugging Face conventions.

/// A model directory whose configuration files have been read and checked.
#[derive(Debug, Clone)]
pub struct ModelDirectory {}
