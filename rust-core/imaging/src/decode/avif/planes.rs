//! The planes of luma, chroma and alpha that an AVIF is made of.

use super::av1::Picture;
use super::boxes::FAILURE;
use super::shape::{Coding, Shape};
use crate::error::ImageError;
use crate::image::grow;

/// A whole image, from one picture or put together from those of a grid.
pub(crate) enum Planes<'a> {
    Picture(Box<Picture<'a>>),
    Grid(Grid),
}

/// The planes of a grid, one after another.
pub(crate) struct Grid {
    shape: Shape,
    coding: Coding,
    samples: Vec<u8>,
}

impl Planes<'_> {
    pub(crate) fn shape(&self) -> Shape {
        match self {
            Self::Picture(picture) => picture.shape,
            Self::Grid(grid) => grid.shape,
        }
    }

    pub(crate) fn coding(&self) -> Coding {
        match self {
            Self::Picture(picture) => picture.coding,
            Self::Grid(grid) => grid.coding,
        }
    }

    /// What they took at most while they were decoded, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        match self {
            Self::Picture(picture) => picture.memory,
            Self::Grid(grid) => grid.bytes(),
        }
    }

    /// Reads the samples of a row, of which there are as many in `samples`.
    pub(crate) fn read_row(&self, plane: usize, y: usize, samples: &mut [u16]) {
        let row = match self {
            Self::Picture(picture) => picture.row(plane, y),
            Self::Grid(grid) => &grid.samples[grid.row(plane, y)],
        };
        if self.shape().depth > 8 {
            let (pairs, _) = row.as_chunks();
            for (sample, pair) in samples.iter_mut().zip(pairs) {
                *sample = u16::from_ne_bytes(*pair);
            }
        } else {
            for (sample, byte) in samples.iter_mut().zip(row) {
                *sample = u16::from(*byte);
            }
        }
    }
}

impl Grid {
    /// Of this shape and coding, with nothing in it.
    pub(crate) fn new(shape: Shape, coding: Coding) -> Result<Self, ImageError> {
        let mut samples = Vec::new();
        grow(&mut samples, shape.bytes())?;
        Ok(Self { shape, coding, samples })
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.shape.bytes() as u64
    }

    /// Where a row of a plane is.
    fn row(&self, plane: usize, y: usize) -> std::ops::Range<usize> {
        let before: usize = (0..plane)
            .map(|plane| self.shape.plane(plane))
            .map(|(width, height)| width * height)
            .sum();
        let (width, _) = self.shape.plane(plane);
        let bytes = self.shape.sample_bytes();
        let start = (before + y * width) * bytes;
        start..start + width * bytes
    }

    /// Lays a picture at a place, which is even where there is less chroma than luma; what reaches beyond the grid is
    /// cut off.
    pub(crate) fn lay(&mut self, picture: &Picture<'_>, (left, top): (usize, usize)) -> Result<(), ImageError> {
        let same = (picture.shape.depth, picture.shape.layout) == (self.shape.depth, self.shape.layout);
        if !same || picture.coding != self.coding {
            return Err(FAILURE.broken("the parts of its grid are not alike"));
        }
        for plane in 0..3 {
            let (width, height) = self.shape.plane(plane);
            let (columns, rows) = picture.shape.plane(plane);
            let halved =
                |offset: usize, full: usize, of_plane: usize| if full == of_plane { offset } else { offset / 2 };
            let left = halved(left, self.shape.width, width);
            let top = halved(top, self.shape.height, height);
            let bytes = self.shape.sample_bytes();
            let length = columns.min(width.saturating_sub(left)) * bytes;
            for y in 0..rows.min(height.saturating_sub(top)) {
                let to = self.row(plane, top + y).start + left * bytes;
                self.samples[to..to + length].copy_from_slice(&picture.row(plane, y)[..length]);
            }
        }
        Ok(())
    }
}
