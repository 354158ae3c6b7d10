//! The limit: the parts that no pipeline can do without, and nothing between them.
//!
//! Each worker has its own share of the files, its own buffers, and one loop: read, preprocess, and run the model when
//! the batch is full. There are no queues, no retries, no results for bad images: the first one ends the run.

use std::error::Error;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use spark_classify_core::model::Labels;
use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::{Asked, Engine, Model, ModelDirectory};
use spark_classify_imaging::Scratch;

use crate::args::Args;
use crate::images::Image;
use crate::run::{in_parallel, Predicted, Run, Stages};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A model and what prepares its input.
pub(crate) struct Bare {
    model: ModelDirectory,
    preprocessor: Preprocessor,
    backend: Box<dyn Model>,
}

/// What one worker brings home.
#[derive(Default)]
struct Worker {
    predictions: Vec<Predicted>,
    latencies: Vec<Duration>,
    stages: Stages,
}

impl Bare {
    pub(crate) fn load(engine: &dyn Engine, args: &Args) -> spark_classify_core::Result<Self> {
        let model = ModelDirectory::open(&args.model)?;
        let backend = engine.load(&model, &args.load_options())?;
        backend.outputs().check(Asked::Classes)?;
        Ok(Self {
            preprocessor: Preprocessor::new(model.preprocessor(), args.decode_options()),
            backend,
            model,
        })
    }

    pub(crate) fn labels(&self) -> spark_classify_core::Result<&Labels> {
        self.model.labels()
    }

    /// Classifies all images `args.repeat` times with `args.tasks` workers, each with a share of its own.
    ///
    /// # Errors
    /// The first error of any kind, also that of an image.
    pub(crate) fn run(&self, images: &[Image], args: &Args) -> Result<Run> {
        let batch_size = args.batch_size.get();
        let shares: Vec<&[Image]> = images.chunks(images.len().div_ceil(args.tasks.get())).collect();

        let start = Instant::now();
        in_parallel(&shares, |share| {
            self.work(&share[..share.len().min(batch_size)], batch_size, 1)
        })?;
        let warm_up = start.elapsed();

        let start = Instant::now();
        let workers = in_parallel(&shares, |share| self.work(share, batch_size, args.repeat.get()))?;
        let wall = start.elapsed();

        let mut run = Run {
            predictions: Vec::with_capacity(images.len()),
            latencies: Vec::new(),
            stages: Stages::default(),
            warm_up,
            wall,
        };
        for worker in workers {
            run.stages.add(worker.stages);
            run.latencies.extend(worker.latencies);
            run.predictions.extend(worker.predictions.into_iter().map(Ok));
        }
        Ok(run)
    }

    fn work(&self, share: &[Image], batch_size: usize, repeat: usize) -> Result<Worker> {
        let (length, classes) = (self.preprocessor.tensor_len(), self.backend.classes());
        let mut tensor = vec![0.0; batch_size * length];
        let mut logits = vec![0.0; batch_size * classes];
        let (mut bytes, mut scratch) = (Vec::new(), Scratch::default());
        let mut worker = Worker::default();
        for pass in 0..repeat {
            for batch in share.chunks(batch_size) {
                let start = Instant::now();
                for (image, slot) in batch.iter().zip(tensor.chunks_exact_mut(length)) {
                    let opened = Instant::now();
                    read(&image.path, &mut bytes).map_err(|cause| format!("{}: {cause}", image.name))?;
                    worker.stages.read += opened.elapsed();
                    let times = self
                        .preprocessor
                        .preprocess(&bytes, slot, &mut scratch)
                        .map_err(|cause| format!("{}: {cause}", image.name))?;
                    worker.stages.times.decode += times.decode;
                    worker.stages.times.resize += times.resize;
                }
                let ready = Instant::now();
                let logits = &mut logits[..batch.len() * classes];
                self.backend
                    .run(batch.len(), &tensor[..batch.len() * length], Asked::Classes, logits)?;
                worker.stages.times.inference += ready.elapsed();
                if pass == 0 {
                    worker.predictions.extend(logits.chunks_exact(classes).map(softmax));
                }
                worker.latencies.push(start.elapsed());
            }
        }
        Ok(worker)
    }
}

/// Reads a file into a buffer that is used again and again.
fn read(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    File::open(path)?.read_to_end(bytes)?;
    Ok(())
}

fn softmax(logits: &[f32]) -> Predicted {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut probabilities: Vec<f32> = logits.iter().map(|logit| (logit - max).exp()).collect();
    let sum: f32 = probabilities.iter().sum();
    for value in &mut probabilities {
        *value /= sum;
    }
    // The first of equals is the class.
    let class_id = logits.iter().position(|logit| *logit >= max).unwrap_or_default();
    Predicted {
        class_id,
        confidence: probabilities[class_id],
        probabilities,
    }
}
