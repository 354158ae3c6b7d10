//! What a faster way to classify gains, and what it changes: decoding JPEGs at a fraction of their size, or computing
//! in another precision.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{json, Value};
use spark_classify_core::{BatchTimes, Classifier, Error, Precision};

use crate::args::Args;
use crate::images::Image;
use crate::run::{self, Outcome, Run};

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    /// Decoding JPEGs whole, and at a fraction of their size.
    Decode,
    /// Computing in float32, and in this precision.
    Precision(Precision),
}

impl Subject {
    /// What the exact and the fast way are called.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Decode => ["exact", "fast"],
            Self::Precision(precision) => [Precision::Fp32.name(), precision.name()],
        }
    }

    /// The time of the stage that the two do differently.
    fn stage(self, times: &BatchTimes) -> Duration {
        match self {
            Self::Decode => times.decode + times.resize,
            Self::Precision(_) => times.inference,
        }
    }

    fn stage_name(self) -> &'static str {
        match self {
            Self::Decode => "preprocessing",
            Self::Precision(_) => "inference",
        }
    }

    fn stage_field(self) -> &'static str {
        match self {
            Self::Decode => "preprocess_millis",
            Self::Precision(_) => "inference_millis",
        }
    }
}

/// The same images, classified in both ways.
#[derive(Debug)]
pub(crate) struct Comparison {
    subject: Subject,
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
    /// The stage that differs, for an image on one thread.
    stage: Duration,
}

impl Comparison {
    /// Classifies the images `args.repeat` times with each of the two, in turns, so that both meet the same load of the
    /// machine.
    ///
    /// # Errors
    /// As those of [`run::run`].
    pub(crate) fn run(
        subject: Subject,
        exact: &Classifier,
        fast: &Classifier,
        images: &[Image],
        args: &Args,
    ) -> Result<Self, Error> {
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
            subject,
            images: images.len(),
            bad_images: predictions()
                .filter(|&(exact, fast)| is_bad(exact) || is_bad(fast))
                .count(),
            other_labels: good().filter(|(exact, fast)| exact.class_id != fast.class_id).count(),
            largest_difference: good()
                .flat_map(|(exact, fast)| exact.probabilities.iter().zip(&fast.probabilities))
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max),
            exact: Speed::of(subject, &exact_runs, images.len()),
            fast: Speed::of(subject, &fast_runs, images.len()),
        })
    }

    pub(crate) fn bad_images(&self) -> usize {
        self.bad_images
    }

    pub(crate) fn to_json(&self) -> Value {
        let [exact, fast] = self.subject.names();
        json!({
            "images": self.images,
            "bad_images": self.bad_images,
            exact: self.exact.to_json(self.subject),
            fast: self.fast.to_json(self.subject),
            "other_labels": self.other_labels,
            "largest_difference": self.largest_difference,
        })
    }
}

fn is_bad(outcome: &Outcome) -> bool {
    outcome.is_err()
}

impl Speed {
    fn of(subject: Subject, runs: &[Run], images: usize) -> Self {
        let wall = median(runs.iter().map(|run| run.wall));
        let stage = median(runs.iter().map(|run| subject.stage(&run.stages.times)));
        Self {
            images_per_second: images as f64 / wall.as_secs_f64(),
            stage: stage.div_f64(images as f64),
        }
    }

    fn stage_millis(&self) -> f64 {
        self.stage.as_secs_f64() * 1e3
    }

    fn to_json(&self, subject: Subject) -> Value {
        json!({
            "images_per_second": self.images_per_second,
            subject.stage_field(): self.stage_millis(),
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
        let names @ [_, fast] = self.subject.names();
        for (name, speed) in names.into_iter().zip([&self.exact, &self.fast]) {
            writeln!(
                f,
                "{name:<18}  {:.2} ms an image for {}; {:.1} images/s in all",
                speed.stage_millis(),
                self.subject.stage_name(),
                speed.images_per_second
            )?;
        }
        writeln!(
            f,
            "{:<18}  x{:.2} in {}, x{:.2} in all",
            format!("{fast} gains"),
            self.exact.stage.as_secs_f64() / self.fast.stage.as_secs_f64(),
            self.subject.stage_name(),
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
