//! The C++ part of this crate (`cpp`) as safe Rust.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, CStr, CString};
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;

use spark_classify_core::model::Pooling;
use spark_classify_core::SampleTable;
use tch::Tensor;
use torch_sys::C_tensor;

/// What libtorch said when it refused something.
pub(crate) type Reason = String;

/// `SparkClassifyModule`, known to C++ only.
#[repr(C)]
struct CModule {
    _opaque: [u8; 0],
}

/// `SparkClassifyWanted`
#[repr(C)]
#[derive(Debug)]
struct CWanted {
    classes: bool,
    embedding: *const c_char,
    pooling: c_int,
}

/// What is wanted of a run: the logits, the embedding, or both, one after the other in each row.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    inner: CWanted,
    name: PhantomData<&'a CStr>,
}

impl<'a> Wanted<'a> {
    /// `embedding` is the name of the output with the embedding, and how the vectors in that become one.
    pub(crate) fn of(classes: bool, embedding: Option<(&'a CStr, Option<Pooling>)>) -> Self {
        let (embedding, pooling) = match embedding {
            None => (ptr::null(), 0),
            Some((name, None)) => (name.as_ptr(), 0),
            Some((name, Some(Pooling::Cls))) => (name.as_ptr(), 1),
            Some((name, Some(Pooling::Mean))) => (name.as_ptr(), 2),
        };
        Self {
            inner: CWanted {
                classes,
                embedding,
                pooling,
            },
            name: PhantomData,
        }
    }
}

/// `SparkClassifyLane`, known to C++ only.
#[repr(C)]
struct CLane {
    _opaque: [u8; 0],
}

extern "C" {
    fn spark_classify_torch_error() -> *const c_char;
    fn spark_classify_torch_config() -> *const c_char;
    fn spark_classify_torch_device_failed() -> bool;
    fn spark_classify_torch_refused() -> bool;
    fn spark_classify_torch_load(
        path: *const c_char,
        bf16: bool,
        all_operators: bool,
        optimize: c_int,
        for_lanes: bool,
        gpu: c_int,
        tf32: bool,
    ) -> *mut CModule;
    #[cfg(test)]
    fn spark_classify_torch_tf32_convolutions(module: *const CModule) -> i64;
    fn spark_classify_torch_linear_speedup() -> f64;
    #[cfg(test)]
    fn spark_classify_torch_linear_layers(module: *const CModule) -> i64;
    fn spark_classify_torch_free(module: *mut CModule);
    fn spark_classify_torch_forward(
        module: *const CModule,
        input: *const C_tensor,
        wanted: *const CWanted,
    ) -> *mut C_tensor;
    fn spark_classify_torch_names(module: *const CModule, input: *const C_tensor) -> *const c_char;
    fn spark_classify_torch_gpus() -> c_int;
    fn spark_classify_torch_prepare_gpu(gpu: c_int, tf32: bool) -> bool;
    #[cfg(test)]
    fn spark_classify_torch_allows_tf32() -> c_int;
    fn spark_classify_torch_lane(
        module: *const CModule,
        images: i64,
        height: i64,
        width: i64,
        channels_last: bool,
        kind: c_int,
        table: *const f32,
    ) -> *mut CLane;
    fn spark_classify_torch_lane_free(lane: *mut CLane);
    fn spark_classify_torch_lane_pixels(lane: *mut CLane) -> *mut u8;
    fn spark_classify_torch_lane_names(lane: *mut CLane) -> *const c_char;
    fn spark_classify_torch_lane_run(
        lane: *mut CLane,
        n: i64,
        wanted: *const CWanted,
        rows: *mut f32,
        width: i64,
    ) -> i64;
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

/// How a module is optimized for the CPU: most of it by leaving layers to oneDNN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimized {
    /// It runs as it is.
    Nothing,
    /// All but its linear layers, which go to the BLAS that libtorch was built with.
    ButLinear,
    /// Its linear layers in float32, too.
    Everything,
}

impl Optimized {
    /// The next lesser way.
    pub(crate) fn less(self) -> Option<Self> {
        match self {
            Self::Everything => Some(Self::ButLinear),
            Self::ButLinear => Some(Self::Nothing),
            Self::Nothing => None,
        }
    }
}

impl fmt::Display for Optimized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "without being optimized",
            Self::ButLinear => "without its linear layers in oneDNN",
            Self::Everything => "optimized",
        })
    }
}

/// What a module is for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Use {
    /// Tensors of the CPU, on the threads that call.
    Tensors {
        /// How it is optimized for that.
        optimized: Optimized,
    },
    /// Pixels in lanes: on the GPU of this number, or on the CPU for tests.
    Lanes {
        /// Whose memory it is loaded into.
        gpu: Option<u32>,
        /// Whether its convolutions may use TF32.
        tf32: bool,
    },
}

/// A `TorchScript` module, frozen for inference.
#[derive(Debug)]
pub(crate) struct Module(NonNull<CModule>);

