//! The thread of a lane.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::call::Request;
use super::shared::Shared;
use crate::engine::{Asked, Lane};
use crate::error::{Error, Result};
use crate::platform::panics;

/// Makes a lane, says in `started` whether that went well, and works until the queue is closed and empty.
pub(super) fn work(shared: &Shared, capacity: usize, started: &Sender<Result<()>>) {
    // However this thread ends: nobody waits for a lane that is no more.
    let _last = shared.lane_begins();
    let mut rows = vec![0.0; capacity * shared.outputs.width(shared.all)];
    let made = guarded(|| {
        let mut lane = shared.model.lane(capacity)?;
        warm_up(shared, &mut *lane, capacity, &mut rows)?;
        Ok(lane)
    });
    // Whoever starts the lane waits for this.
    let (lane, outcome) = match made {
        Ok(lane) => (Some(lane), Ok(())),
        Err(error) => (None, Err(error)),
    };
    let _ = started.send(outcome);
    let Some(mut lane) = lane else { return };
    loop {
        let mut largest = 0;
        let requests = shared.queue.take(|| {
            largest = shared.largest_batch();
            largest
        });
        if requests.is_empty() {
            return;
        }
        let batch = Batch {
            requests,
            largest,
            level: log::Level::Warn,
        };
        answer(shared, &mut *lane, batch, &mut rows);
    }
}

/// Runs the model for all that it gives once in each of the sizes that it will be run in, the largest first: engines
/// make their plans for a size, on each thread, at its first run, and take the most memory then.
fn warm_up(shared: &Shared, lane: &mut dyn Lane, capacity: usize, rows: &mut [f32]) -> Result<()> {
    lane.pixels().fill(0);
    let width = shared.outputs.width(shared.all);
    for size in shared.model.run_sizes(capacity).into_iter().rev() {
        let mut size = size;
        while let Err(error) = guarded(|| lane.run(size, shared.all, &mut rows[..size * width])) {
            if size == 1 {
                return Err(error);
            }
            size = size.div_ceil(2);
            shared.shrink_batches(size);
        }
    }
    Ok(())
}

/// What is to run at once.
struct Batch {
    /// At most `largest`.
    requests: Vec<Request>,
    /// No run may have more images, those that only fill it up among them.
    largest: usize,
    /// Of the message when the batch is taken apart.
    level: log::Level,
}

/// Answers all requests, and returns whether the model ran for all of them.
fn answer(shared: &Shared, lane: &mut dyn Lane, batch: Batch, rows: &mut [f32]) -> bool {
    let Batch {
        mut requests,
        largest,
        level,
    } = batch;
    let count = requests.len();
    let size = shared.run_size(count, largest);
    // Tasks may ask for different things; one run gives all of it.
    let asked = requests.iter().map(|request| request.asked).reduce(Asked::or);
    let asked = asked.unwrap_or(shared.all);
    let width = shared.outputs.width(asked);
    let start = Instant::now();
    match guarded(|| run(lane, &requests, size, asked, &mut rows[..size * width])) {
        Ok(()) => {
            let share = start.elapsed() / count as u32;
            for (request, row) in requests.into_iter().zip(rows.chunks_exact(width)) {
                let columns = shared.outputs.columns(request.asked, asked);
                shared.recycle(request.answer(Ok(&row[columns]), share));
            }
            true
        }
        Err(error) if size > 1 => {
            log::log!(level, "a run of {size} images failed, smaller ones are tried: {error}");
            let half = size.div_ceil(2);
            let second = requests.split_off(count.min(half));
            // All run, whatever comes of the first.
            let fine = [requests, second]
                .into_iter()
                .filter(|requests| !requests.is_empty())
                .map(|requests| {
                    let batch = Batch {
                        requests,
                        largest: half,
                        level: log::Level::Debug,
                    };
                    answer(shared, lane, batch, rows)
                })
                .fold(true, |fine, ran| fine & ran);
            if fine {
                shared.shrink_batches(half);
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

/// Runs the model on the images of `requests`, and on what is left of others up to `size`.
fn run(lane: &mut dyn Lane, requests: &[Request], size: usize, asked: Asked, rows: &mut [f32]) -> Result<()> {
    let mut slots = lane.pixels();
    for Request { pixels, .. } in requests {
        let (slot, rest) = slots.split_at_mut(pixels.len());
        slot.copy_from_slice(pixels);
        slots = rest;
    }
    lane.run(size, asked, rows)
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
