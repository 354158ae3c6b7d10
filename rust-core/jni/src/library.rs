//! The native methods of one library, behind the boundary.

use std::ffi::{c_void, OsString};
use std::io::{ErrorKind, Read};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use jni::objects::{JObject, JString};
use jni::Env;
use log::info;
use once_cell::sync::OnceCell;
use spark_classify_core::gpu::cuda;
use spark_classify_core::platform::files::{self, RegularFile};
use spark_classify_core::platform::{cpu, panics};
use spark_classify_core::{Asked, Classifier, Embeddings, Engine, Error, Hasher, ModelDirectory, Predictions, Result};
use spark_classify_report::Thumbnails;

use crate::exceptions::Failure;
use crate::exit::{self, Running};
use crate::handles::Handles;
use crate::java::Java;
use crate::report::WriteReport;
use crate::requests::{
    self, BuildInfo, Decode, EngineInfo, Initialize, ModelDescription, NeededFiles, OpenModel, OpenedModel,
};
use crate::{batch, buffers, logging, NativeCall, ABI};

/// Makes the engine of a library. The argument is the engine's own shared library as `initialize` got it.
pub type OpenEngine = fn(Option<&Path>) -> Result<Box<dyn Engine>>;

/// One native library: an engine, the models that it has loaded, and the files that are open. Each of its methods is
/// the body of the native method of the same name.
pub struct Library {
    backend: &'static str,
    open_engine: OpenEngine,
    engine: OnceCell<Box<dyn Engine>>,
    models: Handles<LoadedModel>,
    hasher: Hasher,
    files: Handles<RegularFile>,
}

struct LoadedModel {
    request: OpenModel,
    /// The path of its file in the model directory; none where the engine takes no file.
    file: Option<String>,
    classifier: Classifier,
}

impl Library {
    /// A library that carries the engine called `backend`, which `open_engine` makes at `initialize`.
    #[must_use]
    pub const fn new(backend: &'static str, open_engine: OpenEngine) -> Self {
        Self {
            backend,
            open_engine,
            engine: OnceCell::new(),
            models: Handles::new(),
            hasher: Hasher::new(),
            files: Handles::new(),
        }
    }

    /// Returns version, ABI and backend as JSON, a `java.lang.String`. Needs no `initialize`.
    pub fn build_info(&self, call: NativeCall<'_, 0>) -> *mut c_void {
        run_for_string(call, |_, []| {
            requests::render(&BuildInfo {
                version: env!("CARGO_PKG_VERSION"),
                abi: ABI,
                backend: self.backend,
            })
            .map_err(Failure::from)
        })
    }

    /// Connects logging and makes the engine. The object is the request, a JSON string; a call after the first
    /// successful one changes nothing but the log level.
    pub fn initialize(&self, call: NativeCall<'_, 1>) {
        call.run(|env, [request]| {
            // The hook before ours still prints to standard error, which an executor keeps.
            panics::remember_places();
            let level = Java::get(env)?.log_level(env)?;
            logging::install(level);
            let _running = Running::begin()?;
            let request: Initialize = requests::parse("request", &buffers::text(env, &request, "request")?)?;
            let engine = self
                .engine
                .get_or_try_init(|| (self.open_engine)(request.engine_library.as_deref()))?;
            info!("{} {} is ready", engine.name(), engine.version()?);
            exit::guard();
            Ok(())
        });
    }

    /// Returns the engine's version, its devices and the CPU's instruction set as JSON, a `java.lang.String`.
    pub fn engine_info(&self, call: NativeCall<'_, 0>) -> *mut c_void {
        run_for_string(call, |_, []| {
            let engine = self.engine()?;
            let document = requests::render(&EngineInfo {
                backend: self.backend,
                version: engine.version()?,
                devices: engine.devices(),
                no_gpu: cuda::driver().err(),
                instruction_set: cpu::instruction_set(),
            })?;
            Ok(document)
        })
    }

    /// Returns what is known of the open models as a JSON array, oldest first, a `java.lang.String`.
    pub fn models(&self, call: NativeCall<'_, 0>) -> *mut c_void {
        run_for_string(call, |_, []| {
            let open = self.models.all();
            let models: Vec<_> = open
                .iter()
                .map(|model| OpenedModel {
                    directory: &model.request.directory,
                    device: &model.request.device,
                    precision: model.request.precision,
                    backend: self.backend,
                    classes: model.classifier.outputs().classes.as_ref().ok().copied(),
                    embedding: model.classifier.outputs().embedding.as_ref().ok().copied(),
                })
                .collect();
            Ok(requests::render(&models)?)
        })
    }

