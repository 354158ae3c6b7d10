//! Benchmarks the inference core without Spark: reads images, classifies them with a model directory, and says how
//! fast it was and how often it was right.
//!
//! Exit code 0: all images were classified; 1: some could not be; 2: the benchmark could not run. With `--check` 0: a
//! backend can use the model directory; 1: none can.

mod args;
mod check;
mod classes;
mod compare;
mod engine;
mod images;
mod limit;
mod output;
mod page;
mod report;
mod run;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use spark_classify_core::model::Labels;
use spark_classify_core::{Classifier, Engine};
use spark_classify_report::Head;

use crate::args::{Args, Decode, Precision};
use crate::classes::printable;
use crate::compare::{Comparison, Subject};
use crate::images::Image;
use crate::limit::Bare;
use crate::report::Report;
use crate::run::Run;

fn main() -> ExitCode {
    let args = Args::of_process();
    match bench(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            // Where stderr itself is gone, the exit code still says so.
            let _ = writeln!(io::stderr(), "classify-bench: {}", printable(&error.to_string()));
            // A directory that cannot be used is what a check is there to find.
            ExitCode::from(if args.check { 1 } else { 2 })
        }
    }
}

/// Runs the benchmark, prints the report and returns the number of bad images, or of bad directories.
fn bench(args: &Args) -> Result<usize, Box<dyn Error + Send + Sync>> {
    if args.check {
        return Ok(usize::from(!check::check(args)?));
    }
    let engine = engine::open(args)?;
    if args.compare_decode {
        let exact = Args {
            decode: Decode::Exact,
            ..args.clone()
        };
        let fast = Args {
            decode: Decode::Fast,
            ..args.clone()
        };
        return compare(Subject::Decode, &exact, &fast, &*engine);
    }
    if args.compare_precision {
        if args.precision == Precision::Fp32 {
            return Err("--compare-precision compares another precision with fp32: choose it with --precision".into());
        }
        let exact = Args {
            precision: Precision::Fp32,
            ..args.clone()
        };
        return compare(Subject::Precision(args.precision.into()), &exact, args, &*engine);
    }
    let start = Instant::now();
    if args.limit {
        let bare = Bare::load(&*engine, args)?;
        let load = start.elapsed();
        measure(args, &*engine, load, bare.labels()?, |images| bare.run(images, args))
    } else {
        let classifier = load(args, &*engine)?;
        let load = start.elapsed();
        measure(args, &*engine, load, classifier.labels()?, |images| {
            Ok(run::run(&classifier, images, args)?)
        })
    }
}

/// Finds the images, runs them and reports the result.
fn measure(
    args: &Args,
    engine: &dyn Engine,
    load: Duration,
    labels: &Labels,
    run: impl FnOnce(&[Image]) -> Result<Run, Box<dyn Error + Send + Sync>>,
) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let images = images::find(args.images(), args.image_dir.as_deref(), labels)?;
    // Before the run, which a baseline that cannot be read would else cost.
    let baseline = page::baseline(args)?;
    let run = run(&images)?;
    if let Some(path) = &args.output {
        output::write(path, &images, &run.predictions, labels)?;
    }
    let version = engine.version()?;
    let found = if let Some(path) = &args.report {
        let found = page::found(page::head(args, &version, &run)?, &images, &run, labels);
        page::write(path, &found, baseline.as_ref(), &images)?;
        found
    } else {
        page::found(Head::default(), &images, &run, labels)
    };
    let labelled = found.figures.labelled.as_ref();

    let report = Report::new(args, &version, load, &images, &run, labels, labelled);
    let mut stdout = io::stdout().lock();
    if args.json {
        writeln!(stdout, "{:#}", report.to_json())?;
    } else {
        write!(stdout, "{report}")?;
    }
    let mut stderr = io::stderr().lock();
    for (path, reason) in report.bad_images() {
        writeln!(stderr, "{}", printable(&format!("{path}: {reason}")))?;
    }
    Ok(report.bad_images().len())
}

/// Compares the `fast` way with the `exact` one, prints the comparison and returns the number of bad images.
fn compare(
    subject: Subject,
    exact: &Args,
    fast: &Args,
    engine: &dyn Engine,
) -> Result<usize, Box<dyn Error + Send + Sync>> {
    let classifiers = [load(exact, engine)?, load(fast, engine)?];
    let images = images::find(exact.images(), exact.image_dir.as_deref(), classifiers[0].labels()?)?;
    let comparison = Comparison::run(subject, &classifiers[0], &classifiers[1], &images, exact)?;
    let mut stdout = io::stdout().lock();
    if exact.json {
        writeln!(stdout, "{:#}", comparison.to_json())?;
    } else {
        write!(stdout, "{comparison}")?;
    }
    Ok(comparison.bad_images())
}

fn load(args: &Args, engine: &dyn Engine) -> Result<Classifier, spark_classify_core::Error> {
    let classifier = Classifier::load(engine, &args.model, &args.load_options())?;
    Ok(classifier.with_decode_options(args.decode_options()))
}
