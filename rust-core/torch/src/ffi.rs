//! The C++ part of this crate (`cpp/module.cpp`) as safe Rust.
#![allow(unsafe_code)]

use std::ffi::{c_char, CStr, CString};
use std::path::Path;
use std::ptr::NonNull;

use tch::Tensor;
use torch_sys::C_tensor;

/// What libtorch said when it refused something.
pub(crate) type Reason = String;

/// `SparkClassifyModule`, known to C++ only.
#[repr(C)]
struct CModule {
    _opaque: [u8; 0],
}

extern "C" {
    fn spark_classify_torch_error() -> *const c_char;
    fn spark_classify_torch_config() -> *const c_char;
    fn spark_classify_torch_load(path: *const c_char, bf16: bool) -> *mut CModule;
    fn spark_classify_torch_free(module: *mut CModule);
    fn spark_classify_torch_forward(module: *const CModule, input: *const C_tensor) -> *mut C_tensor;
}

/// The build settings of the libtorch in this process, as `key=value` among other text.
pub(crate) fn config() -> Result<String, Reason> {
    // SAFETY: takes nothing, catches every exception, and returns null or a string that lives until the next call of
    // this thread; it is copied before that.
    unsafe {
        let config = spark_classify_torch_config();
        if config.is_null() {
            return Err(last_error());
        }
        Ok(CStr::from_ptr(config).to_string_lossy().into_owned())
    }
}

/// A `TorchScript` module, frozen and optimized for inference.
#[derive(Debug)]
pub(crate) struct Module(NonNull<CModule>);

// SAFETY: a module is reference-counted memory without ties to the thread that made it.
unsafe impl Send for Module {}
// SAFETY: forward is the only use of a shared module, and libtorch lets several threads run one module at once: its
// parameters are constants after freezing, and its executor locks what it caches.
unsafe impl Sync for Module {}

impl Module {
    /// Loads the `TorchScript` file at `path` on the CPU; with `bf16` converted to bfloat16.
    pub(crate) fn load(path: &Path, bf16: bool) -> Result<Self, Reason> {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|cause| cause.to_string())?;
        // SAFETY: `path` is a null-terminated string that outlives the call; the function catches every exception.
        let module = unsafe { spark_classify_torch_load(path.as_ptr(), bf16) };
        NonNull::new(module).map(Self).ok_or_else(last_error)
    }

    /// Runs the module on one tensor and returns its logits, contiguous in memory, which they may share with the input.
    pub(crate) fn forward(&self, input: &Tensor) -> Result<Tensor, Reason> {
        // SAFETY: the module is alive as long as `self`, and `input` is a tensor that tch keeps alive during the call;
        // the function changes neither, and catches every exception.
        let output = unsafe { spark_classify_torch_forward(self.0.as_ptr(), input.as_ptr()) };
        if output.is_null() {
            return Err(last_error());
        }
        // SAFETY: a non-null result is a new at::Tensor that nobody else owns, which is what tch holds and deletes.
        Ok(unsafe { Tensor::from_ptr(output) })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the pointer came from spark_classify_torch_load and is freed here only.
        unsafe { spark_classify_torch_free(self.0.as_ptr()) }
    }
}

fn last_error() -> Reason {
    // SAFETY: returns this thread's string, which lives until the next call of this thread; it is copied before that.
    let error = unsafe { CStr::from_ptr(spark_classify_torch_error()) };
    error.to_string_lossy().trim().to_owned()
}
