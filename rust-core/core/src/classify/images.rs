//! The images of a batch, shared out among threads.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::time::Duration;

use spark_classify_imaging::Scratch;

use crate::error::Result;
use crate::platform::threads::{lock, on_threads};
use crate::preprocess::StageTimes;

/// How long the stages of one batch took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchTimes {
    /// Decoding, summed over the images, whichever thread did them.
    pub decode: Duration,
    /// Resizing, cropping and normalising, summed like `decode`.
    pub resize: Duration,
    /// The model's runs, softmax and normalising, summed like `decode`. Of a run on a device, the share of the batch's
    /// images.
    pub inference: Duration,
}

/// Buffers waiting for their next use.
pub(super) struct Pool<T>(Mutex<Vec<T>>);

impl<T> Pool<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Default> Pool<T> {
    pub(super) fn take(&self) -> T {
        lock(&self.0).pop().unwrap_or_default()
    }

    pub(super) fn put(&self, buffer: T) {
        lock(&self.0).push(buffer);
    }
}

/// Has `threads` threads take one piece of `work` after the other, which balances the load whatever the images'
/// sizes. Returns the times summed over all images; none of a model.
///
/// # Errors
/// [`Error::Internal`](crate::Error::Internal) when `prepare` panicked.
pub(super) fn on_images<W: Send>(
    scratches: &Pool<Scratch>,
    threads: NonZeroUsize,
    images: usize,
    work: impl Iterator<Item = W> + Send,
    prepare: impl Fn(W, &mut Scratch) -> Option<StageTimes> + Sync,
) -> Result<BatchTimes> {
    let work = Mutex::new(work);
    let finished = on_threads(threads.get().min(images), || {
        let mut scratch = scratches.take();
        let mut times = BatchTimes::default();
        loop {
            let next = lock(&work).next();
            let Some(next) = next else { break };
            if let Some(stages) = prepare(next, &mut scratch) {
                times.decode += stages.decode;
                times.resize += stages.resize;
            }
        }
        scratches.put(scratch);
        times
    })?;
    Ok(BatchTimes {
        decode: finished.iter().map(|times| times.decode).sum(),
        resize: finished.iter().map(|times| times.resize).sum(),
        inference: Duration::ZERO,
    })
}
