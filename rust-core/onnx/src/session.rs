//! Making a session of a model file, and running it for many callers at once.
//!
//! ONNX Runtime lets several threads run one session: "Multiple threads can invoke the `Run()` method on the same
//! inference session object", and to that end kernels are stateless (`docs/InferenceHighLevelDesign.md` of its sources).
//! An execution provider that cannot do it says so (`IExecutionProvider::ConcurrentRunSupported`), and the session then
//! takes a lock; that of the CPU, the only one that is registered here, can. `ort` nevertheless takes `&mut self` for
//! every provider, because some of them broke the rule, so this file calls `Run` itself.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::{self, NonNull};

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::{DynValue, Outlet};
use ort::AsPointer;
use spark_classify_core::cpu;

/// Why ONNX Runtime refused something; the caller knows what to call it.
pub(crate) type Reason = String;

/// A session on the CPU, with the one copy of the model's weights.
#[derive(Debug)]
pub(crate) struct Session(ort::session::Session);

impl Session {
    /// A session of the model file at `path`.
    ///
    /// A run takes the thread it is called on and no other: callers that own several cores run several batches.
    ///
    /// The CPU arena stays on, as it is by default: without it every run gives its activations back to the system and
    /// faults them in again, which costs a tenth of the time. It grows to what the runs of one moment need together.
    /// Planning one block for each batch size (the memory pattern) is off: it doubles the arena and gains no time.
    ///
    /// CPUs without VNNI multiply quantized numbers in an exact way (`precise_qmm`): the faster one that ONNX Runtime takes
    /// on them by default overflows silently. Those with VNNI are exact anyway, and would be half as fast.
    pub(crate) fn open(environment: &Environment, path: &Path) -> Result<Self, Reason> {
        let create = || {
            let mut builder = ort::session::Session::builder(environment)?;
            if !cpu::adds_int8_exactly() {
                builder = builder.with_precise_qmm()?;
            }
            builder
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_memory_pattern(false)?
                .with_intra_threads(1)?
                .with_inter_threads(1)?
                .commit_from_file(path)
        };
        create().map(Self).map_err(reason)
    }

    /// What the model takes.
    pub(crate) fn inputs(&self) -> &[Outlet] {
        self.0.inputs()
    }

    /// What the model gives.
    pub(crate) fn outputs(&self) -> &[Outlet] {
        self.0.outputs()
    }

    /// Runs the model on one tensor. `input` and `output` are the names of the two in the model.
    pub(crate) fn run(&self, input: &CStr, tensor: &DynValue, output: &CStr) -> Result<DynValue, Reason> {
        self.call_run(input, tensor, output).map_err(reason)
    }

    /// `OrtApi::Run` with one input and one output.
    fn call_run(&self, input: &CStr, tensor: &DynValue, output: &CStr) -> ort::Result<DynValue> {
        let mut result = ptr::null_mut();
        // SAFETY: The session is alive as long as `self`, and `Run` is the one call of ONNX Runtime's API that uses it
        // from several threads, which its CPU provider allows (see the top of this file). Names and input are arrays of
        // one element that outlive the call, the names null-terminated; null run options stand for the defaults. The
        // input's memory is held by `tensor` and only read: ONNX Runtime never reuses the buffer of a graph's input.
        // A null `result` asks ONNX Runtime to allocate the output.
        let status = unsafe {
            (ort::api().Run)(
                self.0.ptr().cast_mut(),
                ptr::null(),
                [input.as_ptr()].as_ptr(),
                [tensor.ptr()].as_ptr(),
                1,
                [output.as_ptr()].as_ptr(),
                1,
                &raw mut result,
            )
        };
        // SAFETY: the status is that of the call above, and is used here only.
        unsafe { ort::Error::result_from_status(status) }?;
        let result = NonNull::new(result).ok_or_else(|| ort::Error::new("the model gave no output"))?;
        // SAFETY: after a success `result` is a new value that nobody else owns; its memory belongs to the session's
        // allocator, of which it keeps a share.
        Ok(unsafe { DynValue::from_ptr(result, Some(self.0.allocator())) })
    }
}

/// The name of an input or output as ONNX Runtime's interface takes it.
pub(crate) fn c_name(outlet: &Outlet) -> Result<CString, Reason> {
    CString::new(outlet.name()).map_err(|cause| format!("the name `{}`: {cause}", outlet.name().escape_debug()))
}

#[allow(clippy::needless_pass_by_value)]
pub(crate) fn reason(error: ort::Error) -> Reason {
    error.message().to_owned()
}
