//! A model in libtorch.
// Modules and the shapes that they give are whoever's who made them: each conversion is checked.
#![warn(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

use std::path::Path;

use spark_classify_core::engine::{check_len, Asked, Model, Outputs};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::{DataFormat, ModelDirectory};
use tch::{Device, Kind, TchError, Tensor};

use crate::ffi::{self, Module, Optimized, Reason, Use};
use crate::results::Results;
use crate::{linear, runtime, ENGINE};

const CHANNELS: usize = 3;

/// A loaded model. All threads share the module and so its weights.
#[derive(Debug)]
pub(crate) struct TorchModel {
    module: Module,
    input: Input,
    results: Results,
}

/// What the module takes.
#[derive(Debug, Clone, Copy)]
struct Input {
    height: usize,
    width: usize,
    format: DataFormat,
    kind: Kind,
}

/// The kinds of floating-point numbers a module may compute in, in the order in which they are tried.
pub(crate) const KINDS: [Kind; 3] = [Kind::Float, Kind::Half, Kind::BFloat16];

impl TorchModel {
    /// Loads the `TorchScript` file at `path` and runs it on an empty image of the kind that the directory's
    /// preprocessing makes: that shows what it gives and the kind of numbers it takes, which the file itself does not
    /// say, and finds a model that cannot run before a query does.
    ///
    /// With `bf16` the module is converted, and takes bfloat16. With `all_operators` the file's code may do anything.
    pub(crate) fn load(path: &Path, directory: &ModelDirectory, bf16: bool, all_operators: bool) -> Result<Self> {
        runtime::stay_on_this_thread();
        // In bfloat16, libtorch leaves them to oneDNN itself.
        let optimized = if !bf16 && linear::in_onednn() {
            Optimized::Everything
        } else {
            Optimized::ButLinear
        };
        Self::load_optimized(optimized, path, directory, bf16, all_operators)
    }

    /// The same, optimized like this, or less where the module cannot be loaded or run like this.
    fn load_optimized(
        most: Optimized,
        path: &Path,
        directory: &ModelDirectory,
        bf16: bool,
        all_operators: bool,
    ) -> Result<Self> {
        let load = |optimized| {
            let module = Module::load(path, Use::Tensors { optimized }, bf16, all_operators)
                .map_err(|reason| not_loaded(path, reason))?;
            Self::try_out(module, path, directory, bf16)
        };
        let (mut optimized, mut first_error) = (most, None);
        loop {
            match (load(optimized), optimized.less()) {
                (Ok(model), _) => {
                    if let Some(error) = first_error {
                        log::warn!("{error}; it runs {optimized}, which is slower");
                    }
                    return Ok(model);
                }
                // oneDNN has not all that libtorch can do: adaptive pooling only to sizes that divide the input's, for
                // one.
                (Err(error), Some(less)) if !ffi::refused() => {
                    first_error.get_or_insert(error);
                    optimized = less;
                }
                (Err(error), _) => return Err(first_error.unwrap_or(error)),
            }
        }
    }

    /// Runs a module on an empty image.
    fn try_out(module: Module, path: &Path, directory: &ModelDirectory, bf16: bool) -> Result<Self> {
        let preprocessor = directory.preprocessor();
        let (height, width) = preprocessor.input_size();
        let input = |kind| Input {
            height,
            width,
            format: preprocessor.data_format.unwrap_or(DataFormat::ChannelsFirst),
            kind,
        };
        let cannot_run = |reason: Reason, kind| Error::ModelFile {
            path: path.to_owned(),
            reason: format!(
                "the model{} cannot run on a tensor of shape {:?}: {reason}",
                if bf16 { ", converted to bfloat16," } else { "" },
                input(kind).shape(1)
            ),
        };
        let zeros = vec![0.0; CHANNELS * height * width];
        let names = |kind| with_input(1, input(kind), &zeros, |images| module.names(images));
        // libtorch's executor watches the first run and compiles at the second: no query should wait for either.
        let probe_twice = |kind| names(kind).and_then(|_| names(kind)).map(|names| (kind, names));
        let kinds = if bf16 { &[Kind::BFloat16] } else { &KINDS[..] };
        let first = probe_twice(kinds[0]);
        let (kind, names) = first
            .or_else(|reason| kinds[1..].iter().find_map(|&kind| probe_twice(kind).ok()).ok_or(reason))
            .map_err(|reason| cannot_run(reason, kinds[0]))?;
        let input = input(kind);
        let results = Results::find(directory, path, &names, |wanted| {
            with_input(1, input, &zeros, |images| {
                let (_, width) = module
                    .forward(images, wanted)?
                    .size2()
                    .map_err(|error| error.to_string())?;
                usize::try_from(width).map_err(|cause| cause.to_string())
            })
        })?;
        Ok(Self { module, input, results })
    }
}

