//! What decoding JPEGs at a fraction of their size gains, and what it changes.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{json, Value};
use spark_classify_core::{Classifier, Error};

use crate::args::Args;
use crate::images::Image;
use crate::run::{self, Outcome, Run};

/// The same images, classified with both ways to decode.
#[derive(Debug)]
pub(crate) struct Comparison {
    exact: Speed,
    fast: Speed,
    images: usize,
    /// Images that one of the ways could not classify.
    bad_images: usize,
    /// Images with another class.
    other_labels: usize,
    /// The largest difference of a probability.
    largest_difference: f32,
}

/// Medians over the passes.
#[derive(Debug)]
struct Speed {
    images_per_second: f64,
    /// Decoding, resizing and normalising an image, on one thread.
    preprocess: Duration,
}

impl Comparison {
    /// Classifies the images `args.repeat` times with each of the two, in turns, so that both meet the same load of the
    /// machine.
    ///
    /// # Errors
    /// As those of [`run::run`].
    pub(crate) fn run(exact: &Classifier, fast: &Classifier, images: &[Image], args: &Args) -> Result<Self, Error> {
        let once = Args {
            repeat: NonZeroUsize::MIN,
            ..args.clone()
        };
        let (mut exact_runs, mut fast_runs) = (Vec::new(), Vec::new());
        for _ in 0..args.repeat.get() {
            exact_runs.push(run::run(exact, images, &once)?);
            fast_runs.push(run::run(fast, images, &once)?);
        }
        // Every pass gives the same predictions.
        let predictions = || exact_runs[0].predictions.iter().zip(&fast_runs[0].predictions);
        let good = || predictions().filter_map(|(exact, fast)| Some((exact.as_ref().ok()?, fast.as_ref().ok()?)));
        Ok(Self {
            images: images.len(),
            bad_images: predictions()
                .filter(|&(exact, fast)| is_bad(exact) || is_bad(fast))
                .count(),
            other_labels: good().filter(|(exact, fast)| exact.class_id != fast.class_id).count(),
            largest_difference: good()
                .flat_map(|(exact, fast)| exact.probabilities.iter().zip(&fast.probabilities))
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max),
            exact: Speed::of(&exact_runs, images.len()),
            fast: Speed::of(&fast_runs, images.len()),
        })
    }

    pub(crate) fn bad_images(&self) -> usize {
        self.bad_images
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "images": self.images,
            "bad_images": self.bad_images,
            "exact": self.exact.to_json(),
            "fast": self.fast.to_json(),
            "other_labels": self.other_labels,
            "largest_difference": self.largest_difference,
        })
    }
}

fn is_bad(outcome: &Outcome) -> bool {
    outcome.is_err()
}

impl Speed {
    fn of(runs: &[Run], images: usize) -> Self {
        let wall = median(runs.iter().map(|run| run.wall));
        let preprocess = median(runs.iter().map(|run| run.stages.times.decode + run.stages.times.resize));
        Self {
            images_per_second: images as f64 / wall.as_secs_f64(),
            preprocess: preprocess.div_f64(images as f64),
        }
    }

    fn preprocess_millis(&self) -> f64 {
        self.preprocess.as_secs_f64() * 1e3
    }

    fn to_json(&self) -> Value {
        json!({
            "images_per_second": self.images_per_second,
            "preprocess_millis": self.preprocess_millis(),
        })
    }
}

/// The middle one, or the later of the two in the middle.
fn median(durations: impl Iterator<Item = Duration>) -> Duration {
    let mut sorted: Vec<_> = durations.collect();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, speed) in [("exact", &self.exact), ("fast", &self.fast)] {
            writeln!(
                f,
                "{name:<18}  {:.2} ms an image to decode, resize and normalise; {:.1} images/s in all",
                speed.preprocess_millis(),
                speed.images_per_second
            )?;
        }
        writeln!(
            f,
            "fast gains          x{:.2} in preprocessing, x{:.2} in all",
            self.exact.preprocess.as_secs_f64() / self.fast.preprocess.as_secs_f64(),
            self.fast.images_per_second / self.exact.images_per_second
        )?;
        writeln!(
            f,
            "other labels        {} of {} images",
            self.other_labels,
            self.images - self.bad_images
        )?;
        writeln!(f, "largest difference  {:.4} of a probability", self.largest_difference)?;
        writeln!(f, "bad images          {}", self.bad_images)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::median;

    #[test]
    fn the_median_is_the_middle() {
        let of = |millis: &[u64]| median(millis.iter().copied().map(Duration::from_millis));
        assert_eq!(of(&[9, 1, 5]), Duration::from_millis(5));
        assert_eq!(of(&[2, 1]), Duration::from_millis(2));
        assert_eq!(of(&[]), Duration::ZERO);
    }
}
