//! What the model gives to probabilities, and the results of a batch.

use ndarray::ArrayViewMut1;

use super::probe::{are_probabilities, are_within_one};
use super::rows::Rows;
use crate::error::PredictionError;
use crate::model::OutputKind;

/// The results of one batch, in the order of its images. Reuse the value from batch to batch: it keeps its memory.
#[derive(Debug, Default)]
pub struct Predictions(Rows);

/// What the model says about one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction<'a> {
    /// The class with the highest probability; the first of equals.
    pub class_id: usize,
    /// Its probability, 0 to 1.
    pub confidence: f32,
    /// The probabilities of all classes, in class-id order. Their sum is 1, unless the classes are independent of each
    /// other: those of [`OutputKind::IndependentLogits`] and [`OutputKind::IndependentProbabilities`] have any sum.
    pub probabilities: &'a [f32],
}

impl Predictions {
    /// An empty value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of images, good and bad.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the batch had no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of images that could not be classified.
    #[must_use]
    pub fn bad_images(&self) -> usize {
        self.0.bad()
    }

    /// The result for the image at `index` of the batch.
    ///
    /// # Errors
    /// Why this image could not be classified.
    ///
    /// # Panics
    /// If `index` is not below [`len`](Self::len).
    pub fn get(&self, index: usize) -> Result<Prediction<'_>, &PredictionError> {
        let probabilities = self.0.get(index)?;
        let (class_id, confidence) = argmax(probabilities);
        Ok(Prediction {
            class_id,
            confidence,
            probabilities,
        })
    }

    /// All results, in the order of the images.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Prediction<'_>, &PredictionError>> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Takes what a model gave, a row of `classes` values for each image, and which images have one, and makes
    /// probabilities of it. An image whose logits have none (NaN, or for the softmax plus infinity), or whose
    /// probabilities are none, becomes a bad one; that concerns no other.
    pub(crate) fn fill<'a>(
        &mut self,
        classes: usize,
        rows: impl Iterator<Item = &'a [f32]>,
        outcomes: &[Result<(), PredictionError>],
        kind: OutputKind,
    ) {
        self.0.fill(classes, rows, outcomes, |row| {
            let (usable, reason) = match kind {
                OutputKind::Logits => (softmax(ArrayViewMut1::from(row)), "its logits are not finite numbers"),
                OutputKind::Probabilities => (
                    are_probabilities(row),
                    "its outputs are no probabilities, which are positive and have the sum 1",
                ),
                OutputKind::IndependentLogits => (sigmoid(row), "its logits are not numbers"),
                OutputKind::IndependentProbabilities => (
                    are_within_one(row),
                    "its outputs are no probabilities, which are from 0 to 1",
                ),
            };
            if usable {
                Ok(())
            } else {
                Err(PredictionError::NoClass { reason })
            }
        });
    }
}

/// `exp(x - max) / sum` in place, in single precision with a sum in double precision. False where the result is not
/// finite.
fn softmax(mut row: ArrayViewMut1<'_, f32>) -> bool {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.mapv_inplace(|logit| (logit - max).exp());
    let sum = row.iter().map(|value| f64::from(*value)).sum::<f64>() as f32;
    row.mapv_inplace(|value| value / sum);
    row.iter().all(|value| value.is_finite())
}

/// `1 / (1 + exp(-x))` in place, in single precision. False where a result is no number.
fn sigmoid(row: &mut [f32]) -> bool {
    for value in row.iter_mut() {
        *value = 1.0 / (1.0 + (-*value).exp());
    }
    row.iter().all(|value| !value.is_nan())
}

