//! What one caller asks of a batcher, and the answers that it gets.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::queue::{Caller, Queue};
use crate::engine::Asked;
use crate::error::{Error, Result};
use crate::platform::threads::lock;

/// The images of one caller, which its threads submit as they have them. When it is dropped, what waits is cancelled.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    queue: &'a Queue<Request>,
    caller: Caller,
    answers: Arc<Answers>,
}

/// An image on its way to the device and back. It is answered once, by [`answer`](Self::answer) or by being dropped.
#[derive(Debug)]
pub(super) struct Request {
    /// The slot of the image in a lane's pixels.
    pub(super) pixels: Vec<u8>,
    /// Which of its caller's images it is.
    place: usize,
    /// What its caller asks for.
    pub(super) asked: Asked,
    answers: Arc<Answers>,
    answered: bool,
}

#[derive(Debug)]
struct Answers {
    state: Mutex<State>,
    /// Nothing is outstanding any more.
    complete: Condvar,
    asked: Asked,
    /// Of a row.
    width: usize,
}

#[derive(Debug)]
struct State {
    outstanding: usize,
    /// Images x width, row-major.
    rows: Vec<f32>,
    /// The first one; the others are about the same.
    error: Option<Error>,
    /// The share of these images in the time of the runs they were part of.
    inference: Duration,
}

impl<'a> Call<'a> {
    /// A call for `images` images, of which `asked` is wanted: `width` values for each.
    pub(super) fn new(queue: &'a Queue<Request>, images: usize, asked: Asked, width: usize) -> Self {
        Self {
            queue,
            caller: queue.caller(),
            answers: Arc::new(Answers {
                state: Mutex::new(State {
                    outstanding: 0,
                    rows: vec![0.0; images * width],
                    error: None,
                    inference: Duration::ZERO,
                }),
                complete: Condvar::new(),
                asked,
                width,
            }),
        }
    }

    /// Asks for the row of the image whose place is `place`. Waits while too many of this call wait already.
    pub(crate) fn submit(&self, place: usize, pixels: Vec<u8>) {
        lock(&self.answers.state).outstanding += 1;
        let request = Request {
            pixels,
            place,
            asked: self.answers.asked,
            answers: Arc::clone(&self.answers),
            answered: false,
        };
        // The queue is closed when its batcher goes, which this call borrows from. A request that comes back is
        // dropped, and so answered.
        drop(self.queue.put(self.caller, request));
    }

    /// Waits for all answers. Returns the rows, one after the other, zero for images that were not submitted, and the
    /// share of the images in the time of the model's runs.
    ///
    /// # Errors
    /// The first one that an image got.
    pub(crate) fn finish(self) -> Result<(Vec<f32>, Duration)> {
        let state = lock(&self.answers.state);
        let mut state = self
            .answers
            .complete
            .wait_while(state, |state| state.outstanding > 0)
            .unwrap_or_else(PoisonError::into_inner);
        match state.error.take() {
            Some(error) => Err(error),
            None => Ok((std::mem::take(&mut state.rows), state.inference)),
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.queue.cancel(self.caller);
    }
}

impl Request {
    /// Gives the image its row, or the reason why there are none, and returns its buffer. `inference` is its share
    /// in the time of the run.
    pub(super) fn answer(mut self, result: Result<&[f32], Error>, inference: Duration) -> Vec<u8> {
        self.settle(result, inference);
        std::mem::take(&mut self.pixels)
    }

    fn settle(&mut self, result: Result<&[f32], Error>, inference: Duration) {
        self.answered = true;
        let mut state = lock(&self.answers.state);
        match result {
            Ok(row) => {
                let width = self.answers.width;
                state.rows[self.place * width..][..width].copy_from_slice(row);
            }
            Err(error) => {
                state.error.get_or_insert(error);
            }
        }
        state.inference += inference;
        state.outstanding -= 1;
        if state.outstanding == 0 {
            self.answers.complete.notify_all();
        }
    }
}

impl Drop for Request {
    /// Nobody waits for ever: a request that gets lost, in a panic say, is answered with an error.
    fn drop(&mut self) {
        if !self.answered {
            let lost = Error::Internal("an image was lost on its way to the device".to_owned());
            self.settle(Err(lost), Duration::ZERO);
        }
    }
}
