//! Whether a model gives what its directory says.

use crate::error::Result;
use crate::model::{ModelDirectory, OutputKind, OUTPUT_KIND_FIELD};

/// How far the sum of probabilities may be from 1: those of a thousand classes in half precision are within half of it.
const TOLERANCE: f64 = 1e-3;

/// Whether these may be the probabilities of the classes of one image.
pub(crate) fn are_probabilities(values: &[f32]) -> bool {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    // NaN fails the first condition.
    values.iter().all(|value| *value >= 0.0) && (sum - 1.0).abs() <= TOLERANCE
}

/// The two images that a model is tried on: one is empty and the other one noise.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sample {
    Empty,
    Noise,
}

impl Sample {
    /// The image as a tensor of `length` values.
    pub(crate) fn tensor(self, length: usize) -> Vec<f32> {
        match self {
            Self::Empty => vec![0.0; length],
            // Numbers from -2 to 2, which is about where normalised pixels lie.
            Self::Noise => noise()
                .take(length)
                .map(|bits| bits as f32 / 4_194_304.0 - 2.0)
                .collect(),
        }
    }

    /// The image as `length` samples of pixels.
    pub(crate) fn pixels(self, length: usize) -> Vec<u8> {
        match self {
            Self::Empty => vec![0; length],
            Self::Noise => noise().take(length).map(|bits| (bits >> 16) as u8).collect(),
        }
    }
}

/// Runs the model on two images and compares the results with `function_to_apply`. `run` gives its outputs for one of
/// them, of which there are `classes`.
///
/// # Errors
/// `Error::ModelField` when probabilities are announced and the model gives other numbers, and what `run` returns. The
/// opposite, logits that look like probabilities, is a warning: logits may be anything.
pub(crate) fn check_output(
    model: &ModelDirectory,
    classes: usize,
    run: impl Fn(Sample) -> Result<Vec<f32>>,
) -> Result<()> {
    let (mut tried, mut probabilities) = (0, 0);
    let mut last = Vec::new();
    for sample in [Sample::Empty, Sample::Noise] {
        let output = run(sample)?;
        // NaN says nothing of what the numbers for other images mean.
        if output.iter().all(|value| value.is_finite()) {
            tried += 1;
            probabilities += usize::from(are_probabilities(&output));
            last = output;
        }
    }
    match (model.output_kind(), probabilities) {
        (OutputKind::Probabilities, fitting) if fitting < tried => Err(model.config_error(
            OUTPUT_KIND_FIELD,
            format!(
                "is `none`, but the model gives no probabilities: those of one image are {} to {} and their sum is {}; \
                 write `softmax` if they are logits",
                last.iter().copied().fold(f32::INFINITY, f32::min),
                last.iter().copied().fold(f32::NEG_INFINITY, f32::max),
                last.iter().sum::<f32>()
            ),
        )),
        // A single class may have the logit 1.
        (OutputKind::Logits, 2) if classes > 1 => {
            log::warn!(
                "{}: the model seems to give probabilities, and softmax is applied to them once more; if so, write \
                 \"{OUTPUT_KIND_FIELD}\": \"none\" into config.json",
                model.path().display()
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Numbers of 24 bits; always the same ones.
fn noise() -> impl Iterator<Item = u32> {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    std::iter::successors(next(&1), next).map(|state| state >> 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_positive_and_sum_to_one() {
        assert!(are_probabilities(&[0.25, 0.75, 0.0]));
        assert!(are_probabilities(&[0.5, 0.5009]));
        assert!(!are_probabilities(&[0.5, 0.502]));
        assert!(!are_probabilities(&[1.5, -0.5]));
        assert!(!are_probabilities(&[f32::NAN, 1.0]));
        assert!(!are_probabilities(&[f32::INFINITY, 0.0]));
    }
}
