//! The threads of one call.

use std::iter;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::{Error, Result};
use crate::platform::panics;

/// The name of the threads that help the caller's, for those who look at a process.
const HELPER: &str = "classify";

/// Runs `work` on this thread and, at the same time, on `threads - 1` new ones, and returns what each gave.
///
/// `work` is to take its tasks from a queue: where the system has no thread to give, the others do its share.
///
/// # Errors
/// [`Error::Internal`] when `work` panicked, on whichever thread. The others run to their end nevertheless.
pub(crate) fn on_threads<T: Send>(threads: usize, work: impl Fn() -> T + Sync) -> Result<Vec<T>> {
    // A panic stays within its thread, which knows the place, and becomes an error here.
    let guarded = || catch_unwind(AssertUnwindSafe(&work)).map_err(panics::describe);
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads)
            .filter_map(|_| {
                let helper = thread::Builder::new().name(HELPER.to_owned());
                helper.spawn_scoped(scope, guarded).ok()
            })
            .collect();
        let own = guarded();
        let others = helpers
            .into_iter()
            .map(|helper| helper.join().unwrap_or_else(|payload| Err(panics::describe(payload))));
        // All are joined before the first panic is looked at.
        let finished: Vec<_> = iter::once(own).chain(others).collect();
        finished.into_iter().collect::<Result<_, String>>()
    })
    .map_err(|panic| Error::Internal(format!("panic in a batch: {panic}")))
}

/// Locks a mutex under which nothing is ever half done, so that a poisoned one is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_panic_on_any_thread_is_an_error_and_the_others_finish() {
        let caller = thread::current().id();
        for (on_caller, others) in [(true, 2), (false, 1)] {
            let finished = AtomicUsize::new(0);
            let result = on_threads(3, || {
                let is_caller = thread::current().id() == caller;
                assert!(is_caller != on_caller, "provoked");
                finished.fetch_add(1, Ordering::SeqCst)
            });
            let message = result.unwrap_err().to_string();
            assert_eq!(message, "internal error: panic in a batch: provoked");
            assert_eq!(finished.into_inner(), others);
        }
    }
}
