//! What a report is made of.

use serde::{Deserialize, Serialize};

/// Confidence is counted in steps of this many to 1.
pub(crate) const CONFIDENCE_STEPS: usize = 100;

/// A finished run, as the report needs it. The Spark job sends it as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Who classified what, and how fast.
    pub head: Head,
    /// Names of classes: the model's in class-id order, then those that only the labels of images have.
    pub classes: Vec<String>,
    /// How many of `classes` are the model's.
    pub model_classes: usize,
    /// All classified images, counted by classes and confidence.
    pub counts: Vec<Count>,
    /// Images that deserve a look.
    pub samples: Samples,
    /// Images without a prediction.
    pub bad: Vec<BadImages>,
}

/// Who classified what, and how fast.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The model directory, as the user named it.
    pub model: String,
    /// SHA-256 of the model file in hexadecimal digits.
    pub model_sha256: Option<String>,
    /// `pytorch` or `onnx`.
    pub backend: String,
    /// `cpu`, `cuda:0` and so on.
    pub device: String,
    /// `fp32`, `bf16`, `fp16` or `int8`.
    pub precision: String,
    /// Name and version of what ran: spark-classify, the engine, Spark.
    pub versions: Vec<(String, String)>,
    /// Key and value of the configuration that differs from its default.
    pub configuration: Vec<(String, String)>,
    /// When the run began, in UTC, as RFC 3339 has it.
    pub started: String,
    /// Seconds that classifying took.
    pub seconds: f64,
    /// Where the time went, in the order of the work.
    pub steps: Vec<Step>,
}

/// A step of the work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `decode`, for example.
    pub name: String,
    /// Seconds, summed over all tasks.
    pub seconds: f64,
}

/// Images that have the same classes, and about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// The class that the images are known to show: a place in [`Run::classes`].
    pub actual: Option<usize>,
    /// The class that the model gave them.
    pub predicted: usize,
    /// Confidence in hundredths, rounded down; 1.0 counts as 99.
    pub confidence_step: usize,
    /// How many images.
    pub images: u64,
    /// Sum of their confidences.
    pub confidence: f64,
    /// Sum of -ln of the probability of the actual class, which is taken as 1e-15 where it is less. Absent where the
    /// actual class is not known or not the model's.
    pub log_loss: Option<f64>,
}

/// Images that deserve a look, each list with the most interesting first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// Lowest confidence.
    pub uncertain: Vec<Sample>,
    /// Predicted wrong with the highest confidence.
    pub mistakes: Vec<Sample>,
    /// Lowest probability of the class that they are known to show: their label may be wrong.
    pub label_errors: Vec<Sample>,
    /// A few of each pair of actual and predicted class.
    pub pairs: Vec<Sample>,
}

impl Samples {
    /// All of them, those first that a page shows first.
    pub fn iter(&self) -> impl Iterator<Item = &Sample> {
        [&self.uncertain, &self.mistakes, &self.label_errors, &self.pairs]
            .into_iter()
            .flatten()
    }
}

/// An image, and what the model says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// As the list of images names it.
    pub path: String,
    /// The class that it is known to show.
    pub actual: Option<usize>,
    /// The class that the model gave it.
    pub predicted: usize,
    /// From 0 to 1.
    pub confidence: f32,
    /// Probability of the actual class, where the model has that.
    pub actual_probability: Option<f32>,
}

/// Images that could not be classified, all for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BadImages {
    /// The error condition, `CLASSIFY_BAD_IMAGE` for example.
    pub condition: String,
    /// How many.
    pub images: u64,
    /// The first few.
    pub examples: Vec<BadImage>,
}

/// An image that could not be classified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BadImage {
    /// As the list of images names it.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// The step in which a confidence is counted; what is no number counts as 0.
pub(crate) fn confidence_step(confidence: f32) -> usize {
    // A float becomes an integer by rounding towards 0 within the integer's range.
    ((f64::from(confidence) * CONFIDENCE_STEPS as f64) as usize).min(CONFIDENCE_STEPS - 1)
}
