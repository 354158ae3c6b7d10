//! The state of a batcher.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::call::Request;
use super::queue::Queue;
use crate::engine::{Asked, DeviceModel, Outputs};
use crate::platform::threads::lock;

/// What the lanes have in common with those who give them work.
pub(super) struct Shared {
    pub(super) model: Arc<dyn DeviceModel>,
    /// What the model gives.
    pub(super) outputs: Outputs,
    /// All of that.
    pub(super) all: Asked,
    pub(super) queue: Queue<Request>,
    /// Images of a batch; less than at first where the device had no memory for so many.
    pub(super) largest_batch: AtomicUsize,
    pub(super) lanes: AtomicUsize,
    /// Buffers of images, waiting for their next use.
    pub(super) buffers: Mutex<Vec<Vec<u8>>>,
}

impl Shared {
    pub(super) fn recycle(&self, buffer: Vec<u8>) {
        lock(&self.buffers).push(buffer);
    }

    pub(super) fn largest_batch(&self) -> usize {
        self.largest_batch.load(Ordering::Relaxed)
    }

    /// How many images a run for `count` images has, at most `largest`.
    pub(super) fn run_size(&self, count: usize, largest: usize) -> usize {
        let sizes = self.model.run_sizes(largest);
        sizes.into_iter().find(|size| *size >= count).unwrap_or(count)
    }

    /// Counts a lane until the result is dropped. When the last lane ends, whatever the reason, the queue is closed,
    /// and what waits in it gets its answers by being dropped.
    pub(super) fn lane_begins(&self) -> impl Drop + '_ {
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
    pub(super) fn shrink_batches(&self, images: usize) {
        let images = images.next_multiple_of(self.model.batch_multiple()).max(1);
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
