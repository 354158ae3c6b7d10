//! One call a batch: preprocess, run the model, softmax or normalise.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::{Duration, Instant};

use spark_classify_imaging::{DecodeOptions, ImageLimits, ImageSource, Scratch};

use super::embeddings::Embeddings;
use super::images::{on_images, BatchTimes, Pool};
use super::predictions::Predictions;
use super::probe::{Batches, OneByOne};
use super::runner::{infer, try_out, Runner};
use crate::engine::{Asked, Device, Engine, LoadOptions, Model, Outputs};
use crate::error::{Error, PredictionError, Result};
use crate::gpu::batcher::Batcher;
use crate::model::{Labels, ModelDirectory, OutputKind};
use crate::preprocess::{Preprocessor, SampleTable};

/// A tensor with more values than this (64 MiB, which is 340 images of 128 x 128 pixels) is given back to the system
/// after its batch. What waits in the pools is so bounded by the number of calls there have been at one time.
const MAX_KEPT_VALUES: usize = (64 << 20) / size_of::<f32>();

/// A loaded model with its preprocessing and labels.
///
/// One value is shared by all tasks of a process. [`classify`](Self::classify) may be called from several threads at
/// once; buffers come from a pool, so that there are as many sets as there have been concurrent calls.
pub struct Classifier {
    model: ModelDirectory,
    preprocessor: Preprocessor,
    /// What the model's numbers for classes mean.
    output_kind: OutputKind,
    /// What the model gives, where the directory's configuration says what it means.
    outputs: Outputs,
    engine: &'static str,
    runner: Runner,
    load_time: Duration,
    tensors: Pool<Vec<f32>>,
    /// [`Preprocessor`] bounds the size of each.
    scratches: Pool<Scratch>,
}

