//! A model that an engine has loaded.

use super::outputs::{Asked, Outputs};
use crate::error::Error;

/// A model loaded into an inference engine, ready to run.
///
/// One value with one copy of the weights is shared by every task of an executor, so `run` takes `&self` and may be
/// called from several threads at once.
pub trait Model: Send + Sync {
    /// What the model gives, and how many values of it, as the model itself gives it.
    fn outputs(&self) -> Outputs;

    /// The number of classes; 0 for a model that gives none.
    fn classes(&self) -> usize {
        self.outputs().width(Asked::Classes)
    }

    /// The channels of the images that it takes: 3, or 1 for grey ones.
    fn channels(&self) -> usize {
        3
    }

    /// Whether the model file itself calls its result probabilities, as the name of an ONNX model's output can.
    fn calls_probabilities(&self) -> bool {
        false
    }

    /// How many images the model takes at once: it runs best on a multiple of this number. 1 where it does not care.
    fn batch_multiple(&self) -> usize {
        1
    }

    /// Runs the model over a batch, on the calling thread alone: who has several cores makes several calls at once.
    ///
    /// * `n`: images in the batch, at least 1.
    /// * `nchw`: the input tensor, `n * channels * height * width` values, row-major, RGB channel order.
    /// * `asked`: which of its [`outputs`](Self::outputs) the model is to give, and no other.
    /// * `rows`: where the results go, row-major, for each image the values that [`Outputs::width`] counts: logits
    ///   before softmax, then the embedding before normalising.
    ///
    /// # Errors
    /// [`Error::Inference`] when the engine fails or returns other shapes than at loading.
    fn run(&self, n: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<(), Error>;
}

/// A model in the memory of a device, which takes pixels and normalises them there: they are a quarter of the size of
/// the tensor that they become.
///
/// [`Classifier`](crate::Classifier) gathers the images of all tasks into batches for it.
pub trait DeviceModel: Send + Sync {
    /// What the model gives, and how many values of it, as the model itself gives it.
    fn outputs(&self) -> Outputs;

    /// The number of classes; 0 for a model that gives none.
    fn classes(&self) -> usize {
        self.outputs().width(Asked::Classes)
    }

    /// The channels of the images that it takes: 3, or 1 for grey ones.
    fn channels(&self) -> usize {
        3
    }

    /// Whether the model file itself calls its result probabilities, as the name of an ONNX model's output can.
    fn calls_probabilities(&self) -> bool {
        false
    }

    /// How many images the model takes at once: it runs best on a multiple of this number. 1 where it does not care.
    fn batch_multiple(&self) -> usize {
        1
    }

    /// The numbers of images that runs of at most `largest` images should have, in ascending order, where engines
    /// prepare a plan for each number: batches are filled up to one of these. Empty where any number will do.
    fn run_sizes(&self, largest: usize) -> Vec<usize> {
        let _ = largest;
        Vec::new()
    }

    /// A way to run the model, with memory for up to `images` images, for the thread that asks. Several lanes run at
    /// the same time: while one computes, another one can copy.
    ///
    /// # Errors
    /// [`Error::Inference`] when there is no memory for it, on the device or page-locked on the host.
    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>, Error>;
}

/// One of the ways to run a [`DeviceModel`]. It belongs to the thread that made it.
pub trait Lane {
    /// Where the pixels of the next run go: `images * channels * height * width` bytes, row-major, in the order of the
    /// planes of the tensor. It is memory that the device copies from quickly.
    fn pixels(&mut self) -> &mut [u8];

    /// Normalises the first `n` images of [`pixels`](Self::pixels) and runs the model on them, and returns when the
    /// result is there.
    ///
    /// * `n`: images in the batch, at least 1.
    /// * `asked`, `rows`: as for [`Model::run`].
    ///
    /// # Errors
    /// [`Error::Inference`] when the engine fails, out of memory or not, or returns other shapes than at loading.
    fn run(&mut self, n: usize, asked: Asked, rows: &mut [f32]) -> Result<(), Error>;
}

/// Checks the length of a buffer that [`Model::run`] was given.
///
/// # Errors
/// [`Error::Argument`] naming `argument` and both lengths when `actual` is not `expected`.
pub fn check_len(argument: &'static str, actual: usize, expected: usize) -> Result<(), Error> {
    if actual == expected {
        return Ok(());
    }
    Err(Error::Argument {
        argument,
        reason: format!("has {actual} values, expected {expected}"),
    })
}