/// The first position of the largest value, and the value. Softmax leaves no NaN to compare with.
fn argmax(probabilities: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class_id, probability) in probabilities.iter().enumerate() {
        if *probability > best.1 {
            best = (class_id, *probability);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn filled(rows: &[&[f32]], kind: OutputKind) -> Predictions {
        let mut predictions = Predictions::new();
        let outcomes = vec![Ok(()); rows.len()];
        predictions.fill(rows[0].len(), rows.iter().copied(), &outcomes, kind);
        predictions
    }

    fn of_logits(logits: &[f32]) -> Predictions {
        filled(&[logits], OutputKind::Logits)
    }

    #[test]
    fn softmax_agrees_with_torch() {
        // torch.softmax(torch.tensor(logits), 0)
        let expected = [0.011_230_854, 0.225_577_68, 0.000_068_867_4, 0.763_122_56];
        let predictions = of_logits(&[-1.5, 1.5, -6.594_237, 2.718_754]);
        let prediction = predictions.get(0).unwrap();
        for (actual, expected) in prediction.probabilities.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
        }
        assert_eq!(prediction.class_id, 3);
        assert_eq!(prediction.confidence.to_bits(), prediction.probabilities[3].to_bits());
    }

    #[test]
    fn large_logits_do_not_overflow_and_masked_classes_get_zero() {
        let predictions = of_logits(&[1000.0, 1000.0, f32::NEG_INFINITY]);
        assert_eq!(predictions.get(0).unwrap().probabilities, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn the_first_of_equals_wins() {
        let predictions = of_logits(&[0.0, 3.0, 3.0]);
        assert_eq!(predictions.get(0).unwrap().class_id, 1);
    }

    #[test]
    fn a_thousand_classes_sum_to_one() {
        let logits: Vec<f32> = (0_u16..1000).map(|class| f32::from(class % 37) * 0.3 - 5.0).collect();
        let predictions = of_logits(&logits);
        let sum: f64 = predictions
            .get(0)
            .unwrap()
            .probabilities
            .iter()
            .map(|value| f64::from(*value))
            .sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
    }

    /// The error of an image for which the model gives `values`.
    fn refusal(values: &[f32], kind: OutputKind) -> String {
        filled(&[values], kind).get(0).unwrap_err().to_string()
    }

    #[test]
    fn logits_without_probabilities_are_an_error_of_their_image() {
        let expected = "the model gives no prediction for this image: its logits are not finite numbers";
        for broken in [f32::NAN, f32::INFINITY] {
            assert_eq!(refusal(&[0.0, broken], OutputKind::Logits), expected);
        }
        assert_eq!(refusal(&[f32::NEG_INFINITY; 2], OutputKind::Logits), expected);

        let batch = filled(&[&[0.0, 0.0], &[f32::NAN, 0.0], &[1.0, 1.0]], OutputKind::Logits);
        let rows: Vec<_> = batch.iter().map(|row| row.map(|row| row.confidence).ok()).collect();
        assert_eq!(rows, [Some(0.5), None, Some(0.5)]);
        assert_eq!(batch.bad_images(), 1);
    }

    #[test]
    fn sigmoids_agree_with_transformers_and_need_no_sum() {
        // transformers.pipelines.image_classification.sigmoid(logits)
        let expected = [0.182_425_52, 0.817_574_44, 0.0, 1.0, 0.5];
        let predictions = filled(
            &[&[-1.5, 1.5, -200.0, f32::INFINITY, 0.0]],
            OutputKind::IndependentLogits,
        );
        let prediction = predictions.get(0).unwrap();
        for (actual, expected) in prediction.probabilities.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-6, "{actual} is not {expected}");
        }
        assert_eq!((prediction.class_id, prediction.confidence), (3, 1.0));
        assert!(refusal(&[0.0, f32::NAN], OutputKind::IndependentLogits).contains("its logits are not numbers"));
    }

    #[test]
    fn independent_probabilities_stay_as_they_are_and_are_checked() {
        let given = filled(&[&[0.25, 1.0, 0.75]], OutputKind::IndependentProbabilities);
        let prediction = given.get(0).unwrap();
        assert_eq!(
            (prediction.class_id, prediction.probabilities),
            (1, &[0.25, 1.0, 0.75][..])
        );
        for broken in [1.5, -0.5, f32::NAN] {
            let message = refusal(&[0.5, broken], OutputKind::IndependentProbabilities);
            assert!(message.contains("which are from 0 to 1"), "{message}");
        }
    }

    #[test]
    fn probabilities_stay_as_they_are_and_are_checked() {
        let given = filled(&[&[0.25, 0.75]], OutputKind::Probabilities);
        assert_eq!(given.get(0).unwrap().probabilities, [0.25, 0.75]);
        for broken in [[0.25, 0.25], [1.5, -0.5], [f32::NAN, 1.0]] {
            let message = refusal(&broken, OutputKind::Probabilities);
            assert!(message.contains("no probabilities"), "{message}");
        }
    }
}
