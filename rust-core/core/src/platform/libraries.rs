//! Shared libraries that are loaded at run time.

use std::error::Error;

/// Why a library was not loaded, with what the dynamic linker says of it: which file it did not find, for example.
#[must_use]
pub fn reason(error: &libloading::Error) -> String {
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    #[test]
    #[allow(unsafe_code)]
    fn the_reason_names_the_file() {
        // SAFETY: there is no such library.
        let error = unsafe { libloading::Library::new("libno-such-thing.so.7") }.unwrap_err();
        let reason = super::reason(&error);
        assert!(reason.contains("libno-such-thing.so.7"), "{reason}");
    }
}
