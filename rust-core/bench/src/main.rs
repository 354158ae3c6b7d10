//! Benchmarks the inference core without Spark: reads images, classifies them with a model directory, and tells how
//! fast it was and how often it was right.
//!
//! Exit code 0: all images were classified; 1: some could not be; 2: the benchmark could not run.

mod args;
mod confusion;
mod engine;
mod images;
mod limit;
mod output;
mod report;
mod run;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use spark_classify_core::model::Labels;
use spark_classify_core::{Classifier, Engine, LoadOptions};

use crate::args::Args;
use crate::images::Image;
use crate::limit::Bare;
use crate::report::Report;
use crate::run::Run;

fn main() -> ExitCode {
    match bench(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Where stderr itself is gone, the exit code still tells.
            let _ = writeln!(io::stderr(), "classify-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the benchmark, prints the report and returns the number of bad images.
fn bench(args: &Args) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let engine = engine::open(args)?;
    let options = LoadOptions {
        device: args.device.clone(),
    };
    let start = Instant::now();
    if args.limit {
        let bare = Bare::load(&*engine, &args.model, &options)?;
        let load = start.elapsed();
        measure(args, &*engine, load, bare.labels(), |images| bare.run(images, args))
    } else {
        let classifier = Classifier::load(&*engine, &args.model, &options)?;
        let load = start.elapsed();
        measure(args, &*engine, load, classifier.labels(), |images| {
            Ok(run::run(&classifier, images, args)?)
        })
    }
}

/// Finds the images, runs them and tells the result.
fn measure(
    args: &Args,
    engine: &dyn Engine,
    load: Duration,
    labels: &Labels,
    run: impl FnOnce(&[Image]) -> Result<Run, Box<dyn Error + Send + Sync>>,
) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let images = images::find(&args.images, args.image_dir.as_deref(), labels)?;
    let run = run(&images)?;
    if let Some(path) = &args.output {
        output::write(path, &images, &run.predictions, labels)?;
    }

    let version = engine.version()?;
    let report = Report::new(args, &version, load, &images, &run, labels);
    let mut stdout = io::stdout().lock();
    if args.json {
        writeln!(stdout, "{:#}", report.to_json())?;
    } else {
        write!(stdout, "{report}")?;
    }
    let mut stderr = io::stderr().lock();
    for (path, reason) in report.bad_images() {
        writeln!(stderr, "{path}: {reason}")?;
    }
    Ok(report.bad_images().len())
}
