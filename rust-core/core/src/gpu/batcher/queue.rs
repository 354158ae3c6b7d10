//! Items of several callers, waiting to be taken by whoever has time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::platform::threads::lock;

/// Names a caller of one queue.
pub(super) type Caller = u64;

/// A queue of several callers. Each may have a bounded number of items in it, and they are taken from all callers in
/// turn, so that none waits behind the backlog of another. The items of one caller keep their order.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Items of one caller.
    bound: usize,
    /// An item has come, or the queue was closed.
    filled: Condvar,
    /// Items have gone, or the queue was closed.
    emptied: Condvar,
}

#[derive(Debug)]
struct State<T> {
    /// What waits, by caller; nobody has an empty list here.
    waiting: HashMap<Caller, VecDeque<T>>,
    /// Those who have something waiting; the first one is next.
    turns: VecDeque<Caller>,
    last_caller: Caller,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue that holds up to `bound` items of each caller.
    pub(super) fn new(bound: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: HashMap::new(),
                turns: VecDeque::new(),
                last_caller: 0,
                closed: false,
            }),
            bound,
            filled: Condvar::new(),
            emptied: Condvar::new(),
        }
    }

    /// A caller that nobody else is.
    pub(super) fn caller(&self) -> Caller {
        let mut state = lock(&self.state);
        state.last_caller += 1;
        state.last_caller
    }

    /// Puts an item in. Waits while the caller has as many in the queue as it may.
    ///
    /// # Errors
    /// The item, when the queue is closed.
    pub(super) fn put(&self, caller: Caller, item: T) -> Result<(), T> {
        let full = |state: &mut State<T>| {
            !state.closed
                && state
                    .waiting
                    .get(&caller)
                    .is_some_and(|items| items.len() >= self.bound)
        };
        let state = lock(&self.state);
        let mut state = self
            .emptied
            .wait_while(state, full)
            .unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(item);
        }
        let items = state.waiting.entry(caller).or_default();
        items.push_back(item);
        if items.len() == 1 {
            state.turns.push_back(caller);
        }
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Takes what is there, at most `max()` items, one of each caller in turn. Waits until there is one; nothing comes
    /// of a queue that is closed and empty.
    ///
    /// `max` is asked after the wait, which may be long: what was true before it need not be true any more.
    pub(super) fn take(&self, max: impl FnOnce() -> usize) -> Vec<T> {
        let state = lock(&self.state);
        let nothing = |state: &mut State<T>| state.turns.is_empty() && !state.closed;
        let mut state = self
            .filled
            .wait_while(state, nothing)
            .unwrap_or_else(PoisonError::into_inner);
        let max = max();
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(item) = state.next() else { break };
            taken.push(item);
        }
        drop(state);
        self.emptied.notify_all();
        taken
    }

    /// Takes out what a caller has waiting, and returns how much that was.
    pub(super) fn cancel(&self, caller: Caller) -> usize {
        let mut state = lock(&self.state);
        state.turns.retain(|other| *other != caller);
        let items = state.waiting.remove(&caller).unwrap_or_default();
        drop(state);
        self.emptied.notify_all();
        items.len()
    }

    /// Refuses items from now on. What waits can still be taken.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.filled.notify_all();
        self.emptied.notify_all();
    }
}

impl<T> State<T> {
    fn next(&mut self) -> Option<T> {
        let caller = self.turns.pop_front()?;
        let items = self.waiting.get_mut(&caller)?;
        let item = items.pop_front();
        if items.is_empty() {
            self.waiting.remove(&caller);
        } else {
            self.turns.push_back(caller);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn callers_are_served_in_turn_and_in_their_order() {
        let queue = Queue::new(10);
        let (greedy, modest) = (queue.caller(), queue.caller());
        for item in 0..5 {
            queue.put(greedy, (greedy, item)).unwrap();
        }
        queue.put(modest, (modest, 0)).unwrap();
        queue.put(modest, (modest, 1)).unwrap();
        assert_eq!(
            queue.take(|| 5),
            [(greedy, 0), (modest, 0), (greedy, 1), (modest, 1), (greedy, 2)]
        );
        assert_eq!(queue.take(|| 5), [(greedy, 3), (greedy, 4)]);
    }

    #[test]
    fn who_has_too_much_waiting_waits_and_others_do_not() {
        let queue = Queue::new(2);
        let (full, other) = (queue.caller(), queue.caller());
        queue.put(full, 1).unwrap();
        queue.put(full, 2).unwrap();
        queue.put(other, 10).unwrap();
        let put = AtomicUsize::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                queue.put(full, 3).unwrap();
                put.store(1, Ordering::SeqCst);
            });
            thread::sleep(Duration::from_millis(50));
            assert_eq!(put.load(Ordering::SeqCst), 0);
            assert_eq!(queue.take(|| 1), [1]);
        });
        assert_eq!(queue.take(|| 9), [10, 2, 3]);
    }

    #[test]
    fn what_is_cancelled_is_never_taken() {
        let queue = Queue::new(4);
        let (stays, goes) = (queue.caller(), queue.caller());
        for item in 0..3 {
            queue.put(goes, 100 + item).unwrap();
            queue.put(stays, item).unwrap();
        }
        assert_eq!(queue.take(|| 2), [100, 0]);
        assert_eq!((queue.cancel(goes), queue.cancel(goes)), (2, 0));
        assert_eq!(queue.take(|| 9), [1, 2]);
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_takes_nothing() {
        let queue = Queue::new(1);
        let caller = queue.caller();
        queue.put(caller, 1).unwrap();
        thread::scope(|scope| {
            let blocked = scope.spawn(|| queue.put(caller, 2));
            thread::sleep(Duration::from_millis(20));
            queue.close();
            assert_eq!(blocked.join().unwrap(), Err(2));
        });
        assert_eq!(queue.put(caller, 3), Err(3));
        assert_eq!(queue.take(|| 9), [1]);
        assert!(queue.take(|| 9).is_empty());
    }

    #[test]
    fn who_waits_takes_no_more_than_may_be_taken_when_the_wait_is_over() {
        let queue = Queue::new(9);
        let caller = queue.caller();
        let max = AtomicUsize::new(9);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take(|| max.load(Ordering::SeqCst)));
            thread::sleep(Duration::from_millis(20));
            max.store(0, Ordering::SeqCst);
            queue.put(caller, 1).unwrap();
            assert!(waiting.join().unwrap().is_empty());
        });
        assert_eq!(queue.take(|| 9), [1]);
    }

    #[test]
    fn who_waits_for_items_ends_when_the_queue_is_closed() {
        let queue = Queue::<u8>::new(1);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.take(|| 1));
            thread::sleep(Duration::from_millis(20));
            queue.close();
            assert!(waiting.join().unwrap().is_empty());
        });
    }
}
