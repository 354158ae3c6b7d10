//! The figures of a report, from its counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::run::{Count, Run, CONFIDENCE_STEPS};

/// Bins of confidence in the histogram, in the reliability diagram and in the expected calibration error.
pub(crate) const BINS: usize = 20;
/// The normal distribution's quantile of 0.975.
const Z: f64 = 1.959_963_984_540_054;

/// What the counts say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Images with a prediction.
    pub classified: u64,
    /// Images without one.
    pub bad: u64,
    /// Images a second, good and bad; absent where no time is known.
    pub images_per_second: Option<f64>,
    /// Images by the class that the model gave them, in class-id order.
    pub predicted: Vec<u64>,
    /// All classified images by confidence.
    pub confidence: Vec<ConfidenceBin>,
    /// Of the images whose class is known; absent where none is.
    pub labelled: Option<Labelled>,
}

/// Images whose confidence lies between two bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceBin {
    /// The lower bound, which belongs to the bin.
    pub from: f64,
    /// The upper bound, which does not, except in the last bin.
    pub to: f64,
    /// How many images.
    pub images: u64,
    /// Their mean confidence; absent without images.
    pub mean_confidence: Option<f64>,
    /// The share predicted right; absent without images of a known class.
    pub accuracy: Option<f64>,
}

/// How good the predictions are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labelled {
    /// Images of a known class.
    pub images: u64,
    /// Of these, those predicted right.
    pub correct: u64,
    /// `correct` of `images`.
    pub accuracy: f64,
    /// 95% interval of the accuracy, after Wilson (1927).
    pub accuracy_interval: [f64; 2],
    /// Mean of the recalls of the classes that there are images of.
    pub balanced_accuracy: f64,
    /// Mean of F1 over the classes that there are images or predictions of.
    pub macro_f1: f64,
    /// Mean of F1 weighted by the images of each class.
    pub weighted_f1: f64,
    /// Mean of -ln of the actual class's probability, at most that of 1e-15, over the images whose class the model
    /// has; absent without such images.
    pub log_loss: Option<f64>,
    /// Expected calibration error over 20 bins of equal width: the mean distance of confidence and accuracy, weighted
    /// by images (Guo et al., 2017).
    pub calibration_error: f64,
    /// One for each class of the run.
    pub classes: Vec<ClassFigures>,
    /// The confusion matrix, without its zeros, by actual and predicted class.
    pub confusion: Vec<Confusion>,
    /// The images of a known class by confidence.
    pub reliability: Vec<ConfidenceBin>,
    /// What is left, and how good it is, if less certain predictions are set aside.
    pub thresholds: Vec<ThresholdPoint>,
}

/// How good the predictions are for one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassFigures {
    /// The class's name.
    pub class: String,
    /// Images known to show it.
    pub images: u64,
    /// Images of a known class that were predicted as it.
    pub predicted: u64,
    /// Both.
    pub correct: u64,
    /// `correct` of `predicted`; absent where it was never predicted.
    pub precision: Option<f64>,
    /// `correct` of `images`; absent where there are none.
    pub recall: Option<f64>,
    /// Harmonic mean of both, 0 where one is 0 or absent; absent where both are.
    pub f1: Option<f64>,
}

/// Images of one class that were predicted as another, or as itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confusion {
    /// The class that the images are known to show.
    pub actual: usize,
    /// The class that the model gave them.
    pub predicted: usize,
    /// How many.
    pub images: u64,
}

/// The predictions with at least some confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ThresholdPoint {
    /// The least confidence.
    pub threshold: f64,
    /// The share of images that have it.
    pub coverage: f64,
    /// The share of these predicted right; absent where none are left.
    pub accuracy: Option<f64>,
}

impl Figures {
    pub(crate) fn of(run: &Run) -> Self {
        let classified = images(&run.counts);
        let bad = run.bad.iter().map(|bad| bad.images).sum();
        let mut predicted = vec![0; run.model_classes];
        for count in &run.counts {
            if let Some(images) = predicted.get_mut(count.predicted) {
                *images += count.images;
            }
        }
        let labelled: Vec<Count> = run
            .counts
            .iter()
            .filter(|count| count.actual.is_some())
            .copied()
            .collect();
        Self {
            classified,
            bad,
            images_per_second: (run.head.seconds > 0.0).then(|| (classified + bad) as f64 / run.head.seconds),
            predicted,
            confidence: bins(&run.counts),
            labelled: Labelled::of(&labelled, &run.classes),
        }
    }
}

impl Labelled {
    /// The confusion matrix with its zeros: a row for each actual class, a column for each predicted one.
    #[must_use]
    pub fn matrix(&self) -> Vec<Vec<u64>> {
        let mut matrix = vec![vec![0; self.classes.len()]; self.classes.len()];
        for cell in &self.confusion {
            if let Some(images) = matrix.get_mut(cell.actual).and_then(|row| row.get_mut(cell.predicted)) {
                *images = cell.images;
            }
        }
        matrix
    }

