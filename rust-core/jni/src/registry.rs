//! The loaded models of this process, known to the JVM by handles.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;
use spark_classify_core::{Error, Result};

/// Values of type `V`, each loaded once for its key `K` and kept while it is open.
///
/// Every call of [`Registry::open`] gives a handle of its own, so that nobody can close what another caller has opened.
/// A handle is a number that is given out once in the life of the process: after [`Registry::close`] it is stale for
/// ever, and using it is an error.
#[derive(Debug)]
pub(crate) struct Registry<K, V>(Mutex<State<K, V>>);

#[derive(Debug)]
struct State<K, V> {
    /// The values by key, those that are being loaded too.
    slots: HashMap<K, Arc<OnceCell<Arc<V>>>>,
    open: BTreeMap<i64, (K, Arc<V>)>,
    last_handle: i64,
}

impl<K: Eq + Hash + Clone, V> Registry<K, V> {
    /// An empty registry.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State {
            slots: HashMap::new(),
            open: BTreeMap::new(),
            last_handle: 0,
        }))
    }

    /// A new handle of `key`'s value, which `load` makes when nobody has it open.
    ///
    /// Callers that come while it is being loaded wait for it. When loading fails (or panics), this caller gets the
    /// error, and the next one, waiting or later, tries again.
    ///
    /// # Errors
    /// Those of `load`.
    pub(crate) fn open(&self, key: &K, load: impl FnOnce() -> Result<V>) -> Result<i64> {
        // The lock is held only to find the slot: loading one model must not hold up the use of another.
        let slot = Arc::clone(self.lock().slots.entry(key.clone()).or_default());
        let value = Arc::clone(slot.get_or_try_init(|| load().map(Arc::new))?);
        let mut state = self.lock();
        state.last_handle += 1;
        let handle = state.last_handle;
        state.open.insert(handle, (key.clone(), value));
        // Whoever has closed the last other handle meanwhile has taken the slot away.
        state.slots.entry(key.clone()).or_insert(slot);
        Ok(handle)
    }

    /// The value behind `handle`.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] when it is not open.
    pub(crate) fn get(&self, handle: i64) -> Result<Arc<V>> {
        let state = self.lock();
        let (_, value) = state.open.get(&handle).ok_or(Error::StaleHandle(handle))?;
        Ok(Arc::clone(value))
    }

    /// Keys and values of all that is open, each once, in the order of their handles.
    pub(crate) fn all(&self) -> Vec<(K, Arc<V>)> {
        let state = self.lock();
        let mut all: Vec<(K, Arc<V>)> = Vec::new();
        for (key, value) in state.open.values() {
            if !all.iter().any(|(known, _)| known == key) {
                all.push((key.clone(), Arc::clone(value)));
            }
        }
        all
    }

    /// Forgets `handle`. When it was the last one of its value, that is dropped as soon as no call uses it any more.
    ///
    /// # Errors
    /// [`Error::StaleHandle`] when it is not open.
    pub(crate) fn close(&self, handle: i64) -> Result<()> {
        let mut state = self.lock();
        let (key, value) = state.open.remove(&handle).ok_or(Error::StaleHandle(handle))?;
        let unused = !state.open.values().any(|(other, _)| *other == key);
        let slot = unused.then(|| state.slots.remove(&key));
        // Dropping a model takes time; others need not wait for it.
        drop(state);
        drop((slot, value));
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State<K, V>> {
        // No code that could panic runs under the lock, and the maps are whole after any panic anyway.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use std::sync::atomic::{AtomicUsize, Ordering};
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
        for (at, handle) in handles.iter().enumerate() {
            assert_eq!(*registry.get(*handle).unwrap(), "model");
            assert!(!handles[..at].contains(handle));
        }
        assert_eq!(registry.all().len(), 1);
    }

    #[test]
    fn a_value_lives_until_its_last_handle_is_closed() {
        let registry = Registry::<&str, u8>::new();
        let first = registry.open(&"m", || Ok(1)).unwrap();
        let second = registry.open(&"m", || panic!("it is there")).unwrap();
        registry.close(first).unwrap();
        assert!(registry.get(first).is_err());
        let third = registry.open(&"m", || panic!("it is still there")).unwrap();
        let value = registry.get(second).unwrap();
        registry.close(second).unwrap();
        registry.close(third).unwrap();
        assert_eq!(Arc::strong_count(&value), 1);
        let fourth = registry.open(&"m", || Ok(2)).unwrap();
        assert_eq!(*registry.get(fourth).unwrap(), 2);
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