// SAFETY: a module is reference-counted memory without ties to the thread that made it.
unsafe impl Send for Module {}
// SAFETY: forward is the only use of a shared module. Loading has refused modules that have attributes after freezing,
// which is what they change, or that change their constants (cpp/state.cpp), so threads that run one module only read
// it; and libtorch's executor locks what it caches.
unsafe impl Sync for Module {}

impl Module {
    /// Loads the `TorchScript` file at `path` for `use_`; with `bf16` converted to bfloat16. A module that changes
    /// itself while it runs is refused; so is, unless `all_operators`, a file whose code does more than compute, before
    /// any of that code runs.
    pub(crate) fn load(path: &Path, use_: Use, bf16: bool, all_operators: bool) -> Result<Self, Reason> {
        let path = CString::new(path.as_os_str().as_encoded_bytes()).map_err(|cause| cause.to_string())?;
        let (optimize, for_lanes, gpu, tf32) = match use_ {
            Use::Tensors { optimized } => (optimized, false, None, false),
            Use::Lanes { gpu, tf32 } => (Optimized::Nothing, true, gpu, tf32),
        };
        let optimize = match optimize {
            Optimized::Nothing => 0,
            Optimized::ButLinear => 1,
            Optimized::Everything => 2,
        };
        let gpu = gpu.map_or(-1, |gpu| gpu as c_int);
        // SAFETY: `path` is a null-terminated string that outlives the call; the function catches every exception.
        let module =
            unsafe { spark_classify_torch_load(path.as_ptr(), bf16, all_operators, optimize, for_lanes, gpu, tf32) };
        NonNull::new(module).map(Self).ok_or_else(last_error)
    }

    /// How many convolutions may use TF32.
    #[cfg(test)]
    pub(crate) fn tf32_convolutions(&self) -> i64 {
        // SAFETY: the module is alive as long as `self`; the function only reads it and catches every exception.
        unsafe { spark_classify_torch_tf32_convolutions(self.0.as_ptr()) }
    }

    /// How many linear layers are in oneDNN.
    #[cfg(test)]
    pub(crate) fn linear_layers(&self) -> i64 {
        // SAFETY: the module is alive as long as `self`; the function only reads it and catches every exception.
        unsafe { spark_classify_torch_linear_layers(self.0.as_ptr()) }
    }

    /// Runs the module on a batch and returns what is wanted of it: float32 of shape `[n, width]`, contiguous in
    /// memory, which it may share with the input.
    pub(crate) fn forward(&self, input: &Tensor, wanted: &Wanted<'_>) -> Result<Tensor, Reason> {
        // SAFETY: the module is alive as long as `self`, and `input` is a tensor that tch keeps alive during the call;
        // the function changes neither, and catches every exception. The name in `wanted` is null-terminated and
        // outlives it.
        let output = unsafe { spark_classify_torch_forward(self.0.as_ptr(), input.as_ptr(), &raw const wanted.inner) };
        if output.is_null() {
            return Err(last_error());
        }
        // SAFETY: a non-null result is a new at::Tensor that nobody else owns, which is what tch holds and deletes.
        Ok(unsafe { Tensor::from_ptr(output) })
    }

    /// Runs the module on a batch and returns the names of its outputs; none where they have no names.
    pub(crate) fn names(&self, input: &Tensor) -> Result<Vec<String>, Reason> {
        // SAFETY: as for `forward`; the text lives until the next call of this thread, and is copied before that.
        unsafe { lines(spark_classify_torch_names(self.0.as_ptr(), input.as_ptr())) }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the pointer came from spark_classify_torch_load and is freed here only.
        unsafe { spark_classify_torch_free(self.0.as_ptr()) }
    }
}

/// How many times as fast as libtorch's BLAS oneDNN is with a linear layer on this thread. Takes some milliseconds.
pub(crate) fn linear_speedup() -> Result<f64, Reason> {
    // SAFETY: takes nothing, computes with tensors of its own, and catches every exception.
    let speedup = unsafe { spark_classify_torch_linear_speedup() };
    if speedup > 0.0 {
        Ok(speedup)
    } else {
        Err(last_error())
    }
}

/// How many GPUs libtorch can use.
pub(crate) fn gpus() -> u32 {
    // SAFETY: takes nothing and catches every exception.
    unsafe { spark_classify_torch_gpus() }.try_into().unwrap_or(0)
}

/// Makes sure that a GPU can be used, and says once in a process whether matrix products on GPUs may use TF32; without
/// a GPU, for tests, only the latter.
pub(crate) fn prepare_gpu(gpu: Option<u32>, tf32: bool) -> Result<(), Reason> {
    let gpu = gpu.map_or(-1, |gpu| gpu as c_int);
    // SAFETY: takes numbers, catches every exception, and changes settings that concern work on GPUs only.
    if unsafe { spark_classify_torch_prepare_gpu(gpu, tf32) } {
        Ok(())
    } else {
        Err(last_error())
    }
}

