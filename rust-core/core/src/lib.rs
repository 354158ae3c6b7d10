//! Image classification without an engine: model directories, preprocessing, softmax and labels. The images themselves
//! are the matter of `spark-classify-imaging`.
//!
//! An [`Engine`] opens a model directory; a [`Classifier`] does the rest, one call a batch:
//!
//! ```
//! use std::num::NonZeroUsize;
//! use std::path::Path;
//!
//! use spark_classify_core::{Classifier, Engine, LoadOptions, Predictions, Result};
//!
//! fn print_classes(engine: &dyn Engine, directory: &Path, images: &[&[u8]]) -> Result<()> {
//!     let classifier = Classifier::load(engine, directory, &LoadOptions::default())?;
//!     let mut predictions = Predictions::new();
//!     let times = classifier.classify(images, NonZeroUsize::MIN, &mut predictions)?;
//!     for prediction in predictions.iter() {
//!         match prediction {
//!             Ok(prediction) => println!(
//!                 "{} {:.4}",
//!                 classifier.labels()?.name(prediction.class_id),
//!                 prediction.confidence
//!             ),
//!             Err(error) => println!("{error}"),
//!         }
//!     }
//!     println!("decode {:?}, inference {:?}", times.decode, times.inference);
//!     Ok(())
//! }
//! ```

mod classify;
pub mod engine;
pub mod error;
pub mod gpu;
pub mod model;
pub mod platform;
pub mod preprocess;

pub use classify::{BatchTimes, Classifier, Embeddings, HashResult, Hasher, Prediction, Predictions};
pub use engine::{Asked, Device, DeviceModel, Engine, GpuOptions, Lane, LoadOptions, Model, Outputs, Precision};
pub use error::{Error, PredictionError, Result};
pub use model::ModelDirectory;
pub use preprocess::SampleTable;
