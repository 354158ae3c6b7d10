//! A model in ONNX Runtime: what it takes and gives, and the session that runs it.

use std::ffi::CString;
use std::path::PathBuf;

use ort::environment::Environment;
use ort::value::{Outlet, TensorElementType, ValueType};
use spark_classify_core::backend::{check_len, Backend};
use spark_classify_core::error::{Error, Result};

use crate::session::{c_name, Reason, Session};
use crate::ENGINE;

const CHANNELS: usize = 3;

/// A loaded model. All callers share the session and so its weights.
#[derive(Debug)]
pub(crate) struct OnnxBackend {
    session: Session,
    signature: Signature,
    classes: usize,
}

impl OnnxBackend {
    /// Loads the model file at `path`, checks that it fits images of `input_size` (height, width), and runs it once on
    /// an empty image: that tells the number of classes, and finds a model that cannot run before a query does.
    pub(crate) fn load(environment: &Environment, path: PathBuf, input_size: (usize, usize)) -> Result<Self> {
        let load = || {
            let session = Session::open(environment, &path)?;
            let signature = Signature::of(session.inputs(), session.outputs(), input_size)?;
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
        infer(&self.session, &self.signature, batch, nchw, |shape, values| {
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
    infer(session, signature, batch, &zeros, |shape, _| match *shape {
        [n, classes] if n == batch as i64 && classes > 0 => Ok(classes as usize),
        _ => Err(format!("the output has shape {shape:?}, expected [{batch}, classes]")),
    })
    .map_err(|cause| {
        let shape = signature.shape(batch);
        format!("the model cannot run on a tensor of shape {shape:?}: {cause}")
    })
}

/// Runs `session` on `batch` images and hands shape and content of the output to `read`.
fn infer<T>(
    session: &Session,
    signature: &Signature,
    batch: usize,
    nchw: &[f32],
    read: impl FnOnce(&[i64], &[f32]) -> Result<T, Reason>,
) -> Result<T, Reason> {
    session.run(&signature.input, &signature.output, signature.shape(batch), nchw, read)
}

/// What the model takes and gives, found by inspection.
#[derive(Debug, PartialEq, Eq)]
struct Signature {
    /// The number of images in a run, where the model fixes it.
    batch: Option<usize>,
    height: usize,
    width: usize,
    /// The name of the input.
    input: CString,
    /// The name of the output with the logits.
    output: CString,
}

impl Signature {
    /// Finds the one input and the output with the logits, and checks that the input takes images of `input_size`.
    fn of(inputs: &[Outlet], outputs: &[Outlet], (height, width): (usize, usize)) -> Result<Self, Reason> {
        let [input] = inputs else {
            return Err(format!("the model has {}, expected one", listed("inputs", inputs)));
        };
        let shape = float_shape(input)?;
        let &[batch, channels, model_height, model_width] = shape else {
            return Err(format!(
                "input `{}` has shape {shape:?}, expected [batch, {CHANNELS}, height, width]",
                input.name()
            ));
        };
        let expected = [(channels, CHANNELS), (model_height, height), (model_width, width)];
        if !expected.into_iter().all(|(dimension, size)| fits(dimension, size)) {
            return Err(format!(
                "input `{}` has shape {shape:?}, but the model directory's preprocessing gives [batch, {CHANNELS}, \
                 {height}, {width}]",
                input.name()
            ));
        }

        let output = match outputs {
            [output] => output,
            _ => outputs
                .iter()
                .find(|output| output.name() == "logits")
                .ok_or_else(|| format!("the model has {}, and none is `logits`", listed("outputs", outputs)))?,
        };
        float_shape(output)?;
        Ok(Self {
            batch: usize::try_from(batch).ok().filter(|&batch| batch > 0),
            height,
            width,
            input: c_name(input)?,
            output: c_name(output)?,
        })
    }

    fn image_len(&self) -> usize {
        CHANNELS * self.height * self.width
    }

    fn shape(&self, batch: usize) -> [usize; 4] {
        [batch, CHANNELS, self.height, self.width]
    }
}

/// Whether a model's dimension takes `size`: it is that size, or dynamic, which ONNX Runtime tells as -1.
fn fits(dimension: i64, size: usize) -> bool {
    dimension < 0 || dimension == size as i64
}

fn float_shape(outlet: &Outlet) -> Result<&[i64], Reason> {
    match outlet.dtype() {
        ValueType::Tensor {
            ty: TensorElementType::Float32,
            shape,
            ..
        } => Ok(shape),
        other => Err(format!("`{}` is {other}, expected a tensor of float32", outlet.name())),
    }
}

fn listed(what: &str, outlets: &[Outlet]) -> String {
    let names: Vec<_> = outlets.iter().map(Outlet::name).collect();
    format!("{} {what} ({})", names.len(), names.join(", "))
}
