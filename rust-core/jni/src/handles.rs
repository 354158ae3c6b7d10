//! What the JVM has opened and will close again, known to it by numbers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spark_classify_core::{Error, Result};

/// Open values by their handles: numbers that are given out once in the life of the process. After [`Handles::close`]
/// one is stale for ever, and using it is an error.
#[derive(Debug)]
pub(crate) struct Handles<V>(Mutex<State<V>>);

#[derive(Debug)]
struct State<V> {
    open: BTreeMap<i64, Arc<V>>,
    last: i64,
}

impl<V> Handles<V> {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(State {
            open: BTreeMap::new(),
            last: 0,
        }))
    }

    /// A new handle, of `value`.
    pub(crate) fn open(&self, value: V) -> i64 {
        let mut state = self.lock();
        state.last += 1;
        let handle = state.last;
        state.open.insert(handle, Arc::new(value));
        handle
    }

    /// The value behind `handle`.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] when it is not open.
    pub(crate) fn get(&self, handle: i64) -> Result<Arc<V>> {
        let state = self.lock();
        state
            .open
            .get(&handle)
            .map(Arc::clone)
            .ok_or(Error::StaleHandle(handle))
    }

    /// All that is open, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<V>> {
        self.lock().open.values().map(Arc::clone).collect()
    }

    /// Forgets `handle`. Its value is dropped as soon as no call uses it any more.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] when it is not open.
    pub(crate) fn close(&self, handle: i64) -> Result<()> {
        let value = self.lock().open.remove(&handle).ok_or(Error::StaleHandle(handle))?;
        // Dropping a model takes time; others need not wait for it, as they would under the lock.
        drop(value);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<V>> {
        // No code that could panic runs under the lock, and the map is whole after any panic anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_is_open_is_listed_in_the_order_of_opening() {
        let handles = Handles::new();
        let [_, second, _] = ["z", "m", "a"].map(|value| handles.open(value));
        let all = || handles.all().iter().map(|value| **value).collect::<Vec<_>>();
        assert_eq!(all(), ["z", "m", "a"]);
        handles.close(second).unwrap();
        assert_eq!(all(), ["z", "a"]);
    }

    #[test]
    fn handles_are_never_reused() {
        let handles = Handles::new();
        let first = handles.open(1);
        let in_use = handles.get(first).unwrap();
        handles.close(first).unwrap();
        assert!(matches!(handles.get(first), Err(Error::StaleHandle(handle)) if handle == first));
        assert!(matches!(handles.close(first), Err(Error::StaleHandle(_))));
        assert_eq!(*in_use, 1, "a call that runs keeps its value");
        assert_eq!(Arc::strong_count(&in_use), 1, "and nobody else does");

        assert!(handles.all().is_empty());
        let second = handles.open(2);
        assert_ne!(second, first);
        assert!(matches!(handles.get(first), Err(Error::StaleHandle(_))));
        assert!(matches!(handles.get(0), Err(Error::StaleHandle(0))));
    }
}
