//! The tests that need no process of their own.
#![allow(clippy::unwrap_used)]

mod classifier;
mod crop;
mod device;
mod embeddings;
mod fast;
mod model_directory;
mod preprocessing;
mod processors;
mod resize_properties;
