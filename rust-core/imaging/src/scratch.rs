//! The buffers of a thread, and what is done in them.

use crate::decode::EncodedImage;
use crate::error::ImageError;
use crate::image::{check_memory, RgbImage};
use crate::options::{DecodeOptions, ImageLimits};
use crate::resize::axis::Axis;
use crate::resize::filter::Resampling;
use crate::resize::instructions::InstructionSet;
use crate::resize::view::View;
use crate::resize::Resizer;
use crate::source::RawPixels;

/// What the buffers of a thread keep from image to image, all together, in bytes.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// The buffers one thread needs. Keep the value from image to image: it saves allocations, and the filter weights of
/// the sizes seen last.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) image: RgbImage,
    pub(crate) raw: Vec<u8>,
    pub(crate) resizer: Resizer,
}

impl Scratch {
    /// The image that was decoded last.
    #[must_use]
    pub fn image(&self) -> &RgbImage {
        &self.image
    }

    /// Decodes `encoded` into these buffers. With the width and height of a `target` the image may come out smaller,
    /// but no less than twice as large as that, where the options and the format allow it. Returns its full width and
    /// height in pixels.
    ///
    /// # Errors
    /// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
    pub fn decode(
        &mut self,
        encoded: EncodedImage<'_>,
        target: Option<(usize, usize)>,
    ) -> Result<(usize, usize), ImageError> {
        encoded.decode(target, &mut self.raw, &mut self.image)
    }

    /// Puts an image of these pixels where [`decode`](Self::decode) puts that of a file. Returns its width and height
    /// in pixels.
    ///
    /// # Errors
    /// [`ImageError`] says which of its numbers is wrong, or which limit it exceeds.
    pub fn load(&mut self, pixels: RawPixels<'_>, limits: ImageLimits) -> Result<(usize, usize), ImageError> {
        pixels.to_rgb(limits, &mut self.image)?;
        Ok((self.image.width, self.image.height))
    }

    /// Makes the image that was decoded last grey: all channels of a pixel become what Pillow's `convert("L")` gives
    /// for it, the luma of ITU-R 601-2 in 16 bits of fraction (`L24` in its `Convert.c`).
    pub fn make_grey(&mut self) {
        make_grey(&mut self.image.pixels);
    }

    /// Resizes the image that was decoded last and keeps the windows of both axes, whose sources have to be its height
    /// and width in pixels.
    ///
    /// # Errors
    /// [`ImageError::Limit`] for the memory, [`ImageError::OutOfMemory`].
    pub fn resize(
        &mut self,
        resampling: Resampling,
        (y, x): (&Axis, &Axis),
        limits: ImageLimits,
    ) -> Result<View<'_>, ImageError> {
        self.resize_stored(1, resampling, (y, x), limits)
    }

    /// The same for an image that is stored with this orientation. The axes are those of the upright image.
    pub(crate) fn resize_stored(
        &mut self,
        orientation: u8,
        resampling: Resampling,
        (y, x): (&Axis, &Axis),
        limits: ImageLimits,
    ) -> Result<View<'_>, ImageError> {
        let memory = self.image.pixels.len() as u64 + Resizer::memory(resampling, y, x, orientation);
        check_memory(memory, limits)?;
        if memory + self.raw.capacity() as u64 > limits.max_memory {
            self.raw = Vec::new();
        }
        self.resizer.resize(&self.image, orientation, resampling, y, x)
    }

    /// Resizes with these instructions from now on. The fastest ones come by themselves; others are for comparisons.
    pub fn use_instructions(&mut self, instructions: InstructionSet) {
        self.resizer.instructions = instructions;
    }

    /// Gives back what is too large to be kept until the next image.
    pub fn shrink(&mut self) {
        let mut left = MAX_KEPT_BYTES;
        for buffer in [&mut self.image.pixels, &mut self.raw]
            .into_iter()
            .chain(self.resizer.buffers())
        {
            if buffer.capacity() > left {
                *buffer = Vec::new();
            }
            left -= buffer.capacity();
        }
    }
}

/// See [`Scratch::make_grey`].
pub(crate) fn make_grey(pixels: &mut [u8]) {
    for pixel in pixels.chunks_exact_mut(3) {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        // The factors' sum is 1 << 16, so the result is at most 255.
        let luma = (red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16;
        pixel.fill(u8::try_from(luma).unwrap_or(u8::MAX));
    }
}

/// Decodes an image at its full size.
///
/// # Errors
/// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
pub fn decode<'a>(bytes: &[u8], options: &DecodeOptions, scratch: &'a mut Scratch) -> Result<&'a RgbImage, ImageError> {
    scratch.decode(EncodedImage::open(bytes, options)?, None)?;
    Ok(&scratch.image)
}

/// Resizes an image to a width and a height above 0 in pixels.
///
/// # Errors
/// [`ImageError::OutOfMemory`].
pub fn resize(
    image: &RgbImage,
    (width, height): (usize, usize),
    resampling: Resampling,
    scratch: &mut Scratch,
) -> Result<RgbImage, ImageError> {
    let (y, x) = (Axis::whole(image.height, height), Axis::whole(image.width, width));
    let view = scratch.resizer.resize(image, 1, resampling, &y, &x)?;
    let mut pixels = Vec::with_capacity(width * height * 3);
    view.rows().for_each(|row| pixels.extend_from_slice(row));
    Ok(RgbImage { width, height, pixels })
}
