//! One model on a device for all tasks of a process.
//!
//! ```text
//! task threads: decode, resize ─▶ a queue, bounded and fair ─▶ lanes: copy, run ─▶ answers, each in its place
//! ```
//!
//! A lane that is free takes what waits, up to the largest batch, and never waits for more: while the device is busy,
//! the next batch grows by itself. Each lane has a thread of its own, so that one copies while another one computes.
//!
//! A run that fails is taken apart: its images run once more in two runs of half the size, down to single ones, and
//! only those that fail alone get the error. Where these succeed, the run was too large for the device's memory, and
//! from then on batches are no larger than they were.

mod call;
mod lanes;
mod queue;
mod shared;

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicUsize;
use std::sync::{mpsc, Arc, Mutex};
use std::thread::{self, JoinHandle};

pub(crate) use self::call::Call;
use self::queue::Queue;
use self::shared::Shared;
use crate::engine::{Asked, DeviceModel, Outputs};
use crate::error::{Error, Result};
use crate::platform::threads::lock;

/// One lane copies while the other one computes.
const LANES: usize = 2;

/// Gathers the images of concurrent calls into batches for a device.
#[derive(Debug)]
pub(crate) struct Batcher {
    shared: Arc<Shared>,
    lanes: Vec<JoinHandle<()>>,
}

impl Batcher {
    /// Starts the lanes of a model, for batches of up to `batch_size` images.
    ///
    /// # Errors
    /// What [`DeviceModel::lane`] returns; the reason why the model gives nothing; [`Error::Internal`] where the system
    /// has no thread to give.
    pub(crate) fn start(model: Arc<dyn DeviceModel>, batch_size: NonZeroUsize) -> Result<Self> {
        let outputs = model.outputs();
        let all = outputs.all()?;
        let capacity = batch_size.get().next_multiple_of(model.batch_multiple());
        let mut batcher = Self {
            shared: Arc::new(Shared {
                outputs,
                all,
                model,
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

    /// A lane belongs to the thread that makes it, so its own thread does, and says whether that went well.
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

    /// Begins a call for `images` images. The model gives what is asked for.
    pub(crate) fn call(&self, images: usize, asked: Asked) -> Call<'_> {
        Call::new(&self.shared.queue, images, asked, self.outputs().width(asked))
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

    /// The channels of the images that the model takes.
    pub(crate) fn channels(&self) -> usize {
        self.shared.model.channels()
    }

    /// Whether the model file itself calls its result probabilities.
    pub(crate) fn calls_probabilities(&self) -> bool {
        self.shared.model.calls_probabilities()
    }

    /// What the model gives.
    pub(crate) fn outputs(&self) -> &Outputs {
        &self.shared.outputs
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

#[cfg(test)]
mod tests;
