//! What a run says: speed, where the time went, and how often the model was right.

use std::cmp::Reverse;
use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde_json::{json, Value};
use spark_classify_core as core;
use spark_classify_core::model::Labels;
use spark_classify_report::{ClassFigures, Labelled};

use crate::args::Args;
use crate::classes::{printable, unique_names};
use crate::images::Image;
use crate::run::Run;

/// A matrix with more classes fits no terminal.
const MOST_COLUMNS: usize = 30;
const MOST_PAIRS: usize = 20;
/// And with more than these, no document.
const MOST_ROWS: usize = 1000;

/// A finished run, summed up.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    args: &'a Args,
    engine_version: &'a str,
    labels: &'a Labels,
    /// Until the model was ready.
    load: Duration,
    warm_up: Duration,
    wall: Duration,
    /// Images in one pass.
    images: usize,
    /// Shortest first.
    latencies: Vec<Duration>,
    /// Name and share of the threads' time, in the order of the work.
    shares: [(&'static str, f64); 5],
    /// Path and reason of the images without a prediction.
    bad_images: Vec<(&'a str, &'a str)>,
    /// How often the model was right, where that is known.
    labelled: Option<&'a Labelled>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        args: &'a Args,
        engine_version: &'a str,
        load: Duration,
        images: &'a [Image],
        run: &'a Run,
        labels: &'a Labels,
        labelled: Option<&'a Labelled>,
    ) -> Self {
        let mut latencies = run.latencies.clone();
        latencies.sort_unstable();
        let outcomes = || images.iter().zip(&run.predictions);
        Self {
            args,
            engine_version,
            labels,
            load,
            warm_up: run.warm_up,
            wall: run.wall,
            images: images.len(),
            shares: shares(run, args.threads),
            latencies,
            bad_images: outcomes()
                .filter_map(|(image, outcome)| Some((image.name.as_str(), outcome.as_ref().err()?.reason.as_str())))
                .collect(),
            labelled,
        }
    }

    /// Path and reason of the images without a prediction.
    pub(crate) fn bad_images(&self) -> &[(&'a str, &'a str)] {
        &self.bad_images
    }

    /// Images, good or bad, that all workers got through in a second.
    fn images_per_second(&self) -> f64 {
        (self.images * self.args.repeat.get()) as f64 / self.wall.as_secs_f64()
    }

    pub(crate) fn to_json(&self) -> Value {
        let shares: serde_json::Map<_, _> = self
            .shares
            .iter()
            .map(|&(name, share)| (name.to_owned(), json!(share)))
            .collect();
        let bad_images: Vec<_> = self
            .bad_images
            .iter()
            .map(|(path, reason)| json!({"image_path": path, "reason": reason}))
            .collect();
        json!({
            "backend": self.args.backend.to_string(),
            "engine_version": self.engine_version,
            "model": self.args.model,
            "device": self.args.device,
            "model_precision": core::Precision::from(self.args.precision),
            "tasks": self.args.tasks,
            "threads": self.args.threads,
            "batch_size": self.args.batch_size,
            "limit": self.args.limit,
            "repeat": self.args.repeat,
            "images": self.images,
            "bad_images": bad_images,
            "load_millis": millis(self.load),
            "warm_up_millis": millis(self.warm_up),
            "wall_millis": millis(self.wall),
            "images_per_second": self.images_per_second(),
            "batch_latency_millis": {
                "p50": millis(percentile(&self.latencies, 50)),
                "p95": millis(percentile(&self.latencies, 95)),
                "p99": millis(percentile(&self.latencies, 99)),
            },
            "time_shares": shares,
            "labels": self.labels.iter().collect::<Vec<_>>(),
            "accuracy": self.labelled.map(|labelled| labelled.accuracy),
            // Of more classes it is mostly zeros, and larger than memory; `--report` has the pairs.
            "confusion_matrix": self.labelled.filter(|_| self.labels.len() <= MOST_ROWS).map(Labelled::matrix),
            "precision": self.by_class(|class| class.precision),
            "recall": self.by_class(|class| class.recall),
        })
    }

    fn by_class(&self, measure: fn(&ClassFigures) -> Option<f64>) -> Option<Vec<Option<f64>>> {
        Some(self.labelled?.classes.iter().map(measure).collect())
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let args = self.args;
        writeln!(
            f,
            "{} {} on {} in {}, {} task(s) of {} thread(s), batches of {}",
            args.backend,
            self.engine_version,
            args.device,
            core::Precision::from(args.precision),
            args.tasks,
            args.threads,
            args.batch_size
        )?;
        writeln!(
            f,
            "model load  {:.0} ms, then {:.0} ms of warm-up",
            millis(self.load),
            millis(self.warm_up)
        )?;
        writeln!(
            f,
            "images      {} x {} in {:.0} ms, {} bad: {:.1} images/s",
            self.images,
            args.repeat,
            millis(self.wall),
            self.bad_images.len(),
            self.images_per_second()
        )?;
        writeln!(
            f,
            "latency     p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms a batch of {}",
            millis(percentile(&self.latencies, 50)),
            millis(percentile(&self.latencies, 95)),
            millis(percentile(&self.latencies, 99)),
            args.batch_size
        )?;
        let shares: Vec<_> = self
            .shares
            .iter()
            .map(|(name, share)| format!("{name} {:.1}%", share * 100.0))
            .collect();
        writeln!(f, "time        {}", shares.join(", "))?;
        self.labelled.map_or(Ok(()), |labelled| {
            let names: Vec<_> = unique_names(self.labels).iter().map(|name| printable(name)).collect();
            write_confusion(f, labelled, &names)
        })
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1}%", share * 100.0))
}

