//! A model directory explained: what is done to an image, and which backend can use which file.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use spark_classify_core::{Classifier, ModelDirectory};

use crate::args::{Args, Model, Precision};
use crate::classes::printable;
use crate::engine;

/// What there is to try, by the precisions that a backend has on a CPU.
const WAYS: [(Model, Precision); 5] = [
    (Model::Onnx, Precision::Fp32),
    (Model::Onnx, Precision::Fp16),
    (Model::Onnx, Precision::Int8),
    (Model::Pytorch, Precision::Fp32),
    (Model::Pytorch, Precision::Bf16),
];

/// Prints what the directory says and whether each backend can load it, which is tried; returns whether one can.
///
/// # Errors
/// Those of a directory whose configuration cannot be used, and of writing.
pub(crate) fn check(args: &Args) -> Result<bool, Box<dyn Error + Send + Sync>> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", printable(&args.model.display().to_string()))?;
    let directory = ModelDirectory::open(&args.model)?;
    write!(stdout, "{directory}")?;
    writeln!(stdout, "Backends:")?;
    let mut usable = false;
    for (backend, precision) in WAYS {
        let args = Args {
            backend,
            precision,
            ..args.clone()
        };
        let found = load(&args, &directory);
        usable |= found.is_ok();
        let found = found.unwrap_or_else(|error| format!("no: {error}"));
        writeln!(
            stdout,
            "  {}, {}: {}",
            backend,
            args.load_options().precision.name(),
            printable(&found)
        )?;
    }
    let summary = if usable {
        "This directory can be used."
    } else {
        "No backend can use this directory."
    };
    writeln!(stdout, "{summary}")?;
    Ok(usable)
}

/// Loads the model, which tries it on made-up images, and says from which file.
fn load(args: &Args, directory: &ModelDirectory) -> Result<String, Box<dyn Error + Send + Sync>> {
    let engine = engine::open(args)?;
    let file = directory.model_file(engine.name(), args.precision.into())?;
    let classifier = Classifier::load(&*engine, directory.path(), &args.load_options())?;
    let name = file.strip_prefix(directory.path()).unwrap_or(&file);
    let mut found = format!("yes, with {}", name.display());
    if classifier.labels().is_ok() {
        write!(found, ", which gives {}", classifier.output_kind())?;
    }
    if let Ok(width) = classifier.outputs().embedding {
        write!(found, ", and an embedding of {width} numbers")?;
    }
    Ok(found)
}
