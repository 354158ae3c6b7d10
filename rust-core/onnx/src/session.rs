//! Making a session of a model file, and running it for many callers at once.
//!
//! ONNX Runtime lets several threads run one session: "Multiple threads can invoke the `Run()` method on the same
//! inference session object", and to that end kernels are stateless (`docs/InferenceHighLevelDesign.md` of its
//! sources). An execution provider that cannot do it says so (`IExecutionProvider::ConcurrentRunSupported`), and the
//! session then takes a lock; those of the CPU and of CUDA, the ones that are registered here, can: CUDA's gives each
//! run a stream of its own, and only its convolutions take turns. `ort` nevertheless takes `&mut self` for every
//! provider, because some of them broke the rule, so this file calls `Run` itself.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::{self, NonNull};

use ort::editor::Model;
use ort::environment::Environment;
use ort::ep::{self, ArenaExtendStrategy};
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{DynValue, Outlet};
use ort::AsPointer;
use spark_classify_core::platform::cpu;
use spark_classify_core::GpuOptions;

use crate::model_file::{self, ModelFile};

/// Why ONNX Runtime refused something; the caller knows what to call it.
pub(crate) type Reason = String;

/// Where a session runs its model.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Provider {
    /// On the thread that calls.
    Cpu,
    /// On a GPU, by its number. Operators that CUDA's provider lacks run on the CPU.
    Cuda(u32, GpuOptions),
}

/// A session, with the one copy of the model's weights.
#[derive(Debug)]
pub(crate) struct Session {
    session: ort::session::Session,
    provider: Provider,
}

impl Session {
    /// A session on the CPU of the model file at `path`.
    pub(crate) fn open(environment: &Environment, path: &Path) -> Result<Self, Reason> {
        let model = checked(path)?;
        let create = || builder(environment)?.commit_from_file(path);
        let session = create().map_err(|error| model_file::explain(environment, &model, &error))?;
        Ok(Self {
            session,
            provider: Provider::Cpu,
        })
    }

    /// A session of the model file at `path`, to which `addition` adds nodes when it has seen what the model takes and
    /// gives.
    ///
    /// # Errors
    /// [`NotOpened::Provider`] when the provider itself is not to be had.
    pub(crate) fn open_with<T>(
        environment: &Environment,
        path: &Path,
        provider: Provider,
        addition: impl FnOnce(&ort::session::Session) -> Result<(Model, T), Reason>,
    ) -> Result<(Self, T), NotOpened> {
        let file = checked(path).map_err(NotOpened::Model)?;
        let refused = |error| NotOpened::Model(model_file::explain(environment, &file, &error));
        let mut builder = builder(environment).map_err(refused)?;
        if let Provider::Cuda(gpu, options) = provider {
            builder = builder
                .with_execution_providers([cuda(gpu, options)])
                .map_err(|error| NotOpened::Provider(error.message().trim().to_owned()))?;
        }
        let mut edited = builder.edit_from_file(path).map_err(refused)?;
        let (model, made) = addition(&edited).map_err(NotOpened::Model)?;
        edited.apply_model(&model).map_err(refused)?;
        let session = edited.into_session().map_err(refused)?;
        Ok((Self { session, provider }, made))
    }

    /// Memory of this process that the provider copies from quickly: page-locked for a GPU, where that is to be had.
    pub(crate) fn input_allocator(&self) -> Allocator {
        let Provider::Cuda(gpu, _) = self.provider else {
            return Allocator::default();
        };
        MemoryInfo::new(
            AllocationDevice::CUDA_PINNED,
            device_id(gpu),
            AllocatorType::Device,
            MemoryType::CPUInput,
        )
        .and_then(|info| Allocator::new(&self.session, info))
        .unwrap_or_else(|cause| {
            log::warn!("ONNX Runtime gives no page-locked memory, so copies to the GPU are slower: {cause}");
            Allocator::default()
        })
    }

    /// What the model takes.
    pub(crate) fn inputs(&self) -> &[Outlet] {
        self.session.inputs()
    }

    /// What the model gives.
    pub(crate) fn outputs(&self) -> &[Outlet] {
        self.session.outputs()
    }

    /// Runs the model on one tensor for some of its outputs, in the order of their names. `input` is the tensor's name.
    pub(crate) fn run(&self, input: &CStr, tensor: &impl IsValue, outputs: &[&CStr]) -> Result<Vec<DynValue>, Reason> {
        self.call_run(input, tensor, outputs).map_err(reason)
    }

