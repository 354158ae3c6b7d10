//! Where a model runs, and how it is run: tried before it is used, and on the parts of a batch.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::probe::{check_batch, check_output, Batches, Sample};
use crate::engine::{Asked, Model, Outputs};
use crate::error::Result;
use crate::gpu::batcher::Batcher;
use crate::model::{ModelDirectory, OutputKind};
use crate::platform::threads::{lock, on_threads};

/// The images of one run of the model are at most so many. More gain no time with ONNX Runtime, and lose some with
/// libtorch, where their activations leave a core's caches.
const MAX_IMAGES_A_RUN: usize = 8;

/// Where the model runs.
pub(super) enum Runner {
    /// On the threads that call, part by part of their batches.
    Threads(Box<dyn Model>),
    /// On a device, which takes the images of all callers together.
    Device(Batcher),
}

impl Runner {
    pub(super) fn outputs(&self) -> Outputs {
        match self {
            Self::Threads(model) => model.outputs(),
            Self::Device(batcher) => batcher.outputs().clone(),
        }
    }

    pub(super) fn channels(&self) -> usize {
        match self {
            Self::Threads(model) => model.channels(),
            Self::Device(batcher) => batcher.channels(),
        }
    }

    pub(super) fn calls_probabilities(&self) -> bool {
        match self {
            Self::Threads(model) => model.calls_probabilities(),
            Self::Device(batcher) => batcher.calls_probabilities(),
        }
    }

    /// What the model gives for some images of `length` values, in one run.
    pub(super) fn try_on(&self, samples: &[Sample], length: usize, asked: Asked) -> Result<Vec<f32>> {
        match self {
            Self::Threads(model) => {
                let mut output = vec![0.0; samples.len() * model.outputs().width(asked)];
                let tensor: Vec<f32> = samples.iter().flat_map(|sample| sample.tensor(length)).collect();
                model.run(samples.len(), &tensor, asked, &mut output)?;
                Ok(output)
            }
            Self::Device(batcher) => {
                let call = batcher.call(samples.len(), asked);
                for (place, sample) in samples.iter().enumerate() {
                    call.submit(place, sample.pixels(length));
                }
                call.finish().map(|(output, _)| output)
            }
        }
    }
}

/// Runs a model before it is used, to see what its numbers for classes mean and which batches it takes.
/// An image has `length` values.
pub(super) fn try_out(
    model: &ModelDirectory,
    runner: &Runner,
    outputs: &Outputs,
    length: usize,
) -> Result<(OutputKind, Batches)> {
    let run = |samples: &[Sample], asked| runner.try_on(samples, length, asked);
    // A model without classes has no numbers that mean either.
    let (mut output_kind, mut batches) = (OutputKind::Logits, Batches::Any);
    for asked in [Asked::Classes, Asked::Embedding] {
        if outputs.check(asked).is_err() {
            continue;
        }
        let singles = [run(&[Sample::Empty], asked)?, run(&[Sample::Noise], asked)?];
        if asked == Asked::Classes {
            output_kind = check_output(model, &singles, runner.calls_probabilities())?;
        }
        if batches == Batches::Any {
            let both = || run(&[Sample::Empty, Sample::Noise], asked);
            batches = check_batch(model, &singles, both, |sample| run(&[sample], asked))?;
        }
    }
    Ok((output_kind, batches))
}

/// Makes the rows of the batch's tensor, and returns the time that took, summed over the threads.
pub(super) fn infer(
    model: &dyn Model,
    tensor: &[f32],
    images: usize,
    threads: NonZeroUsize,
    asked: Asked,
    rows: &mut [f32],
) -> Result<Duration> {
    let (image_len, width) = (tensor.len() / images, rows.len() / images);
    let part = images_a_run(images, threads.get(), model.batch_multiple());
    let inputs = tensor.chunks(part * image_len);
    let work = Mutex::new(inputs.zip(rows.chunks_mut(part * width)));
    on_threads(threads.get().min(images.div_ceil(part)), || {
        let start = Instant::now();
        loop {
            let next = lock(&work).next();
            let Some((nchw, rows)) = next else {
                return Ok(start.elapsed());
            };
            model.run(rows.len() / width, nchw, asked, rows)?;
        }
    })?
    .into_iter()
    .sum()
}

/// How many images of a batch one run of the model has, so that all threads have as many runs of about equal size, of
/// at most [`MAX_IMAGES_A_RUN`] or what the model itself asks for.
fn images_a_run(images: usize, threads: usize, batch_multiple: usize) -> usize {
    let runs_a_thread = images.div_ceil(threads.saturating_mul(MAX_IMAGES_A_RUN));
    images
        .div_ceil(threads.saturating_mul(runs_a_thread).max(1))
        .next_multiple_of(batch_multiple)
}

#[cfg(test)]
mod tests {
    use super::images_a_run;

    #[test]
    fn a_batch_is_split_into_runs_of_equal_size() {
        for (images, threads, multiple, expected) in [
            (1, 1, 1, 1),
            (8, 1, 1, 8),
            (9, 1, 1, 5),
            (64, 1, 1, 8),
            (1, 4, 1, 1),
            (5, 2, 1, 3),
            (40, 2, 1, 7),
            (16, 2, 4, 8),
            (4, 2, 4, 4),
            (100, 1, 64, 64),
            (8, usize::MAX, 1, 1),
        ] {
            let actual = images_a_run(images, threads, multiple);
            assert_eq!(
                actual, expected,
                "{images} images, {threads} threads, multiples of {multiple}"
            );
        }
    }
}
