//! What an image may come as.

use crate::decode::reader::RowReader;
use crate::error::{ImageError, Measure};
use crate::image::{check, check_memory, check_size, RgbImage};
use crate::options::ImageLimits;

/// An image before it is decoded.
#[derive(Debug, Clone, Copy)]
pub enum ImageSource<'a> {
    /// A file, whose content says of which format it is.
    File(&'a [u8]),
    /// What something else has decoded.
    Pixels(RawPixels<'a>),
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for ImageSource<'a> {
    fn from(file: &'a T) -> Self {
        Self::File(file.as_ref())
    }
}

/// Pixels in the order of `OpenCV`: rows from the top, without padding, of a byte a channel. Whether the numbers fit
/// together is seen when the image is used.
#[derive(Debug, Clone, Copy)]
pub struct RawPixels<'a> {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 is grey; 3 are blue, green and red; 4 are these and alpha, which is left out, as Pillow does with the fourth
    /// byte of a BMP's pixels.
    pub channels: u32,
    /// `width * height * channels` bytes.
    pub bytes: &'a [u8],
}

impl<'a> RawPixels<'a> {
    const NAME: &'static str = "raw";

    /// Checks them, for their rows to be read.
    ///
    /// # Errors
    /// [`ImageError`] says which of the numbers is wrong, or which limit is exceeded.
    pub(crate) fn rows(self, limits: ImageLimits) -> Result<RawRows<'a>, ImageError> {
        let Self {
            width,
            height,
            channels,
            bytes,
        } = self;
        check(Measure::Bytes, bytes.len() as u64, limits.max_bytes)?;
        check_size(u64::from(width), u64::from(height), limits)?;
        let broken = |reason| ImageError::Broken {
            format: Self::NAME,
            reason,
        };
        if width == 0 || height == 0 {
            return Err(broken("it has no pixels".to_owned()));
        }
        if ![1, 3, 4].contains(&channels) {
            return Err(ImageError::Unsupported {
                format: Self::NAME,
                reason: format!("{channels} channels"),
            });
        }
        // In 128 bits, because no limit need be low.
        let expected = u128::from(width) * u128::from(height) * u128::from(channels);
        if bytes.len() as u128 != expected {
            return Err(broken(format!(
                "{} bytes are not {width} x {height} pixels of {channels} channels",
                bytes.len()
            )));
        }
        Ok(RawRows {
            width: width as usize,
            height: height as usize,
            channels: channels as usize,
            rest: bytes,
        })
    }

    /// Makes RGB of them.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub(crate) fn to_rgb(self, limits: ImageLimits, image: &mut RgbImage) -> Result<(), ImageError> {
        let mut rows = self.rows(limits)?;
        check_memory(rows.width as u64 * rows.height as u64 * 3, limits)?;
        image.reset(rows.width, rows.height)?;
        rows.read(&mut image.pixels)
    }
}

/// Checked pixels, of which the first rows may have been read.
pub(crate) struct RawRows<'a> {
    width: usize,
    height: usize,
    channels: usize,
    rest: &'a [u8],
}

impl RowReader for RawRows<'_> {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn memory(&self) -> u64 {
        0
    }

    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let (bytes, rest) = self.rest.split_at(rows.len() / 3 * self.channels);
        self.rest = rest;
        let to = rows.chunks_exact_mut(3);
        match self.channels {
            1 => bytes.iter().zip(to).for_each(|(&grey, to)| to.fill(grey)),
            3 => bytes.chunks_exact(3).zip(to).for_each(reverse),
            _ => bytes.chunks_exact(4).zip(to).for_each(reverse),
        }
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        self.rest = &self.rest[count * self.width * self.channels..];
        Ok(())
    }
}

/// From blue, green and red to red, green and blue.
fn reverse((from, to): (&[u8], &mut [u8])) {
    to.copy_from_slice(&[from[2], from[1], from[0]]);
}
