//! From compressed images to classes, embeddings and hashes.

mod classifier;
mod embeddings;
mod hasher;
mod images;
mod predictions;
mod probe;
mod rows;
mod runner;

pub use self::classifier::Classifier;
pub use self::embeddings::Embeddings;
pub use self::hasher::{HashResult, Hasher};
pub use self::images::BatchTimes;
pub use self::predictions::{Prediction, Predictions};
