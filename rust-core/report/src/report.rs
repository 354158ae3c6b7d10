//! The report itself.

use serde::{Deserialize, Serialize};

use crate::figures::Figures;
use crate::run::{BadImages, Head, Run, Samples};

/// `report.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Who classified what, and how fast.
    pub head: Head,
    /// Names of classes: the model's in class-id order, then those that only the labels of images have.
    pub classes: Vec<String>,
    /// What the counts say.
    pub figures: Figures,
    /// Images that deserve a look.
    pub samples: Samples,
    /// Images without a prediction.
    pub bad: Vec<BadImages>,
}

impl Report {
    /// Computes the figures of a run.
    #[must_use]
    pub fn new(run: Run) -> Self {
        Self {
            figures: Figures::of(&run),
            head: run.head,
            classes: run.classes,
            samples: run.samples,
            bad: run.bad,
        }
    }

    /// Reads `report.json`.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(json).map_err(|cause| format!("this is no report.json: {cause}"))
    }

    /// `report.json`, indented.
    ///
    /// # Errors
    /// None that are known; the reason if there is one after all.
    pub fn to_json(&self) -> Result<String, String> {
        serde_json::to_string_pretty(self).map_err(|cause| cause.to_string())
    }
}