    fn of(counts: &[Count], classes: &[String]) -> Option<Self> {
        let total = images(counts);
        if total == 0 {
            return None;
        }
        let correct = images(counts.iter().filter(|count| is_right(count)));
        let classes = by_class(counts, classes);
        let present: Vec<_> = classes.iter().filter(|class| class.images > 0).collect();
        let f1s: Vec<_> = classes.iter().filter_map(|class| class.f1).collect();
        let weighted: f64 = present
            .iter()
            .map(|class| class.f1.unwrap_or(0.0) * class.images as f64)
            .sum();
        let reliability = bins(counts);
        let distances = reliability.iter().filter_map(|bin| {
            let distance = (bin.accuracy? - bin.mean_confidence?).abs();
            Some(distance * bin.images as f64)
        });
        let calibration_error = distances.sum::<f64>() / total as f64;
        Some(Self {
            images: total,
            correct,
            accuracy: correct as f64 / total as f64,
            accuracy_interval: wilson(correct, total),
            balanced_accuracy: mean(present.iter().filter_map(|class| class.recall)),
            macro_f1: mean(f1s.into_iter()),
            weighted_f1: weighted / total as f64,
            log_loss: log_loss(counts),
            calibration_error,
            confusion: confusion(counts),
            thresholds: thresholds(counts, total),
            classes,
            reliability,
        })
    }
}

fn is_right(count: &Count) -> bool {
    count.actual == Some(count.predicted)
}

fn images<'a>(counts: impl IntoIterator<Item = &'a Count>) -> u64 {
    counts.into_iter().map(|count| count.images).sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, number) = values.fold((0.0, 0.0), |(sum, number), value| (sum + value, number + 1.0));
    if number == 0.0 {
        0.0
    } else {
        sum / number
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn wilson(correct: u64, total: u64) -> [f64; 2] {
    let (n, p) = (total as f64, correct as f64 / total as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    [((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)]
}

fn log_loss(counts: &[Count]) -> Option<f64> {
    let known = counts.iter().filter_map(|count| Some((count.images, count.log_loss?)));
    let (images, sum) = known.fold((0, 0.0), |(images, sum), (more, loss)| (images + more, sum + loss));
    (images > 0).then(|| sum / images as f64)
}

fn by_class(counts: &[Count], classes: &[String]) -> Vec<ClassFigures> {
    let mut totals = vec![(0, 0, 0); classes.len()];
    for count in counts {
        if let Some((images, ..)) = count.actual.and_then(|actual| totals.get_mut(actual)) {
            *images += count.images;
        }
        if let Some((_, predicted, correct)) = totals.get_mut(count.predicted) {
            *predicted += count.images;
            *correct += if is_right(count) { count.images } else { 0 };
        }
    }
    let figures = |(class, (images, predicted, correct)): (&String, _)| ClassFigures {
        class: class.clone(),
        images,
        predicted,
        correct,
        precision: share(correct, predicted),
        recall: share(correct, images),
        f1: share(2 * correct, images + predicted),
    };
    classes.iter().zip(totals).map(figures).collect()
}

fn confusion(counts: &[Count]) -> Vec<Confusion> {
    let mut pairs = BTreeMap::<_, u64>::new();
    for count in counts {
        if let Some(actual) = count.actual {
            *pairs.entry((actual, count.predicted)).or_default() += count.images;
        }
    }
    let cell = |((actual, predicted), images)| Confusion {
        actual,
        predicted,
        images,
    };
    pairs.into_iter().map(cell).collect()
}

fn bins(counts: &[Count]) -> Vec<ConfidenceBin> {
    let steps = CONFIDENCE_STEPS / BINS;
    (0..BINS)
        .map(|bin| {
            let inside = || counts.iter().filter(|count| count.confidence_step / steps == bin);
            let total = images(inside());
            let confidence: f64 = inside().map(|count| count.confidence).sum();
            let labelled = || inside().filter(|count| count.actual.is_some());
            ConfidenceBin {
                from: bin as f64 / BINS as f64,
                to: (bin + 1) as f64 / BINS as f64,
                images: total,
                mean_confidence: (total > 0).then(|| confidence / total as f64),
                accuracy: share(images(labelled().filter(|count| is_right(count))), images(labelled())),
            }
        })
        .collect()
}

fn thresholds(counts: &[Count], total: u64) -> Vec<ThresholdPoint> {
    let mut by_step = vec![(0, 0); CONFIDENCE_STEPS];
    for count in counts {
        if let Some((images, correct)) = by_step.get_mut(count.confidence_step) {
            *images += count.images;
            *correct += if is_right(count) { count.images } else { 0 };
        }
    }
    let (mut left, mut right) = (0, 0);
    let mut points: Vec<_> = by_step
        .into_iter()
        .enumerate()
        .rev()
        .map(|(step, (images, correct))| {
            left += images;
            right += correct;
            ThresholdPoint {
                threshold: step as f64 / CONFIDENCE_STEPS as f64,
                coverage: left as f64 / total as f64,
                accuracy: share(right, left),
            }
        })
        .collect();
    points.reverse();
    points
}
