//! A model in libtorch on a GPU.

use std::path::Path;

use spark_classify_core::engine::{check_len, Asked, Outputs};
use spark_classify_core::error::{Error, Result};
use spark_classify_core::model::{DataFormat, ModelDirectory};
use spark_classify_core::{Device, DeviceModel, Lane, SampleTable};
use tch::Kind;

use crate::ffi::{self, Images, Module, Reason, Use};
use crate::model::{not_loaded, KINDS};
use crate::results::Results;
use crate::ENGINE;

/// The sizes of runs. Plans for convolutions are made for each, and kept by each thread.
const RUN_SIZES: [usize; 9] = [1, 4, 8, 16, 32, 64, 96, 128, 192];

/// How a model is loaded for a GPU: which numbers it computes with, and what its code may do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DeviceOptions {
    /// Whether the module is converted to bfloat16.
    pub(crate) bf16: bool,
    /// Whether float32 may be multiplied in TF32.
    pub(crate) tf32: bool,
    /// Whether the file's code may do anything.
    pub(crate) all_operators: bool,
}

/// A loaded model that takes pixels. All lanes share the module and so its weights.
#[derive(Debug)]
pub(crate) struct TorchOnDevice {
    module: Module,
    height: usize,
    width: usize,
    channels_last: bool,
    kind: Kind,
    results: Results,
    samples: SampleTable,
}

impl TorchOnDevice {
    /// Loads the `TorchScript` file at `path` on a GPU, or on the CPU for tests, and runs it on an empty image of the
    /// kind that the directory's preprocessing makes: that shows what it gives and the kind of numbers it takes, and
    /// finds a model that cannot run before a query does. With `bf16` the module is converted, and takes bfloat16.
    pub(crate) fn load(
        path: &Path,
        directory: &ModelDirectory,
        samples: &SampleTable,
        gpu: Option<u32>,
        options: DeviceOptions,
    ) -> Result<Self> {
        let DeviceOptions {
            bf16,
            tf32,
            all_operators,
        } = options;
        let module = Module::load(path, Use::Lanes { gpu, tf32 }, bf16, all_operators).map_err(|reason| match gpu {
            Some(gpu) if ffi::device_failed() => Error::Device {
                device: Device::Cuda(gpu).to_string(),
                reason: format!("the model cannot be loaded: {reason}"),
            },
            _ => not_loaded(path, reason),
        })?;
        let preprocessor = directory.preprocessor();
        let (height, width) = preprocessor.input_size();
        let images = |kind| Images {
            count: 1,
            height,
            width,
            channels_last: preprocessor.data_format == Some(DataFormat::ChannelsLast),
            kind,
            samples,
        };
        // libtorch's executor watches the first run and compiles at the second: no query should wait for either.
        let probe = |kind| {
            let mut lane = ffi::Lane::new(&module, images(kind))?;
            lane.pixels().fill(0);
            lane.names()?;
            let names = lane.names()?;
            Ok((kind, lane, names))
        };
        let kinds = if bf16 { &[Kind::BFloat16] } else { &KINDS[..] };
        let first: Result<_, Reason> = probe(kinds[0]);
        let (kind, mut lane, names) = first
            .or_else(|reason| kinds[1..].iter().find_map(|&kind| probe(kind).ok()).ok_or(reason))
            .map_err(|reason| Error::ModelFile {
                path: path.to_owned(),
                reason: format!("the model cannot run on an image: {reason}"),
            })?;
        let results = Results::find(directory, path, &names, |wanted| lane.run(1, wanted, &mut []))?;
        drop(lane);
        Ok(Self {
            module,
            height,
            width,
            channels_last: preprocessor.data_format == Some(DataFormat::ChannelsLast),
            kind,
            results,
            samples: samples.clone(),
        })
    }
}

impl DeviceModel for TorchOnDevice {
    fn outputs(&self) -> Outputs {
        self.results.outputs.clone()
    }

    fn run_sizes(&self, largest: usize) -> Vec<usize> {
        let smaller = RUN_SIZES.into_iter().filter(|size| *size < largest);
        smaller.chain([largest]).collect()
    }

    fn lane(&self, images: usize) -> Result<Box<dyn Lane + '_>> {
        let pixels = Images {
            count: images,
            height: self.height,
            width: self.width,
            channels_last: self.channels_last,
            kind: self.kind,
            samples: &self.samples,
        };
        let lane = ffi::Lane::new(&self.module, pixels).map_err(|reason| Error::Inference {
            engine: ENGINE,
            reason: format!("no memory for batches of {images} images: {reason}"),
        })?;
        Ok(Box::new(TorchLane {
            lane,
            results: &self.results,
        }))
    }
}

struct TorchLane<'a> {
    lane: ffi::Lane<'a>,
    results: &'a Results,
}

impl Lane for TorchLane<'_> {
    fn pixels(&mut self) -> &mut [u8] {
        self.lane.pixels()
    }

    fn run(&mut self, n: usize, asked: Asked, rows: &mut [f32]) -> Result<()> {
        check_len("rows", rows.len(), n * self.results.outputs.width(asked))?;
        self.lane
            .run(n, &self.results.wanted(asked), rows)
            .map(|_| ())
            .map_err(|reason| Error::Inference { engine: ENGINE, reason })
    }
}

#[cfg(test)]
mod tests;
