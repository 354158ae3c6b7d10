//! Reading and classifying the images, with the clock running.

use std::io;
use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use spark_classify_core::platform::files;
use spark_classify_core::{BatchTimes, Classifier, Error, Prediction, PredictionError, Predictions};

use crate::args::Args;
use crate::images::Image;

/// What the model says about an image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Predicted {
    pub(crate) class_id: usize,
    pub(crate) confidence: f32,
    /// In class-id order.
    pub(crate) probabilities: Vec<f32>,
}

/// Why an image has no prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bad {
    /// The error condition that the Spark function would report.
    pub(crate) condition: &'static str,
    pub(crate) reason: String,
}

/// A prediction, or why there is none.
pub(crate) type Outcome = Result<Predicted, Bad>;

/// What came out of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// One for each image, in their order, from the first pass.
    pub(crate) predictions: Vec<Outcome>,
    /// How long each batch took, from the first byte read to the last prediction, over all passes.
    pub(crate) latencies: Vec<Duration>,
    /// Where the time of all workers went.
    pub(crate) stages: Stages,
    /// One untimed batch on every worker, in which the engine makes what it makes at first use.
    pub(crate) warm_up: Duration,
    /// From the start of the first timed batch to the end of the last.
    pub(crate) wall: Duration,
}

/// Time by what it was spent on, summed over workers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stages {
    pub(crate) read: Duration,
    pub(crate) times: BatchTimes,
}

impl Stages {
    pub(crate) fn add(&mut self, other: Self) {
        self.read += other.read;
        self.times.decode += other.times.decode;
        self.times.resize += other.times.resize;
        self.times.inference += other.times.inference;
    }
}

/// Classifies all images `args.repeat` times with `args.tasks` workers, which take batches from one queue.
///
/// # Errors
/// What is not the fault of one image: the first such error ends the run.
pub(crate) fn run(classifier: &Classifier, images: &[Image], args: &Args) -> Result<Run, Error> {
    let batches: Vec<&[Image]> = images.chunks(args.batch_size.get()).collect();
    let start = Instant::now();
    let tasks: Vec<usize> = (0..args.tasks.get()).collect();
    in_parallel(&tasks, |_| {
        classify(classifier, batches[0], args.threads, &mut Predictions::new())
    })?;
    let warm_up = start.elapsed();

    let queue = Queue {
        next: AtomicUsize::new(0),
        end: batches.len() * args.repeat.get(),
        failed: AtomicBool::new(false),
    };
    let progress = progress_bar((images.len() * args.repeat.get()) as u64);
    let start = Instant::now();
    let workers = in_parallel(&tasks, |_| work(classifier, &batches, args.threads, &queue, &progress))?;
    let wall = start.elapsed();
    progress.finish_and_clear();

    let mut stages = Stages::default();
    let mut latencies = Vec::with_capacity(queue.end);
    let mut first_pass = Vec::with_capacity(batches.len());
    for worker in workers {
        stages.add(worker.stages);
        latencies.extend(worker.latencies);
        first_pass.extend(worker.first_pass);
    }
    first_pass.sort_by_key(|&(batch, _)| batch);
    Ok(Run {
        predictions: first_pass.into_iter().flat_map(|(_, outcomes)| outcomes).collect(),
        latencies,
        stages,
        warm_up,
        wall,
    })
}

/// Runs `work` for each of the `shares` on a thread of its own, at once; the first error wins.
///
/// # Errors
/// What `work` returns, and [`Error::Argument`] when the system has not as many threads to give.
pub(crate) fn in_parallel<S: Sync, T: Send, E: Send + From<Error>>(
    shares: &[S],
    work: impl Fn(&S) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    thread::scope(|scope| {
        let work = &work;
        let start = |share| thread::Builder::new().spawn_scoped(scope, move || work(share));
        let handles: Vec<_> = shares.iter().map(start).collect();
        let finish = |handle: io::Result<thread::ScopedJoinHandle<'_, _>>| match handle {
            Ok(handle) => handle.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(cause) => Err(E::from(Error::Argument {
                argument: "tasks",
                reason: format!(
                    "the system has no thread for one of {}: {cause}; take fewer",
                    shares.len()
                ),
            })),
        };
        handles.into_iter().map(finish).collect()
    })
}

/// Numbers of batches to do; a number past the first pass means the same batch once more.
struct Queue {
    next: AtomicUsize,
    end: usize,
    /// Whether a worker met an error, so that the others stop too.
    failed: AtomicBool,
}

impl Queue {
    fn take(&self) -> Option<usize> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.end && !self.failed.load(Ordering::Relaxed)).then_some(number)
    }
}

/// What one worker brings home.
#[derive(Default)]
struct Worker {
    /// Numbers of batches, with the outcomes for their images.
    first_pass: Vec<(usize, Vec<Outcome>)>,
    latencies: Vec<Duration>,
    stages: Stages,
}

fn work(
    classifier: &Classifier,
    batches: &[&[Image]],
    threads: NonZeroUsize,
    queue: &Queue,
    progress: &ProgressBar,
) -> Result<Worker, Error> {
    let mut worker = Worker::default();
    let mut predictions = Predictions::new();
    while let Some(number) = queue.take() {
        let batch = batches[number % batches.len()];
        let start = Instant::now();
        let (outcomes, stages) = classify(classifier, batch, threads, &mut predictions).inspect_err(|_| {
            queue.failed.store(true, Ordering::Relaxed);
        })?;
        worker.latencies.push(start.elapsed());
        worker.stages.add(stages);
        if number < batches.len() {
            worker.first_pass.push((number, outcomes));
        }
        progress.inc(batch.len() as u64);
    }
    Ok(worker)
}

/// Reads and classifies one batch. Images that cannot be read take no part in the call.
fn classify(
    classifier: &Classifier,
    batch: &[Image],
    threads: NonZeroUsize,
    predictions: &mut Predictions,
) -> Result<(Vec<Outcome>, Stages), Error> {
    let start = Instant::now();
    let unreadable = |cause| Bad {
        condition: "CLASSIFY_UNREADABLE_IMAGE",
        reason: format!("cannot be read: {cause}"),
    };
    let files: Vec<Result<Vec<u8>, Bad>> = batch
        .iter()
        .map(|image| files::read(&image.path).map_err(unreadable))
        .collect();
    let read = start.elapsed();

    let readable: Vec<&[u8]> = files.iter().flatten().map(Vec::as_slice).collect();
    let times = if readable.is_empty() {
        BatchTimes::default()
    } else {
        classifier.classify(&readable, threads, predictions)?
    };
    let mut next = 0;
    let outcomes = files
        .into_iter()
        .map(|file| {
            file.and_then(|_| {
                next += 1;
                outcome(predictions.get(next - 1))
            })
        })
        .collect();
    Ok((outcomes, Stages { read, times }))
}

fn outcome(prediction: Result<Prediction<'_>, &PredictionError>) -> Outcome {
    prediction
        .map(|prediction| Predicted {
            class_id: prediction.class_id,
            confidence: prediction.confidence,
            probabilities: prediction.probabilities.to_vec(),
        })
        .map_err(|error| Bad {
            condition: "CLASSIFY_BAD_IMAGE",
            reason: error.to_string(),
        })
}

fn progress_bar(images: u64) -> ProgressBar {
    // Draws to stderr, and only where that is a terminal.
    ProgressBar::new(images).with_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} images, {per_sec}, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    )
}
