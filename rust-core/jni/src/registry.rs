//! The loaded models of this process, known to the JVM by handles.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;
use spark_classify_core::{Error, Result};

/// Values of type `V`, each loaded once for its key `K`.
///
/// A handle is a number that is given out once in the life of the process: after [`Registry::close`] it is stale for
/// ever, and using it is an error.
#[derive(Debug)]
pub(crate) struct Registry<K, V> {
    slots: Mutex<HashMap<K, Arc<OnceCell<Open<V>>>>>,
    next_handle: AtomicI64,
}

#[derive(Debug)]
struct Open<V> {
    handle: i64,
    value: Arc<V>,
}

impl<K: Eq + Hash + Clone, V> Registry<K, V> {
    /// An empty registry.
    pub(crate) fn new() -> Self {
        Self {
            slots: Mutex::new(HashMap::new()),
            next_handle: AtomicI64::new(1),
        }
    }

    /// The handle of `key`'s value, which `load` makes when it is not there.
    ///
    /// Callers that come while it is being loaded wait for it. When loading fails (or panics), this caller gets the
    /// error, and the next one, waiting or later, tries again.
    ///
    /// # Errors
    /// Those of `load`.
    pub(crate) fn open(&self, key: &K, load: impl FnOnce() -> Result<V>) -> Result<i64> {
        // The map is locked only to find the slot: loading one model must not hold up the use of another.
        let slot = Arc::clone(self.lock().entry(key.clone()).or_default());
        let open = slot.get_or_try_init(|| {
            load().map(|value| Open {
                handle: self.next_handle.fetch_add(1, Ordering::Relaxed),
                value: Arc::new(value),
            })
        })?;
        Ok(open.handle)
    }

    /// The value behind `handle`.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] when it is not open.
    pub(crate) fn get(&self, handle: i64) -> Result<Arc<V>> {
        // A process has a handful of models, so a scan beats a second map that would have to agree with the first.
        self.lock()
            .values()
            .filter_map(|slot| slot.get())
            .find(|open| open.handle == handle)
            .map(|open| Arc::clone(&open.value))
            .ok_or(Error::StaleHandle(handle))
    }

    /// Keys and values of all that is open, in the order of their handles.
    pub(crate) fn all(&self) -> Vec<(K, Arc<V>)> {
        let mut open: Vec<_> = self
            .lock()
            .iter()
            .filter_map(|(key, slot)| {
                slot.get()
                    .map(|open| (open.handle, key.clone(), Arc::clone(&open.value)))
            })
            .collect();
        open.sort_unstable_by_key(|(handle, ..)| *handle);
        open.into_iter().map(|(_, key, value)| (key, value)).collect()
    }

    /// Forgets the value behind `handle`; it is dropped when the last call that uses it has returned.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] when it is not open.
    pub(crate) fn close(&self, handle: i64) -> Result<()> {
        let mut slots = self.lock();
        let key = slots
            .iter()
            .find(|(_, slot)| slot.get().is_some_and(|open| open.handle == handle))
            .map(|(key, _)| key.clone())
            .ok_or(Error::StaleHandle(handle))?;
        let closed = slots.remove(&key);
        // Dropping a model takes time; others need not wait for it.
        drop(slots);
        drop(closed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<OnceCell<Open<V>>>>> {
        // No code that could panic runs under the lock, and a map is whole after any panic anyway.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::atomic::AtomicUsize;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn broken() -> Error {
        Error::Argument {
            argument: "model",
            reason: "broken".to_owned(),
        }
    }

    #[test]
    fn concurrent_callers_share_one_load() {
        let registry = Registry::<&str, String>::new();
        let loads = AtomicUsize::new(0);
        let start = Barrier::new(4);
        let handles: Vec<i64> = thread::scope(|scope| {
            let callers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        registry.open(&"m", || {
                            loads.fetch_add(1, Ordering::SeqCst);
                            thread::yield_now();
                            Ok("model".to_owned())
                        })
                    })
                })
                .collect();
            callers
                .into_iter()
                .map(|caller| caller.join().unwrap().unwrap())
                .collect()
        });
        assert_eq!(loads.into_inner(), 1);
        assert_eq!(handles, [handles[0]; 4]);
        assert_eq!(*registry.get(handles[0]).unwrap(), "model");
    }

    #[test]
    fn a_failed_load_is_tried_again() {
        let registry = Registry::<&str, u8>::new();
        assert!(matches!(
            registry.open(&"m", || Err(broken())),
            Err(Error::Argument { .. })
        ));
        let panicked = thread::scope(|scope| scope.spawn(|| registry.open(&"m", || panic!("in load"))).join());
        assert!(panicked.is_err());
        let handle = registry.open(&"m", || Ok(7)).unwrap();
        assert_eq!(*registry.get(handle).unwrap(), 7);
    }

    #[test]
    fn what_is_open_is_listed_in_the_order_of_opening() {
        let registry = Registry::<&str, u8>::new();
        for (value, key) in ["z", "m", "a"].iter().enumerate() {
            registry.open(key, || Ok(value as u8)).unwrap();
        }
        assert!(registry.open(&"broken", || Err(broken())).is_err());
        let all = registry.all();
        let all: Vec<_> = all.iter().map(|(key, value)| (*key, **value)).collect();
        assert_eq!(all, [("z", 0), ("m", 1), ("a", 2)]);
    }

    #[test]
    fn handles_are_never_reused() {
        let registry = Registry::<&str, u8>::new();
        let first = registry.open(&"m", || Ok(1)).unwrap();
        let in_use = registry.get(first).unwrap();
        registry.close(first).unwrap();
        assert!(matches!(registry.get(first), Err(Error::StaleHandle(handle)) if handle == first));
        assert!(matches!(registry.close(first), Err(Error::StaleHandle(_))));
        assert_eq!(*in_use, 1, "a call that runs keeps its model");

        assert!(registry.all().is_empty());
        let second = registry.open(&"m", || Ok(2)).unwrap();
        assert_ne!(second, first);
        assert!(matches!(registry.get(first), Err(Error::StaleHandle(_))));
        assert!(matches!(registry.get(0), Err(Error::StaleHandle(0))));
    }
}
