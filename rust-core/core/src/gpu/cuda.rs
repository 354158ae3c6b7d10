//! What the NVIDIA driver of this machine says, asked through its own library: the same for every engine.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, CStr};
use std::sync::LazyLock;

use crate::engine::Device;
use crate::error::Error;
use crate::platform::{environment, libraries};

/// The library of the driver, which comes with it and never with CUDA.
const LIBRARY: &str = "libcuda.so.1";

/// The order of `nvidia-smi`, by which Spark and its users number GPUs; CUDA's own order is another one.
const ORDER: (&str, &str) = ("CUDA_DEVICE_ORDER", "PCI_BUS_ID");

/// The driver and its GPUs.
#[derive(Debug)]
pub struct Driver {
    /// The newest version of CUDA that it knows, for example `13.0`.
    pub cuda_version: String,
    /// The names of the GPUs that this process may use, by their numbers.
    pub gpus: Vec<String>,
}

/// The driver, or why there is none that can be used. It is asked once in the life of the process.
///
/// # Errors
/// The reason, which names what is missing.
pub fn driver() -> Result<&'static Driver, &'static str> {
    static DRIVER: LazyLock<Result<Driver, String>> = LazyLock::new(ask);
    DRIVER.as_ref().map_err(String::as_str)
}

/// The devices of this process, as [`Device`] names them: the CPU, and each GPU.
#[must_use]
pub fn devices() -> Vec<String> {
    let gpus = driver().map_or(0, |driver| driver.gpus.len() as u32);
    let cuda = (0..gpus).map(Device::Cuda);
    std::iter::once(Device::Cpu)
        .chain(cuda)
        .map(|device| device.to_string())
        .collect()
}

/// The name of GPU number `index`.
///
/// # Errors
/// [`Error::Device`] where there is no driver, or no such GPU.
pub fn gpu(index: u32) -> Result<&'static str, Error> {
    let unavailable = |reason: String| Error::Device {
        device: Device::Cuda(index).to_string(),
        reason,
    };
    let driver = driver().map_err(|reason| unavailable(reason.to_owned()))?;
    driver.gpus.get(index as usize).map(String::as_str).ok_or_else(|| {
        unavailable(match driver.gpus.len() {
            0 => "the driver shows this process no GPU (does CUDA_VISIBLE_DEVICES hide them?)".to_owned(),
            count => format!("there is no GPU of this number, only 0 to {}", count - 1),
        })
    })
}

fn ask() -> Result<Driver, String> {
    environment::set_default(ORDER.0, ORDER.1);
    // SAFETY: loading the driver's library runs its initialisers, which have no preconditions. The loader finds it
    // where it finds those of the system.
    let library = unsafe { libloading::Library::new(LIBRARY) }.map_err(|cause| {
        format!(
            "there is no NVIDIA driver: {}; install the driver, or start the container with its GPUs (docker run --gpus all)",
            libraries::reason(&cause)
        )
    })?;
    let driver = Calls::of(&library)?.driver();
    // Engines use the driver, too; unloading it under them would be fatal.
    std::mem::forget(library);
    driver
}

/// `CUresult`; 0 is success.
type Status = c_int;

/// The functions of the driver that are called here, whose types have been the same since CUDA 3.2 (cuda.h).
struct Calls<'a> {
    init: libloading::Symbol<'a, unsafe extern "C" fn(c_uint) -> Status>,
    version: libloading::Symbol<'a, unsafe extern "C" fn(*mut c_int) -> Status>,
    count: libloading::Symbol<'a, unsafe extern "C" fn(*mut c_int) -> Status>,
    name: libloading::Symbol<'a, unsafe extern "C" fn(*mut c_char, c_int, c_int) -> Status>,
    error: libloading::Symbol<'a, unsafe extern "C" fn(Status, *mut *const c_char) -> Status>,
    /// Since CUDA 11.
    set_flags: Option<libloading::Symbol<'a, unsafe extern "C" fn(c_int, c_uint) -> Status>>,
}