    /// `OrtApi::Run` with one input.
    fn call_run(&self, input: &CStr, tensor: &impl IsValue, outputs: &[&CStr]) -> ort::Result<Vec<DynValue>> {
        let names: Vec<_> = outputs.iter().map(|name| name.as_ptr()).collect();
        let mut results = vec![ptr::null_mut(); names.len()];
        // SAFETY: The session is alive as long as `self`, and `Run` is the one call of ONNX Runtime's API that uses it
        // from several threads, which the providers allow (see the top of this file). The arrays have as
        // many elements as is said and outlive the call, the names in them are null-terminated; null run options stand
        // for the defaults. The input's memory is held by `tensor` and only read: ONNX Runtime never reuses the buffer
        // of a graph's input. A null result asks ONNX Runtime to allocate that output.
        let status = unsafe {
            (ort::api().Run)(
                self.session.ptr().cast_mut(),
                ptr::null(),
                [input.as_ptr()].as_ptr(),
                [tensor.ptr()].as_ptr(),
                1,
                names.as_ptr(),
                names.len(),
                results.as_mut_ptr(),
            )
        };
        // SAFETY: the status is that of the call above, and is used here only.
        unsafe { ort::Error::result_from_status(status) }?;
        let values = results.into_iter().map(|result| {
            let result = NonNull::new(result)?;
            // SAFETY: after a success each result is a new value that nobody else owns; its memory belongs to the
            // session's allocator, of which it keeps a share.
            Some(unsafe { DynValue::from_ptr(result, Some(self.session.allocator())) })
        });
        // All are taken over before one is found missing, so that none is lost.
        let values: Vec<_> = values.collect();
        let values: Option<Vec<_>> = values.into_iter().collect();
        values.ok_or_else(|| ort::Error::new("the model gave no output"))
    }
}

/// A value of ONNX Runtime, of whatever type.
pub(crate) trait IsValue: AsPointer<Sys = ort::sys::OrtValue> {}

impl<T: AsPointer<Sys = ort::sys::OrtValue>> IsValue for T {}

/// Why there is no session.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// The execution provider is not to be had.
    Provider(Reason),
    /// The model cannot be used.
    Model(Reason),
}

/// What the model file at `path` says of itself, if its weights may be read; nothing where only ONNX Runtime can read
/// it, or cannot either.
fn checked(path: &Path) -> Result<ModelFile, Reason> {
    let model = ModelFile::read(path).unwrap_or_default();
    model_file::check_external_data(path, &model)?;
    Ok(model)
}

/// What all sessions have in common.
///
/// A run takes the thread it is called on and no other: callers that own several cores run several batches.
///
/// The CPU arena stays on, as it is by default: without it every run gives its activations back to the system and
/// faults them in again, which costs a tenth of the time. It grows to what the runs of one moment need together.
/// Planning one block for each batch size (the memory pattern) is off: it doubles the arena and gains no time.
///
/// CPUs without VNNI multiply quantized numbers in an exact way (`precise_qmm`): the faster one that ONNX Runtime takes
/// on them by default overflows silently. Those with VNNI are exact anyway, and would be half as fast.
fn builder(environment: &Environment) -> ort::Result<SessionBuilder> {
    let mut builder = ort::session::Session::builder(environment)?;
    if !cpu::adds_int8_exactly() {
        builder = builder.with_precise_qmm()?;
    }
    Ok(builder
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_memory_pattern(false)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?)
}

/// The number of a GPU as ONNX Runtime takes it; one beyond its numbers is as little there as the last of them.
fn device_id(gpu: u32) -> i32 {
    i32::try_from(gpu).unwrap_or(i32::MAX)
}

/// CUDA's provider. Its search for the fastest convolution would try all of them for each size of a run; the heuristic
/// asks cuDNN. Its arena grows by what is asked for, not by doubling.
fn cuda(gpu: u32, options: GpuOptions) -> ep::ExecutionProviderDispatch {
    let provider = ep::CUDA::default()
        .with_device_id(device_id(gpu))
        .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
        .with_conv_algorithm_search(ep::cuda::ConvAlgorithmSearch::Heuristic)
        .with_tf32(options.tf32);
    let provider = match usize::try_from(options.max_bytes) {
        Ok(limit) if limit > 0 => provider.with_memory_limit(limit),
        _ => provider,
    };
    provider.build().error_on_failure()
}

/// The name of an input or output as ONNX Runtime's interface takes it.
pub(crate) fn c_name(outlet: &Outlet) -> Result<CString, Reason> {
    CString::new(outlet.name()).map_err(|cause| format!("the name `{}`: {cause}", outlet.name().escape_debug()))
}

#[allow(clippy::needless_pass_by_value)]
pub(crate) fn reason(error: ort::Error) -> Reason {
    error.message().to_owned()
}
