//! Whether a model gives what its directory says.

use crate::engine::{Asked, Model, Outputs};
use crate::error::{Error, Result};
use crate::model::{ModelDirectory, OutputKind, OUTPUT_KIND_FIELD};

/// How far the sum of probabilities may be from 1: those of a thousand classes in half precision are within half of it.
const TOLERANCE: f64 = 1e-3;

/// Whether these may be the probabilities of the classes of one image.
pub(crate) fn are_probabilities(values: &[f32]) -> bool {
    let sum: f64 = values.iter().copied().map(f64::from).sum();
    // NaN fails the first condition.
    values.iter().all(|value| *value >= 0.0) && (sum - 1.0).abs() <= TOLERANCE
}

/// Whether these may be probabilities of classes of which an image may have any number.
pub(crate) fn are_within_one(values: &[f32]) -> bool {
    values.iter().all(|value| (0.0..=1.0).contains(value))
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

/// Compares what a model gave for the classes of the two images with `function_to_apply`, and returns what these
/// numbers mean. `calls_probabilities` says whether the model file calls them probabilities, which counts where
/// `function_to_apply` is not written.
///
/// # Errors
/// `Error::ModelField` when probabilities are announced and the model gives other numbers. The opposite, logits that
/// look like probabilities, is a warning: logits may be anything.
pub(crate) fn check_output(
    model: &ModelDirectory,
    outputs: &[Vec<f32>; 2],
    calls_probabilities: bool,
) -> Result<OutputKind> {
    // NaN says nothing of what the numbers for other images mean.
    let finite = || {
        outputs
            .iter()
            .filter(|output| output.iter().all(|value| value.is_finite()))
    };
    let (tried, last) = (finite().count(), finite().next_back().map_or(&[][..], Vec::as_slice));
    let kind = model.output_kind(outputs[0].len(), calls_probabilities)?;
    let fitting = |fits: fn(&[f32]) -> bool| finite().filter(|output| fits(output)).count();
    let refused = |way_out: &str| {
        let announced = if model.says_output_kind() {
            "is `none`"
        } else {
            "is not there, and the output is called probabilities"
        };
        let (low, high) = range(last);
        let sum = last.iter().sum::<f32>();
        Err(model.config_error(
            OUTPUT_KIND_FIELD,
            format!(
                "{announced}, but the model gives no probabilities: those of one image are {low} to {high} and their \
                 sum is {sum}; {way_out}"
            ),
        ))
    };
    let applied_twice = |function: &str| {
        log::warn!(
            "{}: the model seems to give probabilities, and {function} is applied to them once more; if so, write \
             \"{OUTPUT_KIND_FIELD}\": \"none\" into config.json",
            model.path().display()
        );
    };
    match kind {
        OutputKind::Probabilities if fitting(are_probabilities) < tried => {
            return refused("write `softmax` if they are logits");
        }
        OutputKind::IndependentProbabilities if fitting(are_within_one) < tried => {
            return refused("write `sigmoid` if they are logits");
        }
        OutputKind::Logits if fitting(are_probabilities) == outputs.len() => applied_twice("softmax"),
        OutputKind::IndependentLogits if fitting(are_within_one) == outputs.len() => applied_twice("the sigmoid"),
        _ => (),
    }
    Ok(kind)
}

/// The smallest and the largest value.
fn range(values: &[f32]) -> (f32, f32) {
    (
        values.iter().copied().fold(f32::INFINITY, f32::min),
        values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
    )
}

/// Which batches a model can be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Batches {
    /// Any.
    Any,
    /// One image each.
    OneImage,
}

/// Runs the model on both samples at once, which `run_both` does in their order, and compares the results with those of
/// `singles`. `run` gives the outputs for one sample.
///
/// # Errors
/// `Error::ModelFile` when the results of one image change from run to run, or depend on the other images of its batch;
/// and what `run` returns.
pub(crate) fn check_batch(
    model: &ModelDirectory,
    singles: &[Vec<f32>; 2],
    run_both: impl Fn() -> Result<Vec<f32>>,
    run: impl Fn(Sample) -> Result<Vec<f32>>,
) -> Result<Batches> {
    let both = match run_both() {
        Ok(both) => both,
        Err(Error::Inference { engine, reason }) => {
            log::warn!(
                "{}: the {engine} model takes one image at a time, and is run image by image, which is slower; export it \
                 without a fixed size of its batch inside: {reason}",
                model.path().display()
            );
            return Ok(Batches::OneImage);
        }
        Err(other) => return Err(other),
    };
    let [_, noise] = singles;
    let singles = singles.concat();
    let finite = || singles.iter().copied().filter(|value| value.is_finite());
    // Without a finite number this would be below 0, and no difference at all be too large.
    let spread = (finite().fold(f32::NEG_INFINITY, f32::max) - finite().fold(f32::INFINITY, f32::min)).max(0.0);
    let refused = |reason: &str| {
        Err(Error::ModelFile {
            path: model.path().to_owned(),
            reason: format!("{reason}: call model.eval() before it is exported, and leave out what is random"),
        })
    };
    let difference = largest_difference(&both, &singles);
    if difference > SAME_RUN * spread && largest_difference(&run(Sample::Noise)?, noise) > SAME_RUN * spread {
        return refused(
            "the model gives other numbers for the same image in each run; it is random, changes itself while it runs, or is \
             in train mode",
        );
    }
    if difference > SAME_BATCH * spread {
        return refused(
            "the model's numbers for an image depend on the other images of its batch; it is in train mode, or mixes the \
             images",
        );
    }
    Ok(Batches::Any)
}

/// How far two runs of a model on one image may be apart, as a share of the spread of all its outputs.
const SAME_RUN: f32 = 1e-3;

/// How far an image's outputs in a batch may be from those of the image alone. Models that quantize as they run take
/// one scale for a whole batch, and are some hundredths apart; batch norm in train mode is beyond all measure.
const SAME_BATCH: f32 = 0.25;

/// Values that are not finite numbers are equal to each other.
fn largest_difference(left: &[f32], right: &[f32]) -> f32 {
    let differences = left
        .iter()
        .zip(right)
        .map(|(left, right)| match (left.is_finite(), right.is_finite()) {
            (true, true) => (left - right).abs(),
            (false, false) => 0.0,
            _ => f32::INFINITY,
        });
    differences.fold(0.0, f32::max)
}

/// A model that takes one image at a time, for whoever has several.
pub(crate) struct OneByOne(pub(crate) Box<dyn Model>);

impl Model for OneByOne {
    fn outputs(&self) -> Outputs {
        self.0.outputs()
    }

    fn channels(&self) -> usize {
        self.0.channels()
    }

    fn run(&self, n: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<()> {
        let images = nchw.chunks(nchw.len() / n.max(1));
        for (image, row) in images.zip(rows.chunks_mut(rows.len() / n.max(1))) {
            self.0.run(1, image, asked, row)?;
        }
        Ok(())
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

    #[test]
    fn probabilities_of_independent_classes_have_any_sum() {
        assert!(are_within_one(&[0.0, 1.0, 0.75]));
        assert!(are_within_one(&[0.0]));
        for broken in [-0.001, 1.001, f32::NAN] {
            assert!(!are_within_one(&[0.5, broken]));
        }
    }
}