fn write_confusion(f: &mut fmt::Formatter<'_>, labelled: &Labelled, names: &[String]) -> fmt::Result {
    writeln!(
        f,
        "accuracy    {} of {} images\n",
        percent(Some(labelled.accuracy)),
        labelled.images
    )?;
    if names.len() <= MOST_COLUMNS {
        write_matrix(f, labelled, names)
    } else {
        write_pairs(f, labelled, names)
    }
}

/// The pairs of classes that are confused most often.
fn write_pairs(f: &mut fmt::Formatter<'_>, labelled: &Labelled, names: &[String]) -> fmt::Result {
    let mut pairs: Vec<_> = labelled
        .confusion
        .iter()
        .filter(|pair| pair.actual != pair.predicted)
        .collect();
    pairs.sort_by_key(|pair| (Reverse(pair.images), pair.actual, pair.predicted));
    writeln!(
        f,
        "of {} classes, those most often taken for another: images, actual, predicted",
        names.len()
    )?;
    for pair in pairs.iter().take(MOST_PAIRS) {
        writeln!(
            f,
            "{:>9}  {}  {}",
            pair.images, names[pair.actual], names[pair.predicted]
        )?;
    }
    Ok(())
}

fn write_matrix(f: &mut fmt::Formatter<'_>, labelled: &Labelled, names: &[String]) -> fmt::Result {
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max(9);
    write!(f, "{:>width$}", "actual")?;
    for heading in names.iter().map(String::as_str).chain(["precision", "recall"]) {
        write!(f, "  {heading:>width$}")?;
    }
    writeln!(f)?;
    for ((name, row), class) in names.iter().zip(labelled.matrix()).zip(&labelled.classes) {
        write!(f, "{name:>width$}")?;
        for count in row {
            write!(f, "  {count:>width$}")?;
        }
        for share in [class.precision, class.recall] {
            write!(f, "  {:>width$}", percent(share))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

/// Where the time of the threads went, as shares that add up to 1; a thread that waits for the others does `other`.
fn shares(run: &Run, threads: NonZeroUsize) -> [(&'static str, f64); 5] {
    let stages = &run.stages;
    let seconds = |time: Duration| time.as_secs_f64();
    let total = seconds(run.latencies.iter().sum()) * threads.get() as f64;
    let known = stages.read + stages.times.decode + stages.times.resize + stages.times.inference;
    [
        ("read", seconds(stages.read)),
        ("decode", seconds(stages.times.decode)),
        ("resize", seconds(stages.times.resize)),
        ("inference", seconds(stages.times.inference)),
        ("other", (total - seconds(known)).max(0.0)),
    ]
    .map(|(name, time)| (name, time / total))
}

/// The smallest of the `sorted` values that `percent` per cent of them do not exceed (nearest rank).
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::percentile;

    #[test]
    fn percentiles_are_measured_values() {
        let sorted: Vec<_> = (1..=10).map(Duration::from_millis).collect();
        assert_eq!(percentile(&sorted, 50), Duration::from_millis(5));
        assert_eq!(percentile(&sorted, 95), Duration::from_millis(10));
        assert_eq!(percentile(&sorted[..1], 50), Duration::from_millis(1));
        assert_eq!(percentile(&[], 99), Duration::ZERO);
    }
}
