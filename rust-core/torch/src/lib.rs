//! libtorch as an engine: `TorchScript` models, through `tch`.
//!
//! ```no_run
//! use std::path::{Path, PathBuf};
//! use spark_classify_core::{Classifier, LoadOptions};
//! use spark_classify_torch::TorchEngine;
//!
//! let classifier = Classifier::load(&TorchEngine::new(), Path::new("model"), &LoadOptions::default())?;
//! # Ok::<(), spark_classify_core::Error>(())
//! ```

mod cuda;
mod device;
mod ffi;
mod linear;
mod model;
mod precision;
mod results;
mod runtime;

use std::path::Path;
use std::sync::{Arc, Once};

use spark_classify_core::engine::{DeviceModel, Engine, LoadOptions, Model};
use spark_classify_core::error::Result;
use spark_classify_core::model::ModelDirectory;
use spark_classify_core::platform::cpu;
use spark_classify_core::{Precision, SampleTable};

use crate::device::{DeviceOptions, TorchOnDevice};
use crate::model::TorchModel;

/// The engine's name in SQL, configuration and errors.
const ENGINE: &str = "pytorch";

/// libtorch, on the CPU or on a GPU.
#[derive(Debug, Clone, Copy, Default)]
pub struct TorchEngine {
    any_cpu: bool,
}

impl TorchEngine {
    /// An engine on the libtorch this process is linked with.
    #[must_use]
    pub const fn new() -> Self {
        Self { any_cpu: false }
    }

    /// One that computes in bfloat16 on a CPU without instructions for it too, with the same results but slowly.
    #[must_use]
    pub const fn on_any_cpu() -> Self {
        Self { any_cpu: true }
    }
}

impl Engine for TorchEngine {
    fn name(&self) -> &'static str {
        ENGINE
    }

    fn version(&self) -> Result<String> {
        runtime::version().map(str::to_owned)
    }

    fn load(&self, model: &ModelDirectory, options: &LoadOptions) -> Result<Box<dyn Model>> {
        options.require_cpu()?;
        precision::check(options.precision, self.any_cpu || cpu::computes_bf16())?;
        runtime::version()?;
        let bf16 = options.precision == Precision::Bf16;
        let file = model.model_file(ENGINE, options.precision)?;
        say_what_lasts(&file);
        let loaded = TorchModel::load(&file, model, bf16, options.all_operators)?;
        Ok(Box::new(loaded))
    }

    fn devices(&self) -> Vec<String> {
        spark_classify_core::gpu::cuda::devices()
    }

    fn load_on_gpu(
        &self,
        model: &ModelDirectory,
        gpu: u32,
        samples: &SampleTable,
        options: &LoadOptions,
    ) -> Result<Arc<dyn DeviceModel>> {
        // GPUs compute in bfloat16, all that libtorch still supports.
        precision::check(options.precision, true)?;
        let name = spark_classify_core::gpu::cuda::gpu(gpu)?;
        runtime::version_for_gpu()?;
        cuda::prepare(gpu, options.gpu.tf32)?;
        let device_options = DeviceOptions {
            bf16: options.precision == Precision::Bf16,
            tf32: options.gpu.tf32,
            all_operators: options.all_operators,
        };
        let file = model.model_file(ENGINE, options.precision)?;
        say_what_lasts(&file);
        let loaded = TorchOnDevice::load(&file, model, samples, Some(gpu), device_options)?;
        log::info!("libtorch uses GPU {gpu}, {name}");
        Ok(Arc::new(loaded))
    }
}

/// Says in the log, once in a process, what to make of a network that has only a `TorchScript` file.
fn say_what_lasts(file: &Path) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        log::info!(
            "{}: TorchScript is deprecated since torch 2.9; the form that lasts is ONNX, which `spark-classify export` \
             makes of the trained network",
            file.display()
        );
    });
}
