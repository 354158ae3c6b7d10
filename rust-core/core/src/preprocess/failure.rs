//! The errors that decoders of all formats have.

use crate::error::ImageError;

/// What is wrong with images of the format of this name.
pub(super) struct Failure(pub(super) &'static str);

impl Failure {
    /// The file ends before its last pixel.
    pub(super) fn truncated(&self) -> ImageError {
        self.broken("the file is truncated")
    }

    /// The file is not what it should be.
    pub(super) fn broken(&self, reason: impl Into<String>) -> ImageError {
        ImageError::Broken {
            format: self.0,
            reason: reason.into(),
        }
    }
}
