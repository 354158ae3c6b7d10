//! What a model takes and gives, found by inspection.

use std::ffi::CString;

use ort::value::{Outlet, TensorElementType, ValueType};

use crate::session::{c_name, Reason};

const CHANNELS: usize = 3;

/// Input and output of a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The number of images in a run, where the model fixes it.
    pub(crate) batch: Option<usize>,
    height: usize,
    width: usize,
    /// The name of the input.
    pub(crate) input: CString,
    /// The name of the output with the logits.
    pub(crate) output: CString,
}

impl Signature {
    /// Finds the one input and the output with the logits, and checks that the input takes images of `input_size`.
    pub(crate) fn of(inputs: &[Outlet], outputs: &[Outlet], (height, width): (usize, usize)) -> Result<Self, Reason> {
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

    pub(crate) fn image_len(&self) -> usize {
        CHANNELS * self.height * self.width
    }

    pub(crate) fn shape(&self, batch: usize) -> [usize; 4] {
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
