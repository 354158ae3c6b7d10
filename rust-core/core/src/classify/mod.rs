//! From compressed images to classes and embeddings.

mod classifier;
mod embeddings;
mod predictions;
mod probe;

pub use self::classifier::{BatchTimes, Classifier};
pub use self::embeddings::Embeddings;
pub use self::predictions::{Prediction, Predictions};
