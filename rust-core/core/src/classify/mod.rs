//! From compressed images to classes.

mod classifier;
mod predictions;
mod probe;

pub use self::classifier::{BatchTimes, Classifier};
pub use self::predictions::{Prediction, Predictions};
