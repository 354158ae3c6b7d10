//! What the planes of an image look like, and what they mean.

/// How colours are coded, by the numbers of ISO/IEC 23091-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coding {
    pub(crate) primaries: u32,
    pub(crate) matrix: u32,
    /// Whether a luma of 0 is black, rather than 16 of 256.
    pub(crate) full_range: bool,
}

/// What chroma there is for the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// None.
    Grey,
    /// One sample for 2x2 pixels: 4:2:0.
    Quarter,
    /// One sample for two pixels of a row: 4:2:2.
    Half,
    /// One sample a pixel: 4:4:4.
    Full,
}

impl Layout {
    /// By the number that dav1d has for it.
    pub(crate) fn of(number: u32) -> Self {
        match number {
            0 => Self::Grey,
            1 => Self::Quarter,
            2 => Self::Half,
            _ => Self::Full,
        }
    }
}

/// What planes look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Bits of a sample: 8, 10 or 12.
    pub(crate) depth: u32,
    pub(crate) layout: Layout,
}

impl Shape {
    pub(crate) fn sample_bytes(self) -> usize {
        if self.depth > 8 {
            2
        } else {
            1
        }
    }

    /// Columns and rows of a plane.
    pub(crate) fn plane(self, plane: usize) -> (usize, usize) {
        match (plane, self.layout) {
            (0, _) | (_, Layout::Full) => (self.width, self.height),
            (_, Layout::Grey) => (0, 0),
            (_, Layout::Half) => (self.width.div_ceil(2), self.height),
            (_, Layout::Quarter) => (self.width.div_ceil(2), self.height.div_ceil(2)),
        }
    }

    /// The bytes of all planes.
    pub(crate) fn bytes(self) -> usize {
        let samples = (0..3)
            .map(|plane| self.plane(plane))
            .map(|(width, height)| width * height);
        samples.sum::<usize>() * self.sample_bytes()
    }

    /// The bytes that dav1d takes for them: it adds to their sizes, and to strides that would be bad for the cache.
    pub(crate) fn padded(self) -> usize {
        let padded = Self {
            width: self.width.next_multiple_of(128) + 128,
            height: self.height.next_multiple_of(128),
            ..self
        };
        padded.bytes() + 4096
    }
}
