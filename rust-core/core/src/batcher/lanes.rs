//! The thread of a lane.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::call::Request;
use super::Shared;
use crate::backend::Lane;
use crate::error::{Error, Result};
use crate::panics;

/// Makes a lane, says in `started` whether that went well, and works until the queue is closed and empty.
pub(super) fn work(shared: &Shared, capacity: usize, started: &Sender<Result<()>>) {
    let made = guarded(|| shared.backend.lane(capacity));
    // Whoever starts the lane waits for this.
    let (lane, outcome) = match made {
        Ok(lane) => (Some(lane), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let _ = started.send(outcome);
    let Some(mut lane) = lane else { return };
    let mut logits = vec![0.0; capacity * shared.backend.classes()];
    loop {
        let requests = shared.queue.take(shared.largest_batch());
        if requests.is_empty() {
            return;
        }
        answer(shared, &mut *lane, requests, &mut logits, log::Level::Warn);
    }
}

/// Answers all requests, and returns whether the model ran for all of them. `level` is that of the message when a batch
/// is taken apart.
fn answer(
    shared: &Shared,
    lane: &mut dyn Lane,
    mut requests: Vec<Request>,
    logits: &mut [f32],
    level: log::Level,
) -> bool {
    let count = requests.len();
    let start = Instant::now();
    match guarded(|| run(lane, &requests, shared.backend.classes(), logits)) {
        Ok(()) => {
            let share = start.elapsed() / count as u32;
            let rows = logits.chunks_exact(shared.backend.classes());
            for (request, row) in requests.into_iter().zip(rows) {
                shared.recycle(request.answer(Ok(row), share));
            }
            true
        }
        Err(error) if count > 1 => {
            log::log!(level, "a batch of {count} images failed, its halves are tried: {error}");
            let second = requests.split_off(count.div_ceil(2));
            let largest = requests.len();
            // Both run, whatever comes of the first.
            let mut half = |half| answer(shared, lane, half, logits, log::Level::Debug);
            let fine = half(requests) & half(second);
            if fine {
                shared.shrink_batches(largest);
            }
            fine
        }
        Err(error) => {
            for request in requests {
                shared.recycle(request.answer(Err(error.clone()), Duration::ZERO));
            }
            false
        }
    }
}

fn run(lane: &mut dyn Lane, requests: &[Request], classes: usize, logits: &mut [f32]) -> Result<()> {
    let mut slots = lane.pixels();
    for Request { pixels, .. } in requests {
        let (slot, rest) = slots.split_at_mut(pixels.len());
        slot.copy_from_slice(pixels);
        slots = rest;
    }
    lane.run(requests.len(), &mut logits[..requests.len() * classes])
}

/// The result of `body`, or its panic as an error.
fn guarded<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| {
        Err(Error::Internal(format!(
            "panic in a lane: {}",
            panics::describe(payload)
        )))
    })
}
