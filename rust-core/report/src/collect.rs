//! Making a [`Run`] of predictions, one image at a time.

use std::collections::BTreeMap;

use crate::run::{confidence_step, BadImage, BadImages, Count, Head, Run, Sample, Samples};

/// Images in each list of samples.
const SAMPLES: usize = 24;
/// Images of each pair of classes.
const PAIR_SAMPLES: usize = 4;
/// Images of all pairs together.
const ALL_PAIR_SAMPLES: usize = 120;
/// Bad images that are named, of each condition.
const BAD_EXAMPLES: usize = 20;
/// What is less likely counts as this likely, so that one image cannot make the log loss infinite.
const LEAST_PROBABILITY: f64 = 1e-15;

/// What became of an image.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// It was classified.
    Predicted {
        /// The class with the highest score.
        class_id: usize,
        /// From 0 to 1.
        confidence: f32,
        /// In class-id order.
        probabilities: &'a [f32],
    },
    /// It could not be.
    Bad {
        /// The error condition, or another short name of the kind.
        condition: &'a str,
        /// Why.
        reason: &'a str,
    },
}

/// Counts images and keeps those that deserve a look. Needs memory for the kinds of images, not for each of them.
#[derive(Debug, Default)]
pub struct Collector {
    /// By actual and predicted class and the step of confidence.
    counts: BTreeMap<(Option<usize>, usize, usize), Count>,
    uncertain: Best,
    mistakes: Best,
    label_errors: Best,
    pairs: BTreeMap<(usize, usize), Vec<Sample>>,
    bad: BTreeMap<String, BadImages>,
}

impl Collector {
    /// Takes an image that is known to show the class `actual`, or is not known to show anything.
    pub fn push(&mut self, path: &str, actual: Option<usize>, outcome: Outcome<'_>) {
        match outcome {
            Outcome::Predicted {
                class_id,
                confidence,
                probabilities,
            } => {
                let actual_probability = actual.and_then(|actual| probabilities.get(actual).copied());
                self.predicted(&Sample {
                    path: path.to_owned(),
                    actual,
                    predicted: class_id,
                    confidence,
                    actual_probability,
                });
            }
            Outcome::Bad { condition, reason } => {
                let bad = self.bad.entry(condition.to_owned()).or_insert_with(|| BadImages {
                    condition: condition.to_owned(),
                    images: 0,
                    examples: Vec::new(),
                });
                bad.images += 1;
                if bad.examples.len() < BAD_EXAMPLES {
                    bad.examples.push(BadImage {
                        path: path.to_owned(),
                        reason: reason.to_owned(),
                    });
                }
            }
        }
    }

    fn predicted(&mut self, sample: &Sample) {
        let confidence_step = confidence_step(sample.confidence);
        let key = (sample.actual, sample.predicted, confidence_step);
        let count = self.counts.entry(key).or_insert(Count {
            actual: sample.actual,
            predicted: sample.predicted,
            confidence_step,
            images: 0,
            confidence: 0.0,
            log_loss: None,
        });
        count.images += 1;
        count.confidence += f64::from(sample.confidence);
        if let Some(probability) = sample.actual_probability {
            *count.log_loss.get_or_insert(0.0) -= f64::from(probability).max(LEAST_PROBABILITY).ln();
        }
        if let Some(actual) = sample.actual {
            if actual != sample.predicted {
                self.mistakes.push(-sample.confidence, sample);
                self.label_errors.push(sample.actual_probability.unwrap_or(0.0), sample);
            }
            let pair = self.pairs.entry((actual, sample.predicted)).or_default();
            if pair.len() < PAIR_SAMPLES {
                pair.push(sample.clone());
            }
        }
        self.uncertain.push(sample.confidence, sample);
    }

    /// The run. `classes` holds the model's labels, in class-id order.
    #[must_use]
    pub fn finish(self, head: Head, classes: Vec<String>) -> Run {
        // Mistakes first, where there are more pairs than a page can show.
        let (right, wrong): (Vec<_>, Vec<_>) = self
            .pairs
            .into_iter()
            .partition(|((actual, predicted), _)| actual == predicted);
        let pairs = wrong.into_iter().chain(right).flat_map(|(_, samples)| samples);
        Run {
            head,
            model_classes: classes.len(),
            classes,
            counts: self.counts.into_values().collect(),
            samples: Samples {
                uncertain: self.uncertain.into_samples(),
                mistakes: self.mistakes.into_samples(),
                label_errors: self.label_errors.into_samples(),
                pairs: pairs.take(ALL_PAIR_SAMPLES).collect(),
            },
            bad: self.bad.into_values().collect(),
        }
    }
}

/// The samples with the lowest keys; of equal keys, those that came first.
#[derive(Debug, Default)]
struct Best(Vec<(f32, Sample)>);

impl Best {
    fn push(&mut self, key: f32, sample: &Sample) {
        let place = self.0.partition_point(|(other, _)| other.total_cmp(&key).is_le());
        if place < SAMPLES {
            self.0.truncate(SAMPLES - 1);
            self.0.insert(place, (key, sample.clone()));
        }
    }

    fn into_samples(self) -> Vec<Sample> {
        self.0.into_iter().map(|(_, sample)| sample).collect()
    }
}
