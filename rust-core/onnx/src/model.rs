//! A model in ONNX Runtime and the session that runs it.

use std::path::PathBuf;

use ort::environment::Environment;
use ort::value::DynValue;
use spark_classify_core::engine::{check_len, Asked, Model, Outputs};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::ModelDirectory;

use crate::results::Results;
use crate::session::{Reason, Session};
use crate::signature::Signature;
use crate::ENGINE;

/// A loaded model. All callers share the session and so its weights.
#[derive(Debug)]
pub(crate) struct OnnxModel {
    session: Session,
    signature: Signature,
    results: Results,
}

impl OnnxModel {
    /// Loads the model file at `path`, checks that it fits the directory's configuration, and runs it once on an empty
    /// image: that shows how wide its outputs are, and finds a model that cannot run before a query does.
    pub(crate) fn load(environment: &Environment, path: PathBuf, directory: &ModelDirectory) -> Result<Self> {
        let load = || {
            let session = Session::open(environment, &path)?;
            let signature = Signature::of(session.inputs(), directory)?;
            let mut results = Results::of(session.outputs(), &path, directory);
            let batch = signature.batch.unwrap_or(1);
            let zeros = vec![0.0; batch * signature.image_len()];
            results
                .measure(&path, batch, |results, asked| {
                    infer(&session, &signature, results, batch, &zeros, asked)
                })
                .map_err(|cause| {
                    let shape = signature.shape(batch);
                    format!("the model cannot run on a tensor of shape {shape:?}: {cause}")
                })?;
            Ok(Self {
                session,
                signature,
                results,
            })
        };
        load().map_err(|reason| Error::ModelFile { path, reason })
    }

    fn run_all(&self, n: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<(), Reason> {
        let batch = self.signature.batch.unwrap_or(n);
        let image = self.signature.image_len();
        let width = self.results.outputs.width(asked);
        for (nchw, rows) in nchw.chunks(batch * image).zip(rows.chunks_mut(batch * width)) {
            if nchw.len() == batch * image {
                self.run_one(batch, nchw, asked, rows)?;
            } else {
                // The model takes `batch` images, no fewer: fill up with empty ones.
                let mut padded = vec![0.0; batch * image];
                padded[..nchw.len()].copy_from_slice(nchw);
                self.run_one(batch, &padded, asked, rows)?;
            }
        }
        Ok(())
    }

    /// Runs one batch; there may be fewer `rows` than images, the last of which then are padding.
    fn run_one(&self, batch: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<(), Reason> {
        let values = infer(&self.session, &self.signature, &self.results, batch, nchw, asked)?;
        self.results.write(asked, &values, batch, rows)
    }
}

impl Model for OnnxModel {
    fn outputs(&self) -> Outputs {
        self.results.outputs.clone()
    }

    fn channels(&self) -> usize {
        self.signature.channels
    }

    fn calls_probabilities(&self) -> bool {
        self.results.is_probabilities()
    }

    fn batch_multiple(&self) -> usize {
        self.signature.batch.unwrap_or(1)
    }

    fn run(&self, n: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<()> {
        check_len("nchw", nchw.len(), n * self.signature.image_len())?;
        check_len("rows", rows.len(), n * self.results.outputs.width(asked))?;
        self.run_all(n, nchw, asked, rows)
            .map_err(|reason| Error::Inference { engine: ENGINE, reason })
    }
}

/// Runs `session` on `batch` images for the outputs that are asked for.
fn infer(
    session: &Session,
    signature: &Signature,
    results: &Results,
    batch: usize,
    nchw: &[f32],
    asked: Asked,
) -> Result<Vec<DynValue>, Reason> {
    let input = signature.tensor(batch, nchw)?;
    session.run(&signature.input, &*input, &results.names(asked))
}
