//! A model in ONNX Runtime and the sessions that run it.

use std::sync::{Mutex, PoisonError};

use ort::session::Session;
use spark_classify_core::backend::Backend;
use spark_classify_core::error::{Error, Result};

use crate::session::{infer, reason, Reason, SessionFactory};
use crate::signature::Signature;
use crate::ENGINE;

/// A loaded model.
///
/// `ort` runs a session for one caller at a time, so there is a session for each concurrent caller. They are made when
/// needed and kept: a process ends up with as many as it has task slots. Each holds its own weights; ONNX Runtime can
/// share those between sessions only where they are handed in from outside the model file.
pub(crate) struct OnnxBackend {
    factory: SessionFactory,
    idle: Mutex<Vec<Session>>,
    signature: Signature,
    classes: usize,
}

impl OnnxBackend {
    /// Makes the first session, checks that the model fits images of `input_size` (height, width), and runs it once on
    /// an empty image: that tells the number of classes, and finds a model that cannot run before a query does.
    pub(crate) fn load(factory: SessionFactory, input_size: (usize, usize)) -> Result<Self> {
        let refuse = |reason: Reason| Error::ModelFile {
            path: factory.path().to_owned(),
            reason,
        };
        let mut session = factory.create().map_err(reason).map_err(refuse)?;
        let signature = Signature::of(session.inputs(), session.outputs(), input_size).map_err(refuse)?;

        let batch = signature.batch.unwrap_or(1);
        let shape = signature.shape(batch);
        let zeros = vec![0.0; shape.iter().product()];
        let classes = infer(
            &mut session,
            shape,
            &zeros,
            &signature.output,
            |shape, _| match *shape {
                [n, classes] if n == batch as i64 && classes > 0 => Ok(classes as usize),
                _ => Err(format!("the output has shape {shape:?}, expected [{batch}, classes]")),
            },
        )
        .map_err(|cause| refuse(format!("the model cannot run on a tensor of shape {shape:?}: {cause}")))?;

        Ok(Self {
            factory,
            idle: Mutex::new(vec![session]),
            signature,
            classes,
        })
    }

    fn take_session(&self) -> Result<Session, Reason> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.factory.create().map_err(reason), Ok)
    }

    fn run_all(&self, session: &mut Session, n: usize, nchw: &[f32], logits: &mut [f32]) -> Result<(), Reason> {
        let batch = self.signature.batch.unwrap_or(n);
        let image = self.signature.image_len();
        for (nchw, logits) in nchw.chunks(batch * image).zip(logits.chunks_mut(batch * self.classes)) {
            if nchw.len() == batch * image {
                self.run_one(session, batch, nchw, logits)?;
            } else {
                // The model takes `batch` images, no fewer: fill up with empty ones.
                let mut padded = vec![0.0; batch * image];
                padded[..nchw.len()].copy_from_slice(nchw);
                self.run_one(session, batch, &padded, logits)?;
            }
        }
        Ok(())
    }

    /// Runs one batch; `logits` may be shorter than the result, whose end then belongs to padding.
    fn run_one(&self, session: &mut Session, batch: usize, nchw: &[f32], logits: &mut [f32]) -> Result<(), Reason> {
        let shape = self.signature.shape(batch);
        infer(session, shape, nchw, &self.signature.output, |shape, values| {
            if *shape != [batch as i64, self.classes as i64] {
                return Err(format!(
                    "the output has shape {shape:?}, expected [{batch}, {}]",
                    self.classes
                ));
            }
            logits.copy_from_slice(&values[..logits.len()]);
            Ok(())
        })
    }
}

impl Backend for OnnxBackend {
    fn classes(&self) -> usize {
        self.classes
    }

    fn run(&self, n: usize, nchw: &[f32], logits: &mut [f32]) -> Result<()> {
        check_len("nchw", nchw.len(), n * self.signature.image_len())?;
        check_len("logits", logits.len(), n * self.classes)?;
        self.take_session()
            .and_then(|mut session| {
                self.run_all(&mut session, n, nchw, logits)?;
                // Only a session that succeeded goes back: what state a failed one is in is not documented.
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
                Ok(())
            })
            .map_err(|reason| Error::Inference { engine: ENGINE, reason })
    }
}

fn check_len(argument: &'static str, actual: usize, expected: usize) -> Result<()> {
    if actual == expected {
        return Ok(());
    }
    Err(Error::Argument {
        argument,
        reason: format!("has {actual} values, expected {expected}"),
    })
}
