//! One side of a resize.

use std::ops::Range;

/// One axis of the way from an image to a resized part of it, all in pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The image; above 0.
    pub source: usize,
    /// The whole image after resizing; above 0.
    pub resized: usize,
    /// What is computed of it; within `0..resized` and not empty.
    pub window: Range<usize>,
}

impl Axis {
    /// An axis all of which is computed.
    #[must_use]
    pub fn whole(source: usize, resized: usize) -> Self {
        Self {
            source,
            resized,
            window: 0..resized,
        }
    }
}