    /// Returns the files of a model directory that are to be copied, a JSON array of their paths, a `java.lang.String`.
    /// The object is the request, a JSON string.
    pub fn needed_files(&self, call: NativeCall<'_, 1>) -> *mut c_void {
        run_for_string(call, |env, [request]| {
            let request: NeededFiles = requests::parse("request", &buffers::text(env, &request, "request")?)?;
            let needed = self
                .engine()?
                .needed_files(&request.copy, &request.listing, request.precision)?;
            Ok(requests::render(&needed)?)
        })
    }

    /// Loads a model and returns its handle. The object is the request, a JSON string. Whoever wants one model for many
    /// shares the handle.
    pub fn open_model(&self, call: NativeCall<'_, 1>) -> i64 {
        call.run(|env, [request]| {
            let request: OpenModel = requests::parse("request", &buffers::text(env, &request, "request")?)?;
            let engine = self.engine()?;
            let _running = Running::begin()?;
            let classifier = Classifier::load(engine, &request.directory, &request.load_options())?;
            exit::guard();
            let classifier = classifier.with_decode_options(request.decode.into());
            let file = model_file(&request, engine);
            Ok(self.models.open(LoadedModel {
                request,
                file,
                classifier,
            }))
        })
    }

    /// Returns labels, input size, load time and notes of a model as JSON, a `java.lang.String`.
    pub fn describe_model(&self, call: NativeCall<'_, 0>, handle: i64) -> *mut c_void {
        run_for_string(call, |_, []| {
            let model = self.models.get(handle)?;
            let classifier = &model.classifier;
            let outputs = classifier.outputs();
            let document = requests::render(&ModelDescription {
                backend: self.backend,
                file: model.file.as_deref(),
                labels: classifier
                    .labels()
                    .map(|labels| labels.iter().collect())
                    .unwrap_or_default(),
                no_classes: outputs.classes.as_ref().err().map(Error::to_string),
                embedding: outputs.width(Asked::Embedding),
                no_embedding: outputs.embedding.as_ref().err().map(Error::to_string),
                input: classifier.input_size(),
                load_millis: classifier.load_time().as_millis() as u64,
                notes: classifier.model().notes(),
            })?;
            Ok(document)
        })
    }

    /// Runs a model over a batch of images on `threads` threads for the `outputs` that are asked for, and returns the
    /// bytes written. The objects are the array of the images' buffers, that of their sizes, and the output buffer.
    pub fn classify(&self, call: NativeCall<'_, 3>, handle: i64, outputs: i32, threads: i32) -> i64 {
        call.run(|env, [images, sizes, mut output]| {
            let _running = Running::begin()?;
            let model = self.models.get(handle)?;
            let classifier = &model.classifier;
            let asked = batch::asked(outputs)?;
            classifier.outputs().check(asked)?;
            let widths = batch::Widths::of(classifier.outputs(), asked);
            let threads = number_of_threads(threads)?;
            let sizes = buffers::numbers(env, &sizes, "sizes")?;
            let (images, output) = buffers::images_and_output(env, &images, &mut output)?;
            let images = buffers::sources(&images, &sizes)?;
            batch::check_capacity(output.len(), images.len(), widths)?;

            let mut predictions = asked.classes().then(Predictions::new);
            let mut embeddings = asked.embedding().then(Embeddings::new);
            let times = classifier.run_sources(&images, threads, predictions.as_mut(), embeddings.as_mut())?;
            let mut writer = batch::Writer::new(output, images.len(), widths)?;
            if let Some(predictions) = &predictions {
                writer.predictions(predictions.iter());
            }
            if let Some(embeddings) = &embeddings {
                writer.embeddings(embeddings.iter());
            }
            Ok(writer.finish(&times) as i64)
        })
    }

    /// Hashes a batch of images on `threads` threads, without a model, and returns the bytes written. The objects are
    /// how images are decoded, a JSON string, the array of the images' buffers, that of their sizes, and the output
    /// buffer.
    pub fn hash(&self, call: NativeCall<'_, 4>, threads: i32) -> i64 {
        call.run(|env, [decode, images, sizes, mut output]| {
            let _running = Running::begin()?;
            let decode: Decode = requests::parse("decode", &buffers::text(env, &decode, "decode")?)?;
            let threads = number_of_threads(threads)?;
            let sizes = buffers::numbers(env, &sizes, "sizes")?;
            let (images, output) = buffers::images_and_output(env, &images, &mut output)?;
            let images = buffers::sources(&images, &sizes)?;
            let widths = batch::Widths::HASHES;
            batch::check_capacity(output.len(), images.len(), widths)?;

            let (results, times) = self.hasher.hash(&images, &decode.into(), threads)?;
            let mut writer = batch::Writer::new(output, images.len(), widths)?;
            writer.hashes(&results);
            Ok(writer.finish(&times) as i64)
        })
    }

