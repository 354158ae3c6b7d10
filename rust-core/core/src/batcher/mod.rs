//! One model on a device for all tasks of a process.
//!
//! ```text
//! task threads: decode, resize ─▶ a queue, bounded and fair ─▶ lanes: copy, run ─▶ answers, each in its place
//! ```
//!
//! A lane that is free takes what waits, up to the largest batch, and never waits for more: while the device is busy, the
//! next batch grows by itself. Each lane has a thread of its own, so that one copies while another one computes.
//!
//! A run that fails is taken apart: its images run once more in two runs of half the size, down to single ones, and only
//! those that fail alone get the error. Where these succeed, the run was too large for the device's memory, and from then
//! on batches are no larger than they were.

mod call;
mod lanes;
mod queue;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread::{self, JoinHandle};

pub(crate) use self::call::Call;
use self::call::Request;
use self::queue::Queue;
use crate::backend::DeviceBackend;
use crate::error::{Error, Result};
use crate::threads::lock;

/// One lane copies while the other one computes.
const LANES: usize = 2;

/// Gathers the images of concurrent calls into batches for a device.
#[derive(Debug)]
pub(crate) struct Batcher {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<()>>,
}

struct Shared {
    backend: Arc<dyn DeviceBackend>,
    queue: Queue<Request>,
    /// Images of a batch; less than at first where the device had no memory for so many.
    largest_batch: AtomicUsize,
    lanes: AtomicUsize,
    /// Buffers of images, waiting for their next use.
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl Batcher {
    /// Starts the lanes of a model, for batches of up to `batch_size` images.
    ///
    /// # Errors
    /// What [`DeviceBackend::lane`] returns; [`Error::Internal`] where the system has no thread to give.
    pub(crate) fn start(backend: Arc<dyn DeviceBackend>, batch_size: NonZeroUsize) -> Result<Self> {
        let capacity = batch_size.get().next_multiple_of(backend.batch_multiple());
        let mut batcher = Self {
            shared: Arc::new(Shared {
                backend,
                // Of each caller one batch waits while another one runs.
                queue: Queue::new(capacity),
                largest_batch: AtomicUsize::new(capacity),
                lanes: AtomicUsize::new(0),
                buffers: Mutex::new(Vec::new()),
            }),
            lanes: Vec::new(),
        };
        for number in 0..LANES {
            batcher.start_lane(number, capacity)?;
        }
        Ok(batcher)
    }

    /// A lane belongs to the thread that makes it, so its own thread does, and tells whether that went well.
    fn start_lane(&mut self, number: usize, capacity: usize) -> Result<()> {
        let shared = Arc::clone(&self.shared);
        let (started, outcome) = mpsc::channel();
        let lane = thread::Builder::new()
            .name(format!("classify-lane-{number}"))
            .spawn(move || lanes::work(&shared, capacity, &started))
            .map_err(|cause| Error::Internal(format!("no thread for a lane: {cause}")))?;
        self.lanes.push(lane);
        outcome
            .recv()
            .unwrap_or_else(|_| Err(Error::Internal("panic in making a lane".to_owned())))
    }

    /// Begins a call for `images` images.
    pub(crate) fn call(&self, images: usize) -> Call<'_> {
        Call::new(&self.shared.queue, images, self.classes())
    }

    /// A buffer for an image, with whatever an earlier one left in it.
    pub(crate) fn buffer(&self, length: usize) -> Vec<u8> {
        let mut buffer = lock(&self.shared.buffers).pop().unwrap_or_default();
        buffer.resize(length, 0);
        buffer
    }

    /// Takes a buffer back that was not submitted.
    pub(crate) fn recycle(&self, buffer: Vec<u8>) {
        self.shared.recycle(buffer);
    }

    /// The width of one row of logits.
    pub(crate) fn classes(&self) -> usize {
        self.shared.backend.classes()
    }
}

impl Drop for Batcher {
    /// The lanes finish what waits, and free what they have on the device.
    fn drop(&mut self) {
        self.shared.queue.close();
        for lane in self.lanes.drain(..) {
            // A panic in a lane has been told by the requests that it had.
            let _ = lane.join();
        }
    }
}

impl Shared {
    fn recycle(&self, buffer: Vec<u8>) {
        lock(&self.buffers).push(buffer);
    }

    fn largest_batch(&self) -> usize {
        self.largest_batch.load(Ordering::Relaxed)
    }

    /// How many images a run for `count` images has, at most `largest`.
    fn run_size(&self, count: usize, largest: usize) -> usize {
        let sizes = self.backend.run_sizes(largest);
        sizes.into_iter().find(|size| *size >= count).unwrap_or(count)
    }

    /// Counts a lane until the result is dropped. When the last lane ends, whatever the reason, the queue is closed, and
    /// what waits in it gets its answers by being dropped.
    fn lane_begins(&self) -> impl Drop + '_ {
        struct Lane<'a>(&'a Shared);

        impl Drop for Lane<'_> {
            fn drop(&mut self) {
                if self.0.lanes.fetch_sub(1, Ordering::SeqCst) == 1 {
                    self.0.queue.close();
                    drop(self.0.queue.take(|| usize::MAX));
                }
            }
        }

        self.lanes.fetch_add(1, Ordering::SeqCst);
        Lane(self)
    }

    /// Batches of more than `images` images do not fit the device's memory.
    fn shrink_batches(&self, images: usize) {
        let images = images.next_multiple_of(self.backend.batch_multiple()).max(1);
        if self.largest_batch.fetch_min(images, Ordering::Relaxed) > images {
            log::warn!("the device cannot run larger batches than {images} images; they are smaller from now on");
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("largest_batch", &self.largest_batch)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
