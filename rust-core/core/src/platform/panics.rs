//! What a panic has to say, for the errors that it becomes.

use std::any::Any;
use std::cell::RefCell;
use std::panic;
use std::sync::Once;

thread_local! {
    /// Message and place of the last panic of this thread.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Has [`describe`] tell the places of panics that happen from now on. The previous hook still runs.
pub fn remember_places() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let place = info
                .location()
                .map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
            LAST_PANIC.set(Some(format!("{}{place}", message(info.payload()))));
            previous(info);
        }));
    });
}

/// The message of the panic with this payload, and its place if it happened on this thread.
#[must_use]
pub fn describe(payload: Box<dyn Any + Send>) -> String {
    let message = message(payload.as_ref());
    // The last panic of this thread may be another one.
    let text = LAST_PANIC
        .take()
        .filter(|last| last.starts_with(message))
        .unwrap_or_else(|| message.to_owned());
    // A payload may panic again when it is dropped; nobody needs it any more.
    std::mem::forget(payload);
    text
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