impl<'a> Calls<'a> {
    fn of(library: &'a libloading::Library) -> Result<Self, String> {
        let no_driver =
            |cause: libloading::Error| format!("{LIBRARY} is no NVIDIA driver: {}", libraries::reason(&cause));
        // SAFETY: the symbols of these names have these types, see above.
        unsafe {
            Ok(Self {
                init: library.get(b"cuInit").map_err(no_driver)?,
                version: library.get(b"cuDriverGetVersion").map_err(no_driver)?,
                count: library.get(b"cuDeviceGetCount").map_err(no_driver)?,
                name: library.get(b"cuDeviceGetName").map_err(no_driver)?,
                error: library.get(b"cuGetErrorString").map_err(no_driver)?,
                set_flags: library.get(b"cuDevicePrimaryCtxSetFlags_v2").ok(),
            })
        }
    }

    fn driver(&self) -> Result<Driver, String> {
        // SAFETY: takes only 0; may be called at any time.
        self.check("cuInit", unsafe { (self.init)(0) })?;
        let (mut version, mut count) = (0, 0);
        // SAFETY: writes one int.
        self.check("cuDriverGetVersion", unsafe { (self.version)(&raw mut version) })?;
        // SAFETY: writes one int; cuInit has succeeded.
        self.check("cuDeviceGetCount", unsafe { (self.count)(&raw mut count) })?;
        let gpus = (0..count)
            .map(|device| self.name_of(device))
            .collect::<Result<_, _>>()?;
        self.wait_without_spinning(count);
        Ok(Driver {
            cuda_version: format!("{}.{}", version / 1000, version % 1000 / 10),
            gpus,
        })
    }

    /// A `CUdevice` is its number.
    fn name_of(&self, device: c_int) -> Result<String, String> {
        let mut name = [0; 256];
        // SAFETY: writes a null-terminated string of at most the length it is given.
        let status = unsafe { (self.name)(name.as_mut_ptr().cast(), name.len() as c_int, device) };
        self.check("cuDeviceGetName", status)?;
        Ok(
            CStr::from_bytes_until_nul(&name)
                .map_or_else(|_| String::new(), |name| name.to_string_lossy().into_owned()),
        )
    }

    /// Threads that wait for a GPU sleep: by default they spin, on cores that others decode images on. It counts for
    /// all that use CUDA in this process, and has to be said before they begin; a driver that does not know it does
    /// without.
    fn wait_without_spinning(&self, count: c_int) {
        /// `CU_CTX_SCHED_BLOCKING_SYNC`
        const BLOCKING_SYNC: c_uint = 4;
        let Some(set_flags) = &self.set_flags else { return };
        for device in 0..count {
            // SAFETY: takes a device that exists and flags, and returns a status; nothing depends on its success.
            let status = unsafe { set_flags(device, BLOCKING_SYNC) };
            log::debug!("blocking waits on GPU {device}: status {status}");
        }
    }

    fn check(&self, call: &str, status: Status) -> Result<(), String> {
        if status == 0 {
            return Ok(());
        }
        let mut text = std::ptr::null();
        // SAFETY: writes a pointer to a static string, or null for a status it does not know.
        unsafe { (self.error)(status, &raw mut text) };
        let text = if text.is_null() {
            "unknown".to_owned()
        } else {
            // SAFETY: a static, null-terminated string, see above.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        };
        Err(format!(
            "the NVIDIA driver cannot be used: {call} gives error {status}, {text}"
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_gpu_is_there_or_the_reason_is_told() {
        match driver() {
            Ok(driver) => {
                assert!(driver.cuda_version.contains('.'), "{driver:?}");
                assert_eq!(devices().len(), 1 + driver.gpus.len());
                assert_eq!(gpu(0).is_ok(), !driver.gpus.is_empty());
            }
            Err(reason) => {
                assert_eq!(devices(), ["cpu"]);
                let error = gpu(1).unwrap_err().to_string();
                assert_eq!(error, format!("device cuda:1: {reason}"));
                assert!(
                    reason.contains(LIBRARY) || reason.contains("driver cannot be used"),
                    "{reason}"
                );
            }
        }
        let error = gpu(10_000).unwrap_err();
        assert!(
            matches!(&error, Error::Device { device, .. } if device == "cuda:10000"),
            "{error:?}"
        );
    }
}
