//! What can go wrong with one image.

use std::fmt;

/// Why an image cannot be decoded or resized. The caller adds its path, which this crate does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Zero bytes.
    #[error("the file is empty")]
    Empty,

    /// The first bytes belong to no supported image format.
    #[error("not an image of a supported format ({supported}){}{}", what.map_or("", |_| ": it is "), what.unwrap_or(""))]
    UnknownFormat {
        /// What the file is, with the way out, where its first bytes tell: `a HEIC image; convert it, ...`.
        what: Option<&'static str>,
        /// The formats that are supported, for the message.
        supported: String,
    },

    /// The decoder refused the content.
    #[error("broken {format} image: {reason}")]
    Broken {
        /// `JPEG`, `PNG`, ...
        format: &'static str,
        /// The decoder's reason.
        reason: String,
    },

    /// A colour type, bit depth or variant of a supported format that is not supported.
    #[error("unsupported {format} image: {reason}")]
    Unsupported {
        /// `JPEG`, `PNG`, ...
        format: &'static str,
        /// The variant.
        reason: String,
    },

    /// There is not enough memory for the pixels.
    #[error("not enough memory for {bytes} bytes of pixels")]
    OutOfMemory {
        /// What was asked for.
        bytes: usize,
    },

    /// A limit was exceeded; checked from the header, before anything is allocated.
    #[error("{what} is {actual}, over the limit of {limit}")]
    Limit {
        /// What was measured.
        what: Measure,
        /// Its value.
        actual: u64,
        /// The limit.
        limit: u64,
    },
}

/// What [`ImageLimits`](crate::ImageLimits) limits of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Its compressed size.
    Bytes,
    /// Its width in pixels.
    Width,
    /// Its height in pixels.
    Height,
    /// Its width times its height.
    Pixels,
    /// The bytes that decoding and resizing it take, beyond its compressed ones.
    Memory,
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bytes => "size in bytes",
            Self::Width => "width in pixels",
            Self::Height => "height in pixels",
            Self::Pixels => "size in pixels",
            Self::Memory => "memory for decoding in bytes",
        })
    }
}