/// Whether the device was the cause of this thread's last failure: its memory, or its state.
pub(crate) fn device_failed() -> bool {
    // SAFETY: takes nothing and reads a number of this thread.
    unsafe { spark_classify_torch_device_failed() }
}

/// Whether this thread's last failure was a module that could be loaded, but must not be used.
pub(crate) fn refused() -> bool {
    // SAFETY: takes nothing and reads a number of this thread.
    unsafe { spark_classify_torch_refused() }
}

/// Whether [`prepare_gpu`] has allowed TF32; `None` where libtorch's answers contradict each other.
#[cfg(test)]
pub(crate) fn allows_tf32() -> Option<bool> {
    // SAFETY: takes nothing and catches every exception.
    match unsafe { spark_classify_torch_allows_tf32() } {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The number of a kind among libtorch's scalar types (c10/core/ScalarType.h), of which these are asked for here.
fn scalar_type(kind: tch::Kind) -> c_int {
    match kind {
        tch::Kind::Half => 5,
        tch::Kind::BFloat16 => 15,
        _ => 6,
    }
}

/// What the pixels of a lane are and what the module makes of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Images<'a> {
    /// Up to so many.
    pub(crate) count: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Whether the module takes NHWC, else NCHW.
    pub(crate) channels_last: bool,
    /// The kind of numbers that it takes.
    pub(crate) kind: tch::Kind,
    pub(crate) samples: &'a SampleTable,
}

/// A lane of a module, for one thread at a time.
#[derive(Debug)]
pub(crate) struct Lane<'a> {
    inner: NonNull<CLane>,
    bytes: usize,
    module: PhantomData<&'a Module>,
}

impl<'a> Lane<'a> {
    pub(crate) fn new(module: &'a Module, images: Images<'_>) -> Result<Self, Reason> {
        let Images {
            count,
            height,
            width,
            channels_last,
            kind,
            samples,
        } = images;
        // SAFETY: the module outlives the lane, which borrows it. The table has 3 x 256 values one after the other, and
        // is copied. The function catches every exception.
        let lane = unsafe {
            spark_classify_torch_lane(
                module.0.as_ptr(),
                count as i64,
                height as i64,
                width as i64,
                channels_last,
                scalar_type(kind),
                samples.0.as_ptr().cast(),
            )
        };
        Ok(Self {
            inner: NonNull::new(lane).ok_or_else(last_error)?,
            bytes: count * 3 * height * width,
            module: PhantomData,
        })
    }

    /// Where the pixels of the next run go.
    pub(crate) fn pixels(&mut self) -> &mut [u8] {
        // SAFETY: the lane holds a contiguous tensor of so many bytes, which nobody else uses between two runs.
        unsafe { slice::from_raw_parts_mut(spark_classify_torch_lane_pixels(self.inner.as_ptr()), self.bytes) }
    }

    /// Runs the module on the first image and returns the names of its outputs; none where they have no names.
    pub(crate) fn names(&mut self) -> Result<Vec<String>, Reason> {
        // SAFETY: the lane is alive as long as `self`, and the function catches every exception; the text lives until
        // the next call of this thread, and is copied before that.
        unsafe { lines(spark_classify_torch_lane_names(self.inner.as_ptr())) }
    }

    /// Runs the module on the first `n` images for what is wanted. `rows` has a whole number of values for each, or is
    /// empty. Returns the width of a row.
    pub(crate) fn run(&mut self, n: usize, wanted: &Wanted<'_>, rows: &mut [f32]) -> Result<usize, Reason> {
        let width = rows.len() / n.max(1);
        // SAFETY: the lane is alive as long as `self`, and the name in `wanted`, which is null-terminated, outlives the
        // call. The function checks `n`, writes n x width values at most, which `rows` has, and catches every
        // exception.
        let width = unsafe {
            spark_classify_torch_lane_run(
                self.inner.as_ptr(),
                n as i64,
                &raw const wanted.inner,
                rows.as_mut_ptr(),
                width as i64,
            )
        };
        match usize::try_from(width) {
            Ok(width) if width > 0 => Ok(width),
            _ => Err(last_error()),
        }
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from spark_classify_torch_lane and is freed here only.
        unsafe { spark_classify_torch_lane_free(self.inner.as_ptr()) }
    }
}

/// The lines of a text, or the reason why there is none.
///
/// # Safety
/// `text` is null, or null-terminated and alive during the call.
unsafe fn lines(text: *const c_char) -> Result<Vec<String>, Reason> {
    if text.is_null() {
        return Err(last_error());
    }
    // SAFETY: as the caller says.
    let text = unsafe { CStr::from_ptr(text) };
    Ok(text.to_string_lossy().lines().map(str::to_owned).collect())
}

fn last_error() -> Reason {
    // SAFETY: returns this thread's string, which lives until the next call of this thread; it is copied before that.
    let error = unsafe { CStr::from_ptr(spark_classify_torch_error()) };
    error.to_string_lossy().trim().to_owned()
}
