//! The log bridge: messages of the `log` crate go to `io.sparkclassify.natives.NativeLog`, and so to Spark's own log.

use std::cell::Cell;
use std::panic::{catch_unwind, AssertUnwindSafe};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::java::Java;

struct JavaLog;

thread_local! {
    /// Whether this thread is inside the bridge: the JNI layer logs as well, and would come back here for ever.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

impl Log for JavaLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The JNI layer traces every argument of every call; that is its own affair.
        let is_noise = metadata.target().starts_with("jni::") && metadata.level() > Level::Warn;
        metadata.level() <= log::max_level() && !is_noise
    }

    fn log(&self, record: &Record<'_>) {
        let Some(java) = Java::known() else { return };
        if !self.enabled(record.metadata()) || INSIDE.replace(true) {
            return;
        }
        // A message that cannot be logged is lost: the caller has something better to do than to fail for it.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            java.log(record.level() as i32, record.target(), &record.args().to_string())
        }));
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

/// Installs the bridge. `level` is what [`Java::log_level`] said, 0 (off) to 5 (trace).
///
/// Asking the JVM for every message would cost a call across the boundary, so the level is taken over once; the JVM's
/// log still filters what arrives.
pub(crate) fn install(level: i32) {
    static JAVA_LOG: JavaLog = JavaLog;
    // An error only says that the bridge is installed already.
    let _ = log::set_logger(&JAVA_LOG);
    log::set_max_level(level_filter(level));
}

fn level_filter(level: i32) -> LevelFilter {
    LevelFilter::iter()
        .nth(usize::try_from(level).unwrap_or(0))
        .unwrap_or(LevelFilter::Trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_numbered_like_in_java() {
        assert_eq!(level_filter(-1), LevelFilter::Off);
        assert_eq!(level_filter(0), LevelFilter::Off);
        assert_eq!(level_filter(1), LevelFilter::Error);
        assert_eq!(level_filter(3), LevelFilter::Info);
        assert_eq!(level_filter(5), LevelFilter::Trace);
        assert_eq!(level_filter(6), LevelFilter::Trace);
    }
}
