//! The command line.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, ValueEnum};
use spark_classify_core::{self as core, GpuOptions, LoadOptions};
use spark_classify_imaging::DecodeOptions;

/// Classifies images without Spark and says how fast that was.
#[derive(Debug, Clone, Parser)]
#[command(version)]
#[allow(clippy::struct_excessive_bools)] // each is a flag of the command line
pub(crate) struct Args {
    /// What to classify: a CSV file with a column `image_path` (and `actual_class`, `actual_class_id` where known), a
    /// directory, a glob pattern, or one image
    #[arg(long, value_name = "CSV|DIR|GLOB", required_unless_present = "check")]
    pub(crate) images: Option<String>,

    /// Where the relative paths of a CSV file start [default: the directory `all_images` beside the CSV file]
    #[arg(long, value_name = "DIR")]
    pub(crate) image_dir: Option<PathBuf>,

    /// The model directory
    #[arg(long, value_name = "DIR")]
    pub(crate) model: PathBuf,

    /// Explain the model directory instead: what is done to an image, and which backends can use it. Exit code 0: at
    /// least one can; 1: none
    #[arg(long, conflicts_with_all = ["images", "compare_precision", "compare_decode", "limit", "output", "json"])]
    pub(crate) check: bool,

    /// The inference engine
    #[arg(long, value_enum, default_value_t = Model::Pytorch)]
    pub(crate) backend: Model,

    /// Where the model runs: `cpu`, `cuda` or `cuda:N`
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,

    /// On a GPU: up to so many images, of all tasks together, are one run of the model
    #[arg(long, value_name = "N", default_value = "256")]
    pub(crate) gpu_batch_size: NonZeroUsize,

    /// On a GPU: allow matrix products in TF32
    #[arg(long)]
    pub(crate) tf32: bool,

    /// The numbers the model computes with
    #[arg(long, value_enum, default_value_t = Precision::Fp32)]
    pub(crate) precision: Precision,

    /// Let the code in a `TorchScript` file do more than compute: read and write files, reach other processes
    #[arg(long)]
    pub(crate) allow_all_operators: bool,

    /// Compare `--precision` with fp32: take turns in classifying all images `--repeat` times with each, and tell what
    /// each costs and where their results differ
    #[arg(long, conflicts_with_all = ["output", "limit", "compare_decode"])]
    pub(crate) compare_precision: bool,

    /// How JPEGs are decoded
    #[arg(long, value_enum, default_value_t = Decode::Exact)]
    pub(crate) decode: Decode,

    /// Turn images upright as their EXIF orientation says
    #[arg(long)]
    pub(crate) exif_transpose: bool,

    /// Compare both ways to decode JPEGs: take turns in classifying all images `--repeat` times with each, and tell
    /// what each costs and where their results differ
    #[arg(long, conflicts_with_all = ["decode", "output", "limit"])]
    pub(crate) compare_decode: bool,

    /// Images in one call
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) batch_size: NonZeroUsize,

    /// Tasks that classify batches of their own at the same time, with the same model
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) tasks: NonZeroUsize,

    /// Threads that one call may use, as with spark.task.cpus
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) threads: NonZeroUsize,

    /// How many times to classify all images
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) repeat: NonZeroUsize,

    /// Measure the limit instead: bare reading, preprocessing and inference, one share of the images a task, with
    /// nothing between; the first bad image ends the run
    #[arg(long, conflicts_with = "threads")]
    pub(crate) limit: bool,

    /// Where to write the predictions, as CSV
    #[arg(long, value_name = "CSV")]
    pub(crate) output: Option<PathBuf>,

    /// Where to write the report of the run as a page, NAME.html; NAME.json goes beside it
    #[arg(long, value_name = "HTML", value_parser = page, conflicts_with_all = ["check", "limit", "compare_precision", "compare_decode"])]
    pub(crate) report: Option<PathBuf>,

    /// The report of another run, in JSON, to compare this one with on the page
    #[arg(long, value_name = "JSON", requires = "report")]
    pub(crate) baseline: Option<PathBuf>,

    /// Print the report as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// The ONNX Runtime library, for the onnx backend
    #[arg(long, value_name = "libonnxruntime.so", env = "ORT_DYLIB_PATH")]
    pub(crate) onnxruntime: Option<PathBuf>,

    /// The options that were given and are not their default, with their values: none for a flag.
    #[arg(skip)]
    pub(crate) given: Vec<(String, String)>,
}

impl Args {
    /// The command line of this process, which ends where that is wrong.
    pub(crate) fn of_process() -> Self {
        let command = Self::command();
        let matches = command.clone().get_matches();
        let given = |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
        let options = command.get_arguments().filter(given).filter_map(|arg| {
            let values: Vec<_> = matches.get_raw(arg.get_id().as_str())?.collect();
            let value = if arg.get_action().takes_values() {
                values.first()?.to_str()?
            } else {
                ""
            };
            let is_default = values == arg.get_default_values();
            (!is_default).then(|| (format!("--{}", arg.get_long().unwrap_or_default()), value.to_owned()))
        });
        let given = options.collect();
        Self {
            given,
            ..Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
        }
    }

    /// What to classify.
    pub(crate) fn images(&self) -> &str {
        // The command line has them unless it asks for something that needs none.
        self.images.as_deref().unwrap_or_default()
    }

    /// What the command line says about loading the model.
    pub(crate) fn load_options(&self) -> LoadOptions {
        LoadOptions {
            device: self.device.clone(),
            precision: self.precision.into(),
            gpu: GpuOptions {
                batch_size: self.gpu_batch_size.get(),
                tf32: self.tf32,
                ..GpuOptions::default()
            },
            all_operators: self.allow_all_operators,
        }
    }

    /// What the command line says about decoding.
    pub(crate) fn decode_options(&self) -> DecodeOptions {
        DecodeOptions {
            exif_transpose: self.exif_transpose,
            fast: self.decode == Decode::Fast,
            ..DecodeOptions::default()
        }
    }
}

/// The name of a page. Another one could be that of the JSON beside it.
fn page(name: &str) -> Result<PathBuf, String> {
    if name.to_lowercase().ends_with(".html") {
        Ok(name.into())
    } else {
        Err("it does not end in .html".to_owned())
    }
}

/// The precisions by the names users give them in Spark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    /// What the model file says
    Fp32,
    /// bfloat16, with the pytorch backend on a CPU that has instructions for it
    Bf16,
    /// float16, with the onnx backend and a model file in it
    Fp16,
    /// 8-bit integers, with the onnx backend and model.int8.onnx
    Int8,
}

impl From<Precision> for core::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self::Fp32,
            Precision::Bf16 => Self::Bf16,
            Precision::Fp16 => Self::Fp16,
            Precision::Int8 => Self::Int8,
        }
    }
}

/// The ways to decode JPEGs by the names users give them in Spark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Decode {
    /// Whole, with Pillow's pixels
    Exact,
    /// At a half, a quarter or an eighth of their size where the model needs no more
    Fast,
}

/// The inference engines by the names users write in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    /// libtorch, runs model.pt
    Pytorch,
    /// ONNX Runtime, runs model.onnx
    Onnx,
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pytorch => "pytorch",
            Self::Onnx => "onnx",
        })
    }
}
