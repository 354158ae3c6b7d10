//! The report of a run as a page, with its twin in JSON.

use std::collections::HashMap;
use std::error::Error;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use spark_classify_core::model::Labels;
use spark_classify_core::platform::files;
use spark_classify_core::{ModelDirectory, Precision};
use spark_classify_report::{Collector, Head, Outcome, Report, Step, Thumbnails};

use crate::args::Args;
use crate::classes::unique_names;
use crate::images::Image;
use crate::run::Run;

/// Reads the report that `--baseline` names.
///
/// # Errors
/// A message that names the file.
pub(crate) fn baseline(args: &Args) -> Result<Option<Report>, String> {
    let read = |path: &Path| {
        let json = fs::read(path).map_err(|cause| named(path, &cause))?;
        Report::from_json(&json).map_err(|cause| named(path, &cause))
    };
    args.baseline.as_deref().map(read).transpose()
}

/// What the run found. `head` says how it was made.
pub(crate) fn found(head: Head, images: &[Image], run: &Run, labels: &Labels) -> Report {
    let mut collector = Collector::default();
    for (image, outcome) in images.iter().zip(&run.predictions) {
        match outcome {
            Ok(predicted) => collector.push(
                &image.name,
                image.actual.map(|actual| actual.class(predicted.class_id, labels)),
                Outcome::Predicted {
                    class_id: predicted.class_id,
                    confidence: predicted.confidence,
                    probabilities: &predicted.probabilities,
                },
            ),
            Err(bad) => collector.push(
                &image.name,
                None,
                Outcome::Bad {
                    condition: bad.condition,
                    reason: &bad.reason,
                },
            ),
        }
    }
    Report::new(collector.finish(head, unique_names(labels)))
}

/// Writes the page `path` and, with the extension `json`, its twin.
///
/// # Errors
/// A message that names the file.
pub(crate) fn write(
    path: &Path,
    report: &Report,
    baseline: Option<&Report>,
    images: &[Image],
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let thumbnails = thumbnails(report, images);
    let json = path.with_extension("json");
    fs::write(&json, report.to_json()?).map_err(|cause| named(&json, &cause))?;
    fs::write(path, report.page(&thumbnails, baseline)).map_err(|cause| named(path, &cause))?;
    Ok(())
}

fn named(path: &Path, cause: &dyn Display) -> String {
    format!("{}: {cause}", path.display())
}

/// How the run was made.
///
/// # Errors
/// A message that names the model's file, which is read for its hash.
pub(crate) fn head(args: &Args, engine_version: &str, run: &Run) -> Result<Head, Box<dyn Error + Send + Sync>> {
    let precision = Precision::from(args.precision);
    let backend = args.backend.to_string();
    let file = ModelDirectory::open(&args.model)?.model_file(&backend, precision)?;
    let mut hash = Sha256::new();
    files::open(&file)
        .and_then(|mut open| io::copy(&mut open.file, &mut hash))
        .map_err(|cause| named(&file, &cause))?;
    let passes = args.repeat.get() as f64;
    let step = |name: &str, time: Duration| Step {
        name: name.to_owned(),
        seconds: time.as_secs_f64() / passes,
    };
    // The others stand in the report elsewhere, or say where things go.
    let others = [
        "--images",
        "--image-dir",
        "--model",
        "--backend",
        "--device",
        "--precision",
        "--report",
        "--baseline",
        "--output",
        "--json",
        "--onnxruntime",
    ];
    let given = args.given.iter();
    let configuration = given
        .filter(|(name, _)| !others.contains(&name.as_str()))
        .cloned()
        .collect();
    let seconds = run.wall.as_secs_f64();
    let started = Timestamp::now() - Duration::from_secs(seconds.round() as u64);
    Ok(Head {
        model: args.model.display().to_string(),
        model_sha256: Some(format!("{:x}", hash.finalize())),
        device: args.device.clone(),
        precision: precision.name().to_owned(),
        versions: vec![
            ("classify-bench".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            (backend.clone(), engine_version.to_owned()),
        ],
        backend,
        configuration,
        started: format!("{started:.0}"),
        // Of one pass, as the images are counted once.
        seconds: seconds / passes,
        steps: vec![
            step("read", run.stages.read),
            step("decode", run.stages.times.decode),
            step("resize", run.stages.times.resize),
            step("inference", run.stages.times.inference),
        ],
    })
}

fn thumbnails(report: &Report, images: &[Image]) -> Thumbnails {
    let paths: HashMap<_, _> = images.iter().map(|image| (&image.name, &image.path)).collect();
    let mut thumbnails = Thumbnails::default();
    // Most samples stand in several lists.
    for (name, path) in report
        .samples
        .iter()
        .filter_map(|sample| paths.get_key_value(&sample.path))
    {
        if thumbnails.wants(name) {
            // An image that has gone meanwhile is shown without its picture.
            if let Ok(file) = files::read(path) {
                thumbnails.add(name, &file);
            }
        }
    }
    thumbnails
}
