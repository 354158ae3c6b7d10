//! The errors that decoders of all formats have.

use crate::error::ImageError;

/// What is wrong with images of the format of this name.
#[derive(Clone, Copy)]
pub(crate) struct Failure(pub(crate) &'static str);

impl Failure {
    /// The file ends before its last pixel.
    pub(crate) fn truncated(self) -> ImageError {
        self.broken("the file is truncated")
    }

    /// The file is not what it should be.
    pub(crate) fn broken(self, reason: impl Into<String>) -> ImageError {
        ImageError::Broken {
            format: self.0,
            reason: reason.into(),
        }
    }

    /// A variant of the format that is not supported.
    pub(crate) fn unsupported(self, reason: impl Into<String>) -> ImageError {
        ImageError::Unsupported {
            format: self.0,
            reason: reason.into(),
        }
    }
}
