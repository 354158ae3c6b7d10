//! Compressed bytes to RGB pixels, by the rules of Pillow's `Image.open(...).convert("RGB")`.

use std::panic::{catch_unwind, AssertUnwindSafe};

#[cfg(feature = "ico")]
use super::ico;
#[cfg(feature = "jpeg2000")]
use super::jpeg2000;
use super::options::{DecodeOptions, ImageLimits};
use super::orientation::{swaps_axes, turn};
#[cfg(feature = "pnm")]
use super::pnm;
#[cfg(feature = "qoi")]
use super::qoi;
use super::{bmp, exif, foreign, gif, jpeg, png, tiff, webp};
use crate::error::{ImageError, Measure};

/// For the message about anything else.
const SUPPORTED: &str = "JPEG, PNG, WebP, GIF, BMP, TIFF, ICO, JPEG 2000, PNM, QOI";

/// Pixels of red, green and blue, a byte each, row by row without padding.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width * height * 3` bytes.
    pub pixels: Vec<u8>,
}

impl RgbImage {
    /// Makes room for an image of this size; the pixels' values are left as they are.
    pub(super) fn reset(&mut self, width: usize, height: usize) -> Result<(), ImageError> {
        let length = width * height * 3;
        grow(&mut self.pixels, length)?;
        self.pixels.truncate(length);
        (self.width, self.height) = (width, height);
        Ok(())
    }

    /// Makes room for an image of this size whose pixels have `channels` bytes at first, 1 or at least 3; returns the room.
    /// [`made_rgb`](Self::made_rgb) is to follow.
    pub(super) fn reset_channels(
        &mut self,
        width: usize,
        height: usize,
        channels: usize,
    ) -> Result<&mut [u8], ImageError> {
        let pixels = width * height;
        grow(&mut self.pixels, pixels * channels.max(3))?;
        (self.width, self.height) = (width, height);
        // A grey image lies at the end, so that no pixel is written over before it is read.
        let start = if channels == 1 { pixels * 2 } else { 0 };
        Ok(&mut self.pixels[start..start + pixels * channels])
    }

    /// Makes RGB of the pixels that were put into the room of [`reset_channels`](Self::reset_channels), where they are.
    pub(super) fn made_rgb<const CHANNELS: usize>(&mut self, convert: impl Fn([u8; CHANNELS]) -> [u8; 3]) {
        let count = self.width * self.height;
        let start = if CHANNELS == 1 { count * 2 } else { 0 };
        for index in 0..count {
            let mut from = [0; CHANNELS];
            from.copy_from_slice(&self.pixels[start + index * CHANNELS..][..CHANNELS]);
            self.pixels[index * 3..][..3].copy_from_slice(&convert(from));
        }
        self.pixels.truncate(count * 3);
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
    Bmp,
    Tiff,
    Dib,
    #[cfg(feature = "ico")]
    Ico,
    #[cfg(feature = "jpeg2000")]
    Jpeg2000,
    #[cfg(feature = "pnm")]
    Pnm,
    #[cfg(feature = "qoi")]
    Qoi,
}

impl Format {
    /// The content decides, not the name.
    fn of(bytes: &[u8]) -> Option<Self> {
        let starts_with = |magic: &&[u8]| bytes.starts_with(magic);
        if starts_with(&jpeg::MAGIC) {
            Some(Self::Jpeg)
        } else if starts_with(&png::MAGIC) {
            Some(Self::Png)
        } else if webp::accepts(bytes) {
            Some(Self::WebP)
        } else if gif::MAGICS.iter().any(starts_with) {
            Some(Self::Gif)
        } else if starts_with(&bmp::MAGIC) {
            Some(Self::Bmp)
        } else if tiff::MAGICS.iter().any(starts_with) {
            Some(Self::Tiff)
        } else if bmp::accepts_dib(bytes) {
            Some(Self::Dib)
        } else {
            Self::of_optional(bytes)
        }
    }

    /// One of the formats that can be left out of a build.
    fn of_optional(bytes: &[u8]) -> Option<Self> {
        #[cfg(feature = "ico")]
        if bytes.starts_with(ico::MAGIC) {
            return Some(Self::Ico);
        }
        #[cfg(feature = "jpeg2000")]
        if jpeg2000::accepts(bytes) {
            return Some(Self::Jpeg2000);
        }
        #[cfg(feature = "pnm")]
        if pnm::accepts(bytes) {
            return Some(Self::Pnm);
        }
        #[cfg(feature = "qoi")]
        if bytes.starts_with(qoi::MAGIC) {
            return Some(Self::Qoi);
        }
        // Without all of these features nothing looks at it.
        let _ = bytes;
        None
    }

    fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Dib => "DIB",
            #[cfg(feature = "ico")]
            Self::Ico => "ICO",
            #[cfg(feature = "jpeg2000")]
            Self::Jpeg2000 => "JPEG 2000",
            #[cfg(feature = "pnm")]
            Self::Pnm => "PNM",
            #[cfg(feature = "qoi")]
            Self::Qoi => "QOI",
        }
    }
}

/// What an image of this width and height will be resized to.
pub(super) type Target<'a> = &'a dyn Fn(usize, usize) -> (usize, usize);

/// Decodes `bytes` into `image`. `raw` is a buffer for pixels that are not RGB yet. With a `target` the image may come
/// out smaller, where the options allow it. Returns its full width and height.
pub(super) fn decode(
    bytes: &[u8],
    options: &DecodeOptions,
    target: Option<Target<'_>>,
    raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(usize, usize), ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let limits = options.limits;
    check(Measure::Bytes, bytes.len() as u64, limits.max_bytes)?;
    let format = Format::of(bytes).ok_or_else(|| ImageError::UnknownFormat {
        what: foreign::name(bytes),
        supported: SUPPORTED,
    })?;
    // A file must not be able to end more than itself, should it find a bug in a decoder. The buffers are plain
    // bytes, valid whatever was written.
    catch_unwind(AssertUnwindSafe(|| {
        let mut orientation = 1;
        if options.exif_transpose {
            orientation = exif::orientation(format, bytes);
        }
        let mut full = None;
        match format {
            Format::Jpeg => {
                let swap = |(width, height)| {
                    if swaps_axes(orientation) {
                        (height, width)
                    } else {
                        (width, height)
                    }
                };
                let turned = |width, height| {
                    let (width, height) = swap((width, height));
                    target.map(|target| swap(target(width, height)))
                };
                let size = jpeg::decode(bytes, limits, &|w, h| turned(w, h).filter(|_| options.fast), image)?;
                full = Some(swap(size));
            }
            Format::Png => png::decode(bytes, limits, raw, image)?,
            Format::WebP => webp::decode(bytes, limits, image)?,
            Format::Gif => gif::decode(bytes, limits, raw, image)?,
            Format::Bmp => bmp::decode(bytes, limits, raw, image)?,
            Format::Tiff => orientation = tiff::decode(bytes, limits, raw, image)?,
            Format::Dib => {
                bmp::decode_dib(bytes, 0, bmp::Rows::Image, limits, raw, image)?;
            }
            #[cfg(feature = "ico")]
            Format::Ico => ico::decode(bytes, limits, raw, image)?,
            #[cfg(feature = "jpeg2000")]
            Format::Jpeg2000 => jpeg2000::decode(bytes, limits, raw, image)?,
            #[cfg(feature = "pnm")]
            Format::Pnm => pnm::decode(bytes, limits, raw, image)?,
            #[cfg(feature = "qoi")]
            Format::Qoi => qoi::decode(bytes, limits, image)?,
        }
        turn(image, orientation, limits, raw)?;
        Ok(full.unwrap_or((image.width, image.height)))
    }))
    .unwrap_or_else(|_| {
        Err(ImageError::Broken {
            format: format.name(),
            reason: "the decoder panicked".to_owned(),
        })
    })
}

/// Checks the size told by an image's header, in pixels.
pub(super) fn check_size(width: u64, height: u64, limits: ImageLimits) -> Result<(), ImageError> {
    check(Measure::Width, width, u64::from(limits.max_dimension))?;
    check(Measure::Height, height, u64::from(limits.max_dimension))?;
    check(Measure::Pixels, width * height, limits.max_pixels)
}

/// Checks what decoding or resizing will take at its peak, in bytes beyond the compressed ones, before it is taken.
pub(super) fn check_memory(bytes: u64, limits: ImageLimits) -> Result<(), ImageError> {
    check(Measure::Memory, bytes, limits.max_memory)
}

fn check(what: Measure, actual: u64, limit: u64) -> Result<(), ImageError> {
    if actual > limit {
        return Err(ImageError::Limit { what, actual, limit });
    }
    Ok(())
}

/// The first `length` bytes of `buffer`, whatever they are; it grows where it must. Memory that is not there is an error: an abort
/// would end the JVM.
pub(super) fn grow(buffer: &mut Vec<u8>, length: usize) -> Result<&mut [u8], ImageError> {
    if buffer.capacity() < length {
        // What it held is not needed, so a move must not keep it beside the new one.
        *buffer = Vec::new();
    }
    if buffer.len() < length {
        buffer
            .try_reserve_exact(length - buffer.len())
            .map_err(|_| ImageError::OutOfMemory { bytes: length })?;
        buffer.resize(length, 0);
    }
    Ok(&mut buffer[..length])
}
