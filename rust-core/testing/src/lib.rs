//! What the tests and benchmarks of several crates share: the files of the repository, random numbers, small models,
//! and the contract that every engine keeps. Only dev-dependencies name this crate.
//!
//! Everything panics where something is missing: that fails the test, and says what it was.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    clippy::must_use_candidate
)]

#[cfg(feature = "contract")]
pub mod contract;
pub mod onnx_model;

mod files;
mod random;

pub use files::{
    copy_configuration, dataset, dataset_image, directory_of, golden, json, model_directory, model_without_weights,
    odd_image, onnxruntime, plain_png, repository, sha256,
};
pub use random::Random;

/// The memory of this process that is in RAM, in MiB. Linux alone tells it.
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    (pages * 4096) >> 20
}
