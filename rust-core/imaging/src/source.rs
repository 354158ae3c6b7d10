//! What an image may come as.

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

impl RawPixels<'_> {
    const NAME: &'static str = "raw";

    /// Makes RGB of them.
    ///
    /// # Errors
    /// [`ImageError`] says which of the numbers is wrong, or which limit is exceeded.
    pub(crate) fn to_rgb(self, limits: ImageLimits, image: &mut RgbImage) -> Result<(), ImageError> {
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
        let (width, height) = (width as usize, height as usize);
        check_memory(width as u64 * height as u64 * 3, limits)?;
        image.reset(width, height)?;
        let to = image.pixels.chunks_exact_mut(3);
        match channels {
            1 => bytes.iter().zip(to).for_each(|(&grey, to)| to.fill(grey)),
            3 => bytes.chunks_exact(3).zip(to).for_each(reverse),
            _ => bytes.chunks_exact(4).zip(to).for_each(reverse),
        }
        Ok(())
    }
}

/// From blue, green and red to red, green and blue.
fn reverse((from, to): (&[u8], &mut [u8])) {
    to.copy_from_slice(&[from[2], from[1], from[0]]);
}
