//! The tests that need no process of their own.
#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod classifier;
mod crop;
mod device;
mod fast;
mod model_directory;
mod processors;
mod resize_properties;