impl Classifier {
    /// Opens the model directory `dir` with an engine.
    ///
    /// # Errors
    /// Whatever [`ModelDirectory::open`] and [`Engine::load`] return; and when it gives neither classes that
    /// `config.json` has names for nor embeddings, the reason, mostly an [`Error::ModelField`] about the classes. A
    /// model that gives one of both is loaded, and whoever asks it for the other gets the reason then.
    pub fn load(engine: &dyn Engine, dir: &Path, options: &LoadOptions) -> Result<Self> {
        let start = Instant::now();
        let model = ModelDirectory::open(dir)?;
        let mut runner = match options.device.parse() {
            Ok(Device::Cuda(gpu)) => {
                let samples = SampleTable::new(model.preprocessor());
                let batch_size = NonZeroUsize::new(options.gpu.batch_size).unwrap_or(NonZeroUsize::MIN);
                Runner::Device(Batcher::start(
                    engine.load_on_gpu(&model, gpu, &samples, options)?,
                    batch_size,
                )?)
            }
            // An engine knows its own devices, and refuses the others.
            _ => Runner::Threads(engine.load(&model, options)?),
        };
        let mut outputs = runner.outputs();
        outputs.classes = check_classes(&model, &outputs, engine.name());
        outputs.all()?;
        let preprocessor = Preprocessor::new(model.preprocessor(), DecodeOptions::default());
        let preprocessor = if runner.channels() == 1 {
            preprocessor.grey()
        } else {
            preprocessor
        };
        let (output_kind, batches) = try_out(&model, &runner, &outputs, preprocessor.tensor_len())?;
        if batches == Batches::OneImage {
            runner = match runner {
                Runner::Threads(model) => Runner::Threads(Box::new(OneByOne(model))),
                // It tries what fails in halves, down to one image.
                device @ Runner::Device(_) => device,
            };
        }
        let load_time = start.elapsed();
        log::info!(
            "loaded {} with {} on {}: {}, {} ms",
            dir.display(),
            engine.name(),
            options.device,
            listed(&outputs),
            load_time.as_millis()
        );
        for note in model.notes() {
            log::info!("{}: {note}", dir.display());
        }
        Ok(Self {
            preprocessor,
            model,
            output_kind,
            outputs,
            engine: engine.name(),
            runner,
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
        self.preprocessor = self.preprocessor.with_options(options);
        self
    }

    /// The model directory.
    #[must_use]
    pub fn model(&self) -> &ModelDirectory {
        &self.model
    }

    /// The class names.
    ///
    /// # Errors
    /// Why the model gives no classes.
    pub fn labels(&self) -> Result<&Labels> {
        self.outputs.check(Asked::Classes)?;
        self.model.labels()
    }

    /// What the model's numbers for classes mean.
    #[must_use]
    pub fn output_kind(&self) -> OutputKind {
        self.output_kind
    }

    /// What the model gives for an image, or why it does not.
    #[must_use]
    pub fn outputs(&self) -> &Outputs {
        &self.outputs
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

    /// As [`classify_sources`](Self::classify_sources), for image files.
    ///
    /// # Errors
    /// As [`classify_sources`](Self::classify_sources).
    pub fn classify(
        &self,
        files: &[&[u8]],
        threads: NonZeroUsize,
        predictions: &mut Predictions,
    ) -> Result<BatchTimes> {
        let images: Vec<_> = files.iter().map(|file| ImageSource::File(file)).collect();
        self.classify_sources(&images, threads, predictions)
    }

    /// Classifies images and puts the results into `predictions`, in the same order.
    ///
    /// The work is done on this thread and `threads - 1` helpers, which live as long as the call. For preprocessing
    /// they take one image after the other; then each runs the model on parts of the batch.
    ///
    /// A bad image does not disturb the others: its result is a [`PredictionError`]. So is one
    /// for which the model gives numbers that have no probabilities, NaN for example. When no image is good, the model
    /// does not run.
    ///
    /// # Errors
    /// [`Error::Inference`] when the engine fails; [`Error::Internal`] when one of the threads panicked; and why the
    /// model gives no classes, where it gives embeddings alone. `predictions` is of no use then.
    pub fn classify_sources(
        &self,
        images: &[ImageSource<'_>],
        threads: NonZeroUsize,
        predictions: &mut Predictions,
    ) -> Result<BatchTimes> {
        self.run_sources(images, threads, Some(predictions), None)
    }

    /// As [`classify_sources`](Self::classify_sources), for the embeddings of images.
    ///
    /// # Errors
    /// As [`classify_sources`](Self::classify_sources).
    pub fn embed_sources(
        &self,
        images: &[ImageSource<'_>],
        threads: NonZeroUsize,
        embeddings: &mut Embeddings,
    ) -> Result<BatchTimes> {
        self.run_sources(images, threads, None, Some(embeddings))
    }

    /// As [`classify_sources`](Self::classify_sources), for whichever results there is a place for: each image is
    /// decoded and the model run on it once for all of them.
    ///
    /// # Errors
    /// As [`classify_sources`](Self::classify_sources).
    pub fn run_sources(
        &self,
        images: &[ImageSource<'_>],
        threads: NonZeroUsize,
        predictions: Option<&mut Predictions>,
        embeddings: Option<&mut Embeddings>,
    ) -> Result<BatchTimes> {
        let asked = match (&predictions, &embeddings) {
            (Some(_), Some(_)) => Asked::Both,
            (Some(_), None) => Asked::Classes,
            (None, Some(_)) => Asked::Embedding,
            (None, None) => return Ok(BatchTimes::default()),
        };
        self.outputs.check(asked)?;
        let mut outcomes = vec![Ok(()); images.len()];
        let (rows, mut times) = match &self.runner {
            Runner::Threads(model) => self.run_on_threads(&**model, images, threads, asked, &mut outcomes)?,
            Runner::Device(batcher) => self.run_on_device(batcher, images, threads, asked, &mut outcomes)?,
        };
        let start = Instant::now();
        let part = |part| {
            let columns = self.outputs.columns(part, asked);
            let width = columns.len();
            let rows = rows.chunks_exact(self.outputs.width(asked));
            (width, rows.map(move |row| &row[columns.clone()]))
        };
        if let Some(predictions) = predictions {
            let (classes, rows) = part(Asked::Classes);
            predictions.fill(classes, rows, &outcomes, self.output_kind);
        }
        if let Some(embeddings) = embeddings {
            let (width, rows) = part(Asked::Embedding);
            let normalize = self.model.embedding()?.normalize;
            embeddings.fill(width, rows, &outcomes, normalize);
        }
        if outcomes.iter().any(Result::is_ok) {
            times.inference += start.elapsed();
        }
        Ok(times)
    }

    /// Preprocesses the whole batch, then runs the model on its parts. Returns the rows of all images; those of bad
    /// ones are garbage.
    fn run_on_threads(
        &self,
        model: &dyn Model,
        images: &[ImageSource<'_>],
        threads: NonZeroUsize,
        asked: Asked,
        outcomes: &mut [Outcome],
    ) -> Result<(Vec<f32>, BatchTimes)> {
        let mut tensor = self.tensors.take();
        // Every slot is written by preprocessing, so that what an earlier batch left need not be cleared.
        let image_len = self.preprocessor.tensor_len();
        let length = images.len() * image_len;
        tensor
            .try_reserve_exact(length.saturating_sub(tensor.len()))
            .map_err(|_| Error::Argument {
                argument: "images",
                reason: format!("not enough memory for a batch of {}; use smaller batches", images.len()),
            })?;
        tensor.resize(length, 0.0);

        let slots = tensor.chunks_exact_mut(image_len);
        let work = images.iter().zip(slots).zip(&mut *outcomes);
        let mut times = on_images(
            &self.scratches,
            threads,
            images.len(),
            work,
            |((image, slot), outcome), scratch| {
                let stages = self.preprocessor.preprocess(*image, slot, scratch);
                stages.map_err(|error| *outcome = Err(error.into())).ok()
            },
        )?;
        let mut rows = vec![0.0; images.len() * self.outputs.width(asked)];
        if outcomes.iter().any(Result::is_ok) {
            times.inference = infer(model, &tensor, images.len(), threads, asked, &mut rows)?;
        }
        if tensor.capacity() <= MAX_KEPT_VALUES {
            self.tensors.put(tensor);
        }
        Ok((rows, times))
    }

    /// Hands each image over as soon as it is preprocessed, so that the device works on the first ones of the batch
    /// while the others are still being decoded.
    fn run_on_device(
        &self,
        batcher: &Batcher,
        images: &[ImageSource<'_>],
        threads: NonZeroUsize,
        asked: Asked,
        outcomes: &mut [Outcome],
    ) -> Result<(Vec<f32>, BatchTimes)> {
        let call = batcher.call(images.len(), asked);
        let work = images.iter().zip(outcomes).enumerate();
        let mut times = on_images(
            &self.scratches,
            threads,
            images.len(),
            work,
            |(place, (image, outcome)), scratch| {
                let mut pixels = batcher.buffer(self.preprocessor.tensor_len());
                match self.preprocessor.pixels(*image, &mut pixels, scratch) {
                    Ok(stages) => {
                        call.submit(place, pixels);
                        Some(stages)
                    }
                    Err(error) => {
                        batcher.recycle(pixels);
                        *outcome = Err(error.into());
                        None
                    }
                }
            },
        )?;
        let (rows, inference) = call.finish()?;
        times.inference = inference;
        Ok((rows, times))
    }
}

/// Whether an image has a row.
type Outcome = Result<(), PredictionError>;

/// The number of classes that the model gives, which must be those of `config.json`.
fn check_classes(model: &ModelDirectory, outputs: &Outputs, engine: &str) -> Result<usize> {
    let given = outputs.classes.clone()?;
    let labels = model.labels()?;
    if labels.len() != given {
        return Err(model.config_error(
            labels.field(),
            format!(
                "{}, but the {engine} model gives {given}; both must come from the same training",
                labels.announcement()
            ),
        ));
    }
    Ok(given)
}

/// What a model gives, for the log.
fn listed(outputs: &Outputs) -> String {
    let classes = outputs.classes.iter().map(|classes| format!("{classes} classes"));
    let embedding = outputs.embedding.iter().map(|width| format!("embeddings of {width}"));
    classes.chain(embedding).collect::<Vec<_>>().join(", ")
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier")
            .field("model", &self.model.path())
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}
