//! What happens to native calls when the process ends.
//!
//! The JVM stops its Java threads before it calls `exit`, but a thread inside a native method goes on. Then the
//! destructors of the engines' static objects run under it, which ends in SIGSEGV. So a handler that runs before them
//! waits for such calls, and where they take too long it ends the process without any destructor.

#![allow(unsafe_code)] // a handler for the C library, which calls it; each block says why it holds

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use spark_classify_core::{Error, Result};

/// How long calls may take to end. Their results reach nobody any more.
const PATIENCE: Duration = Duration::from_secs(2);

static ENDING: AtomicBool = AtomicBool::new(false);
static RUNNING: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn on_exit(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// A call that uses an engine; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running(());

impl Running {
    /// Begins a call.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`] when the process is ending.
    pub(crate) fn begin() -> Result<Self> {
        // Counted before it asks: the handler says that the process is ending before it counts.
        RUNNING.fetch_add(1, Ordering::SeqCst);
        let running = Self(());
        if ENDING.load(Ordering::SeqCst) {
            return Err(Error::ShuttingDown);
        }
        Ok(running)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Has the handler run before the destructors of all static objects that there are now. To be called when an engine is
/// loaded, and again when a model is: engines make some objects at their first use. It may run several times.
pub(crate) fn guard() {
    // SAFETY: registers a function of this library, which is never unloaded (the shells are linked with `-z nodelete`);
    // it uses no argument.
    unsafe { on_exit(wait_for_calls, ptr::null_mut()) };
}

/// Runs on the thread that ends the process, whichever way: a signal, `System.exit`, `Runtime.halt`, or the end of
/// `main`.
extern "C" fn wait_for_calls(status: c_int, _: *mut c_void) {
    ENDING.store(true, Ordering::SeqCst);
    let start = Instant::now();
    while RUNNING.load(Ordering::SeqCst) > 0 {
        if start.elapsed() > PATIENCE {
            // SAFETY: ends the process at once; no code of ours runs after it.
            unsafe { _exit(status) }
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_of_a_process_that_ends_is_refused_and_does_not_count() {
        assert!(Running::begin().is_ok());
        ENDING.store(true, Ordering::SeqCst);
        let refused = Running::begin();
        ENDING.store(false, Ordering::SeqCst);
        assert!(
            matches!(&refused, Err(error) if error.condition() == "CLASSIFY_SHUTTING_DOWN"),
            "{refused:?}"
        );
        assert_eq!(RUNNING.load(Ordering::SeqCst), 0);
    }
}