    /// Returns the JPEG of a small picture of an image in base64, a `java.lang.String`; an empty one for what cannot be
    /// decoded. The object is the direct buffer with the image's file. Like [`Self::report`] it needs no `initialize`.
    pub fn thumbnail(&self, call: NativeCall<'_, 1>) -> *mut c_void {
        run_for_string(call, |env, [file]| {
            let file = buffers::memory(env, &file, "file")?;
            Ok(Thumbnails::jpeg(file).unwrap_or_default())
        })
    }

    /// Returns the report of a run, as JSON and as HTML, in a JSON document, a `java.lang.String`. The object is the
    /// request, a JSON string.
    pub fn report(&self, call: NativeCall<'_, 1>) -> *mut c_void {
        run_for_string(call, |env, [request]| {
            let request: WriteReport = requests::parse("request", &buffers::text(env, &request, "request")?)?;
            Ok(requests::render(&request.write()?)?)
        })
    }

    /// Forgets a model. Calls that are using it finish undisturbed.
    pub fn close_model(&self, call: NativeCall<'_, 0>, handle: i64) {
        call.run(|_, []| {
            let _running = Running::begin()?;
            Ok(self.models.close(handle)?)
        });
    }

    /// Opens a regular file for reading and returns its handle. The object is its name, a `byte[]`.
    ///
    /// Neither this nor the other methods about files use an engine, so they need no `initialize`, and a process that
    /// ends need not wait for a file system that does not answer.
    pub fn open_file(&self, call: NativeCall<'_, 1>) -> i64 {
        call.run(|env, [name]| {
            let name = OsString::from_vec(buffers::bytes(env, &name, "name")?);
            Ok(self.files.open(files::open(name.as_ref())?))
        })
    }

    /// Returns how many bytes a file had when it was opened.
    pub fn file_size(&self, call: NativeCall<'_, 0>, handle: i64) -> i64 {
        call.run(|_, []| Ok(self.files.get(handle)?.size as i64))
    }

    /// Reads the next bytes of a file into those from `from` to `to` of a buffer, the object, and returns how many; 0
    /// at the end of the file.
    pub fn read_file(&self, call: NativeCall<'_, 1>, handle: i64, from: i32, to: i32) -> i32 {
        call.run(|env, [mut buffer]| {
            let open = self.files.get(handle)?;
            let bytes = buffers::part(env, &mut buffer, (from, to))?;
            loop {
                match (&open.file).read(bytes) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    read => return Ok(read? as i32),
                }
            }
        })
    }

    /// Closes a file.
    pub fn close_file(&self, call: NativeCall<'_, 0>, handle: i64) {
        call.run(|_, []| Ok(self.files.close(handle)?));
    }

    fn engine(&self) -> Result<&dyn Engine> {
        self.engine.get().map(AsRef::as_ref).ok_or_else(|| Error::Argument {
            argument: "library",
            reason: "`initialize` has not been called".to_owned(),
        })
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Library")
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

fn model_file(request: &OpenModel, engine: &dyn Engine) -> Option<String> {
    let directory = ModelDirectory::open(&request.directory).ok()?;
    let file = directory.model_file(engine.name(), request.precision).ok()?;
    Some(file.strip_prefix(directory.path()).ok()?.display().to_string())
}

fn number_of_threads(threads: i32) -> Result<NonZeroUsize> {
    let number = usize::try_from(threads).ok().and_then(NonZeroUsize::new);
    number.ok_or_else(|| Error::Argument {
        argument: "threads",
        reason: format!("{threads} is less than 1"),
    })
}

/// Runs a native method that returns a `java.lang.String`: a local reference, or null with an exception pending.
fn run_for_string<'local, const N: usize>(
    call: NativeCall<'local, N>,
    body: impl FnOnce(&mut Env<'local>, [JObject<'local>; N]) -> Result<String, Failure>,
) -> *mut c_void {
    let string: JString<'local> = call.run(|env, objects| {
        let text = body(env, objects)?;
        Ok(JString::new(env, text)?)
    });
    string.into_raw().cast()
}
