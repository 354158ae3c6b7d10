//! Benchmarks the inference core without Spark: reads images, classifies them with a model directory, and tells how
//! fast it was and how often it was right.
//!
//! Exit code 0: all images were classified; 1: some could not be; 2: the benchmark could not run.

mod args;
mod confusion;
mod engine;
mod images;
mod output;
mod report;
mod run;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use spark_classify_core::{Classifier, LoadOptions};

use crate::args::Args;
use crate::report::Report;

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
fn bench(args: &Args) -> Result<usize, Box<dyn Error>> {
    let engine = engine::open(args)?;
    let start = Instant::now();
    let options = LoadOptions {
        device: args.device.clone(),
    };
    let classifier = Classifier::load(&*engine, &args.model, &options)?;
    let load = start.elapsed();

    let images = images::find(&args.images, args.image_dir.as_deref(), classifier.labels())?;
    let run = run::run(&classifier, &images, args)?;
    if let Some(path) = &args.output {
        output::write(path, &images, &run.predictions, classifier.labels())?;
    }

    let version = engine.version()?;
    let report = Report::new(args, &version, load, &images, &run, classifier.labels());
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