impl Model for TorchModel {
    fn outputs(&self) -> Outputs {
        self.results.outputs.clone()
    }

    fn run(&self, n: usize, nchw: &[f32], asked: Asked, rows: &mut [f32]) -> Result<()> {
        let Input { height, width, .. } = self.input;
        let columns = self.results.outputs.width(asked);
        check_len("nchw", nchw.len(), n * CHANNELS * height * width)?;
        check_len("rows", rows.len(), n * columns)?;
        runtime::stay_on_this_thread();
        let wanted = self.results.wanted(asked);
        with_input(n, self.input, nchw, |images| {
            let given = self.module.forward(images, &wanted)?;
            if given.size() != sizes([n, columns]) {
                return Err(format!(
                    "the output has shape {:?}, expected [{n}, {columns}]",
                    given.size()
                ));
            }
            let len = rows.len();
            given.f_copy_data(rows, len).map_err(|error| error.to_string())
        })
        .map_err(|reason| Error::Inference { engine: ENGINE, reason })
    }
}

impl Input {
    /// The shape of a batch of this size.
    fn shape(self, batch: usize) -> [i64; 4] {
        let [batch, channels, height, width] = sizes([batch, CHANNELS, self.height, self.width]);
        match self.format {
            DataFormat::ChannelsFirst => [batch, channels, height, width],
            DataFormat::ChannelsLast => [batch, height, width, channels],
        }
    }
}

/// Sizes as libtorch takes them.
fn sizes<const N: usize>(sizes: [usize; N]) -> [i64; N] {
    sizes.map(|size| i64::try_from(size).unwrap_or(i64::MAX))
}

/// Hands `run` the images in `nchw` as the module takes them, without copying them where it takes them as they are.
#[allow(unsafe_code)]
fn with_input<T>(
    n: usize,
    input: Input,
    nchw: &[f32],
    run: impl FnOnce(&Tensor) -> Result<T, Reason>,
) -> Result<T, Reason> {
    let shape = sizes([n, CHANNELS, input.height, input.width]);
    let strides = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1];
    // SAFETY: `nchw` holds as many values as the shape says (the callers check that) and outlives this tensor, what is
    // made of it and the output, which may all share its memory; the module only reads it.
    let images = unsafe { Tensor::f_from_blob(nchw.as_ptr().cast(), &shape, &strides, Kind::Float, Device::Cpu) };
    let prepared = || {
        let mut images = images?;
        if input.format == DataFormat::ChannelsLast {
            images = images.f_permute([0, 2, 3, 1])?.f_contiguous()?;
        }
        if input.kind != Kind::Float {
            images = images.f_to_kind(input.kind)?;
        }
        Ok(images)
    };
    run(&prepared().map_err(|error: TchError| error.to_string())?)
}

/// The error for a file that [`Module::load`] has just refused on this thread.
pub(crate) fn not_loaded(path: &Path, reason: Reason) -> Error {
    let reason = if ffi::refused() {
        reason
    } else {
        format!(
            "not a TorchScript module that can be loaded, frozen and optimized; make one with \
             `spark-classify export` or torch.jit.script(model).save(...): {reason}"
        )
    };
    Error::ModelFile {
        path: path.to_owned(),
        reason,
    }
}

#[cfg(test)]
mod tests;
