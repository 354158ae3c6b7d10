//! A model in ONNX Runtime and the session that runs it.

use std::path::PathBuf;

use ort::environment::Environment;
use spark_classify_core::engine::{check_len, Model};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::ModelDirectory;

use crate::outputs::Rows;
use crate::session::{Reason, Session};
use crate::signature::Signature;
use crate::ENGINE;

/// A loaded model. All callers share the session and so its weights.
#[derive(Debug)]
pub(crate) struct OnnxModel {
    session: Session,
    signature: Signature,
    classes: usize,
}

impl OnnxModel {
    /// Loads the model file at `path`, checks that it fits the directory's configuration, and runs it once on an empty
    /// image: that shows the number of classes, and finds a model that cannot run before a query does.
    pub(crate) fn load(environment: &Environment, path: PathBuf, directory: &ModelDirectory) -> Result<Self> {
        let load = || {
            let session = Session::open(environment, &path)?;
            let signature = Signature::of(session.inputs(), session.outputs(), directory)?;
            let classes = count_classes(&session, &signature)?;
            Ok(Self {
                session,
                signature,
                classes,
            })
        };
        load().map_err(|reason| Error::ModelFile { path, reason })
    }

    fn run_all(&self, n: usize, nchw: &[f32], logits: &mut [f32]) -> Result<(), Reason> {
        let batch = self.signature.batch.unwrap_or(n);
        let image = self.signature.image_len();
        for (nchw, logits) in nchw.chunks(batch * image).zip(logits.chunks_mut(batch * self.classes)) {
            if nchw.len() == batch * image {
                self.run_one(batch, nchw, logits)?;
            } else {
                // The model takes `batch` images, no fewer: fill up with empty ones.
                let mut padded = vec![0.0; batch * image];
                padded[..nchw.len()].copy_from_slice(nchw);
                self.run_one(batch, &padded, logits)?;
            }
        }
        Ok(())
    }

    /// Runs one batch; `logits` may be shorter than the result, whose end then belongs to padding.
    fn run_one(&self, batch: usize, nchw: &[f32], logits: &mut [f32]) -> Result<(), Reason> {
        infer(&self.session, &self.signature, batch, nchw, |rows| {
            rows.check_width(self.classes)?;
            logits.copy_from_slice(&rows.values[..logits.len()]);
            Ok(())
        })
    }
}

impl Model for OnnxModel {
    fn classes(&self) -> usize {
        self.classes
    }

    fn calls_probabilities(&self) -> bool {
        self.signature.output.is_probabilities
    }

    fn batch_multiple(&self) -> usize {
        self.signature.batch.unwrap_or(1)
    }

    fn run(&self, n: usize, nchw: &[f32], logits: &mut [f32]) -> Result<()> {
        check_len("nchw", nchw.len(), n * self.signature.image_len())?;
        check_len("logits", logits.len(), n * self.classes)?;
        self.run_all(n, nchw, logits)
            .map_err(|reason| Error::Inference { engine: ENGINE, reason })
    }
}

/// Runs the model on empty images and returns the width of a row of its result.
fn count_classes(session: &Session, signature: &Signature) -> Result<usize, Reason> {
    let batch = signature.batch.unwrap_or(1);
    let zeros = vec![0.0; batch * signature.image_len()];
    infer(session, signature, batch, &zeros, |rows| Ok(rows.width)).map_err(|cause| {
        let shape = signature.shape(batch);
        format!("the model cannot run on a tensor of shape {shape:?}: {cause}")
    })
}

/// Runs `session` on `batch` images and hands the output's rows to `read`.
fn infer<T>(
    session: &Session,
    signature: &Signature,
    batch: usize,
    nchw: &[f32],
    read: impl FnOnce(Rows<'_>) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let input = signature.tensor(batch, nchw)?;
    let output = session.run(&signature.input, &*input, &signature.output.name)?;
    read(signature.output.rows(&output, batch)?)
}
