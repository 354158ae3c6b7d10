//! A model in libtorch.

use std::path::{Path, PathBuf};

use spark_classify_core::backend::{check_len, Backend};
use spark_classify_core::error::{Error, Result};
use tch::{Device, Kind, Tensor};

use crate::ffi::{Module, Reason};
use crate::{runtime, ENGINE};

const CHANNELS: usize = 3;

/// A loaded model. All threads share the module and so its weights.
#[derive(Debug)]
pub(crate) struct TorchBackend {
    module: Module,
    input_size: (usize, usize),
    classes: usize,
}

impl TorchBackend {
    /// Loads the `TorchScript` file at `path` and runs it on an empty image of `input_size` (height, width): that tells
    /// the number of classes, and finds a model that cannot run before a query does.
    pub(crate) fn load(path: PathBuf, input_size: (usize, usize)) -> Result<Self> {
        runtime::stay_on_this_thread();
        let module = Module::load(&path).map_err(|reason| not_torch_script(&path, &reason))?;
        let (height, width) = input_size;
        let zeros = vec![0.0; CHANNELS * height * width];
        let probe = || {
            infer(&module, 1, input_size, &zeros, |output| match output.size()[..] {
                [1, classes] if classes > 0 => Ok(classes as usize),
                ref shape => Err(format!("the output has shape {shape:?}, expected [1, classes]")),
            })
        };
        // libtorch's executor watches the first run and compiles at the second: no query should wait for either.
        let classes = probe().and_then(|_| probe()).map_err(|reason| Error::ModelFile {
            path,
            reason: format!("the model cannot run on a tensor of shape [1, {CHANNELS}, {height}, {width}]: {reason}"),
        })?;
        Ok(Self {
            module,
            input_size,
            classes,
        })
    }
}

impl Backend for TorchBackend {
    fn classes(&self) -> usize {
        self.classes
    }

    fn run(&self, n: usize, nchw: &[f32], logits: &mut [f32]) -> Result<()> {
        let (height, width) = self.input_size;
        check_len("nchw", nchw.len(), n * CHANNELS * height * width)?;
        check_len("logits", logits.len(), n * self.classes)?;
        runtime::stay_on_this_thread();
        infer(&self.module, n, self.input_size, nchw, |output| {
            if output.size() != [n as i64, self.classes as i64] {
                return Err(format!(
                    "the output has shape {:?}, expected [{n}, {}]",
                    output.size(),
                    self.classes
                ));
            }
            let len = logits.len();
            output.f_copy_data(logits, len).map_err(|error| error.to_string())
        })
        .map_err(|reason| Error::Inference { engine: ENGINE, reason })
    }
}

/// Runs `module` on the images in `nchw`, without copying them, and hands the output to `read`.
#[allow(unsafe_code)]
fn infer<T>(
    module: &Module,
    n: usize,
    (height, width): (usize, usize),
    nchw: &[f32],
    read: impl FnOnce(&Tensor) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let shape = [n as i64, CHANNELS as i64, height as i64, width as i64];
    let strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
    // SAFETY: `nchw` holds as many values as the shape says (the callers check that) and outlives this tensor and the
    // output, which may share its memory; the module only reads it.
    let input = unsafe { Tensor::f_from_blob(nchw.as_ptr().cast(), &shape, &strides, Kind::Float, Device::Cpu) }
        .map_err(|error| error.to_string())?;
    let output = module.forward(&input)?;
    match output.f_kind().map_err(|error| error.to_string())? {
        Kind::Float => read(&output),
        kind => Err(format!("the output is of type {kind:?}, expected float32")),
    }
}

fn not_torch_script(path: &Path, reason: &str) -> Error {
    Error::ModelFile {
        path: path.to_owned(),
        reason: format!(
            "not a TorchScript module that can be loaded, frozen and optimized; make one with \
             scripts/export_model.py or torch.jit.script(model).save(...): {reason}"
        ),
    }
}
