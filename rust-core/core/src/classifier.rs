//! One call a batch: preprocess, run the model, softmax.

use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::backend::{Backend, Engine, LoadOptions};
use crate::error::{Error, ImageError, Result};
use crate::model::{Labels, ModelDirectory};
use crate::predictions::Predictions;
use crate::preprocess::{DecodeOptions, ImageLimits, Preprocessor, Scratch, StageTimes};

/// A loaded model with its preprocessing and labels.
///
/// One value is shared by all tasks of a process. [`classify`](Self::classify) may be called from several threads at
/// once; buffers come from a pool, so that there are as many sets as there have been concurrent calls.
pub struct Classifier {
    model: ModelDirectory,
    preprocessor: Preprocessor,
    engine: &'static str,
    backend: Box<dyn Backend>,
    threads: usize,
    load_time: Duration,
    tensors: Pool<Vec<f32>>,
    scratches: Pool<Scratch>,
}

/// How long the stages of one batch took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BatchTimes {
    /// Decoding, summed over the images, whichever thread did them.
    pub decode: Duration,
    /// Resizing, cropping and normalising, summed like `decode`.
    pub resize: Duration,
    /// The model's run and softmax.
    pub inference: Duration,
}

impl Classifier {
    /// Opens the model directory `dir` with an engine.
    ///
    /// # Errors
    /// Whatever [`ModelDirectory::open`] and [`Engine::load`] return; [`Error::ModelField`] when the model has not
    /// as many classes as `config.json` names.
    pub fn load(engine: &dyn Engine, dir: &Path, options: &LoadOptions) -> Result<Self> {
        let start = Instant::now();
        let model = ModelDirectory::open(dir)?;
        let backend = engine.load(&model, options)?;
        let (named, given) = (model.labels().len(), backend.classes());
        if named != given {
            return Err(model.label_error(format!(
                "names {named} classes, but the {} model gives {given}; both must come from the same training",
                engine.name()
            )));
        }
        let load_time = start.elapsed();
        log::info!(
            "loaded {} with {}: {named} classes, {} ms",
            dir.display(),
            engine.name(),
            load_time.as_millis()
        );
        Ok(Self {
            preprocessor: Preprocessor::new(model.preprocessor(), DecodeOptions::default()),
            model,
            engine: engine.name(),
            backend,
            threads: options.threads.get(),
            load_time,
            tensors: Pool::default(),
            scratches: Pool::default(),
        })
    }

    /// Replaces the limits for images, which are [`ImageLimits::default`] at first; the other options are off.
    #[must_use]
    pub fn with_limits(self, limits: ImageLimits) -> Self {
        self.with_decode_options(limits.into())
    }

    /// Replaces the options for decoding, which are [`DecodeOptions::default`] at first.
    #[must_use]
    pub fn with_decode_options(mut self, options: DecodeOptions) -> Self {
        self.preprocessor = Preprocessor::new(self.model.preprocessor(), options);
        self
    }

    /// The model directory.
    #[must_use]
    pub fn model(&self) -> &ModelDirectory {
        &self.model
    }

    /// The class names.
    #[must_use]
    pub fn labels(&self) -> &Labels {
        self.model.labels()
    }

    /// Height and width of the model's input, in pixels.
    #[must_use]
    pub fn input_size(&self) -> (usize, usize) {
        self.model.input_size()
    }

    /// The engine's name: `onnx` or `pytorch`.
    #[must_use]
    pub fn engine(&self) -> &'static str {
        self.engine
    }

    /// How long [`load`](Self::load) took.
    #[must_use]
    pub fn load_time(&self) -> Duration {
        self.load_time
    }

    /// Classifies compressed images and puts the results into `predictions`, in the same order.
    ///
    /// A bad image does not disturb the others: its result is an [`ImageError`]. When no image is good, the model
    /// does not run.
    ///
    /// # Errors
    /// [`Error::Inference`] when the engine fails or returns logits that have no probabilities;
    /// [`Error::Internal`] when preprocessing panicked. `predictions` is of no use then.
    pub fn classify(&self, images: &[&[u8]], predictions: &mut Predictions) -> Result<BatchTimes> {
        predictions.reset(images.len(), self.backend.classes());
        let mut tensor = self.tensors.take();
        // Every slot is written by preprocessing, so that what an earlier batch left need not be cleared.
        let length = images.len() * self.preprocessor.tensor_len();
        tensor
            .try_reserve_exact(length.saturating_sub(tensor.len()))
            .map_err(|_| Error::Argument {
                argument: "images",
                reason: format!("not enough memory for a batch of {}; use smaller batches", images.len()),
            })?;
        tensor.resize(length, 0.0);

        let stages = self.preprocess(images, &mut tensor, &mut predictions.outcomes)?;
        let start = Instant::now();
        if predictions.outcomes.iter().any(Result::is_ok) {
            self.backend.run(images.len(), &tensor, &mut predictions.values)?;
            predictions.softmax().map_err(|index| Error::Inference {
                engine: self.engine,
                reason: format!("the logits of image {index} of the batch are not finite numbers"),
            })?;
        }
        let inference = start.elapsed();
        self.tensors.put(tensor);
        Ok(BatchTimes {
            decode: stages.decode,
            resize: stages.resize,
            inference,
        })
    }

    /// Fills the slots of the batch's tensor, on this thread and, where several are allowed, on scoped ones.
    fn preprocess(
        &self,
        images: &[&[u8]],
        tensor: &mut [f32],
        outcomes: &mut [Result<(), ImageError>],
    ) -> Result<StageTimes> {
        let slots = tensor.chunks_exact_mut(self.preprocessor.tensor_len());
        // Handing out one image after the other balances the load, whatever their sizes.
        let work = Mutex::new(images.iter().zip(slots).zip(outcomes));
        let work_off = || {
            let mut scratch = self.scratches.take();
            let mut times = StageTimes::default();
            loop {
                let next = lock(&work).next();
                let Some(((image, slot), outcome)) = next else {
                    break;
                };
                match self.preprocessor.preprocess(image, slot, &mut scratch) {
                    Ok(stages) => {
                        times.decode += stages.decode;
                        times.resize += stages.resize;
                    }
                    Err(error) => *outcome = Err(error),
                }
            }
            self.scratches.put(scratch);
            times
        };
        // A panic stays within its thread and becomes an error here.
        let guarded = || catch_unwind(AssertUnwindSafe(work_off));
        let finished = thread::scope(|scope| {
            // Where the system has no thread to give, the others do its share.
            let helpers: Vec<_> = (1..self.threads.min(images.len()))
                .filter_map(|_| thread::Builder::new().spawn_scoped(scope, guarded).ok())
                .collect();
            let mut finished = vec![guarded()];
            finished.extend(
                helpers
                    .into_iter()
                    .map(|helper| helper.join().and_then(|result| result)),
            );
            finished
        });
        let mut total = StageTimes::default();
        for result in finished {
            let times =
                result.map_err(|panic| Error::Internal(format!("preprocessing panicked: {}", text(&*panic))))?;
            total.decode += times.decode;
            total.resize += times.resize;
        }
        Ok(total)
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier")
            .field("model", &self.model.path())
            .field("engine", &self.engine)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// Buffers waiting for their next use.
struct Pool<T>(Mutex<Vec<T>>);

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T: Default> Pool<T> {
    fn take(&self) -> T {
        lock(&self.0).pop().unwrap_or_default()
    }

    fn put(&self, buffer: T) {
        lock(&self.0).push(buffer);
    }
}

/// Nothing is ever half done under these locks, so a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message of a panic.
fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
