//! The report of a run: what the model said of the images, how good and how sure it was, and which images deserve a
//! look.
//!
//! A run comes as a [`Run`]: who classified what and how fast, the images counted by classes and confidence, and a few
//! images of each interesting kind. The Spark job counts in SQL, `classify-bench` with a [`Collector`]; both then make
//! a [`Report`], which is `report.json`, and its [`page`](Report::page), which is one HTML file without scripts,
//! styles, fonts or images from anywhere else.

mod collect;
mod figures;
mod page;
mod report;
mod run;
mod thumbnail;

pub use self::collect::{Collector, Outcome};
pub use self::figures::{ClassFigures, ConfidenceBin, Confusion, Figures, Labelled, ThresholdPoint};
pub use self::report::Report;
pub use self::run::{BadImage, BadImages, Count, Head, Run, Sample, Samples, Step};
pub use self::thumbnail::{Thumbnails, MAX_THUMBNAILS, THUMBNAIL_SIZE};
