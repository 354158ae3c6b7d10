//! Compressed bytes to RGB pixels, by the rules of Pillow's `Image.open(...).convert("RGB")`.

// Numbers of hostile files go through here.
#![warn(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_possible_wrap)]

#[cfg(feature = "avif")]
mod avif;
mod bmp;
mod bytes;
mod color;
mod failure;
mod foreign;
mod gif;
#[cfg(feature = "ico")]
mod ico;
mod ifd;
mod jpeg;
#[cfg(feature = "jpeg2000")]
mod jpeg2000;
mod metadata;
mod png;
#[cfg(feature = "pnm")]
mod pnm;
#[cfg(feature = "qoi")]
mod qoi;
pub(crate) mod reader;
mod tiff;
mod webp;

use std::panic::{catch_unwind, AssertUnwindSafe};

use self::jpeg::Jpeg;
use self::metadata::Metadata;
use self::reader::RowReader;
use crate::error::{ImageError, Measure};
use crate::image::{check, RgbImage};
use crate::options::{DecodeOptions, ImageLimits};
use crate::orientation::{swaps_axes, transpose};

/// Decodes a file into the image. The vector is a buffer for pixels that are not RGB yet.
type Decode = fn(&[u8], ImageLimits, &mut Vec<u8>, &mut RgbImage) -> Result<(), ImageError>;

/// Reads a file's header, and gives what decodes its rows one after the other if they can be.
type OpenRows = for<'a> fn(&'a [u8], ImageLimits) -> Result<Option<Box<dyn RowReader + 'a>>, ImageError>;

/// What decodes the images of a format.
struct Codec {
    name: &'static str,
    /// Whether a file is of this format: its content decides, not its name.
    accepts: fn(&[u8]) -> bool,
    decode: Decode,
    rows: OpenRows,
    /// Where a file says which way is up, for [`DecodeOptions::exif_transpose`].
    metadata: for<'a> fn(&'a [u8]) -> Metadata<'a>,
}

const fn codec(
    name: &'static str,
    accepts: fn(&[u8]) -> bool,
    decode: Decode,
    rows: OpenRows,
    metadata: for<'a> fn(&'a [u8]) -> Metadata<'a>,
) -> Codec {
    Codec {
        name,
        accepts,
        decode,
        rows,
        metadata,
    }
}

/// All formats, in the order in which they are asked: those whose first bytes say little come last.
const CODECS: &[Codec] = &[
    codec("JPEG", jpeg::accepts, jpeg::decode, jpeg::rows, jpeg::metadata),
    codec("PNG", png::accepts, png::decode, png::rows, png::metadata),
    codec("WebP", webp::accepts, webp::decode, reader::whole, webp::metadata),
    codec("GIF", gif::accepts, gif::decode, reader::whole, metadata::none),
    codec("BMP", bmp::accepts, bmp::decode, bmp::rows, metadata::none),
    // It turns itself upright.
    codec("TIFF", tiff::accepts, tiff::decode, reader::whole, metadata::none),
    codec(
        "DIB",
        bmp::accepts_dib,
        bmp::decode_bare_dib,
        reader::whole,
        metadata::none,
    ),
    #[cfg(feature = "avif")]
    codec("AVIF", avif::accepts, avif::decode, reader::whole, avif::metadata),
    #[cfg(feature = "ico")]
    codec("ICO", ico::accepts, ico::decode, reader::whole, metadata::none),
    #[cfg(feature = "jpeg2000")]
    codec(
        "JPEG 2000",
        jpeg2000::accepts,
        jpeg2000::decode,
        reader::whole,
        metadata::none,
    ),
    #[cfg(feature = "pnm")]
    codec("PNM", pnm::accepts, pnm::decode, pnm::rows, metadata::none),
    #[cfg(feature = "qoi")]
    codec("QOI", qoi::accepts, qoi::decode, qoi::rows, metadata::none),
];

/// An image of a known format that is still to be decoded.
pub struct EncodedImage<'a> {
    bytes: &'a [u8],
    codec: &'static Codec,
    limits: ImageLimits,
    /// A value of the orientation tag (EXIF 2.3, 4.6.4).
    orientation: u8,
    /// What may come out smaller.
    reducible: Option<Jpeg<'a>>,
}

impl<'a> EncodedImage<'a> {
    /// Looks at the first bytes of a file, and at its header where the options ask for what stands there.
    ///
    /// # Errors
    /// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
    pub fn open(bytes: &'a [u8], options: &DecodeOptions) -> Result<Self, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        let limits = options.limits;
        check(Measure::Bytes, bytes.len() as u64, limits.max_bytes)?;
        let mut codecs = CODECS.iter();
        let codec = codecs
            .find(|codec| (codec.accepts)(bytes))
            .ok_or_else(|| ImageError::UnknownFormat {
                what: foreign::name(bytes),
                supported: supported(),
            })?;
        guarded(codec, || {
            let orientation = if options.exif_transpose {
                (codec.metadata)(bytes).orientation()
            } else {
                1
            };
            let reducible = if options.fast && codec.name == jpeg::NAME {
                Some(Jpeg::open_image(bytes, limits)?).filter(Jpeg::reducible)
            } else {
                None
            };
            Ok(Self {
                bytes,
                codec,
                limits,
                orientation,
                reducible,
            })
        })
    }

    /// Its width and height in pixels, once it is upright, if it may be decoded at a fraction of them.
    #[must_use]
    pub fn reducible_size(&self) -> Option<(usize, usize)> {
        self.reducible.as_ref().map(|jpeg| self.upright(jpeg.size()))
    }

    /// As [`Scratch::decode`](crate::Scratch::decode); `raw` is a buffer for pixels that are not RGB yet.
    pub(crate) fn decode(
        mut self,
        target: Option<(usize, usize)>,
        raw: &mut Vec<u8>,
        image: &mut RgbImage,
    ) -> Result<(usize, usize), ImageError> {
        guarded(self.codec, || {
            let full = self.reducible_size();
            let target = target.map(|target| self.upright(target));
            match (self.reducible.take(), target) {
                (Some(jpeg), Some(target)) => jpeg.reduced_for(target).decode(self.limits, image)?,
                _ => (self.codec.decode)(self.bytes, self.limits, raw, image)?,
            }
            transpose(image, self.orientation, self.limits, raw)?;
            Ok(full.unwrap_or((image.width, image.height)))
        })
    }

    /// The limits that it was opened with.
    pub(crate) fn limits(&self) -> ImageLimits {
        self.limits
    }

    /// How it is stored: a value of the orientation tag (EXIF 2.3, 4.6.4).
    pub(crate) fn orientation(&self) -> u8 {
        self.orientation
    }

    /// What reads its rows, where its format has such a reader. A reducible image comes out smaller, but no less than
    /// twice as large as the width and height that `target` makes of the full ones.
    pub(crate) fn rows(
        &mut self,
        target: impl FnOnce((usize, usize)) -> (usize, usize),
    ) -> Result<Option<Box<dyn RowReader + 'a>>, ImageError> {
        let full = self.reducible_size();
        match (self.reducible.take(), full) {
            (Some(jpeg), Some(full)) => Ok(Some(Box::new(jpeg.reduced_for(self.upright(target(full)))))),
            _ => (self.codec.rows)(self.bytes, self.limits),
        }
    }

    /// Decodes all of it, as it is stored.
    pub(crate) fn decode_stored(&self, raw: &mut Vec<u8>, image: &mut RgbImage) -> Result<(), ImageError> {
        (self.codec.decode)(self.bytes, self.limits, raw, image)
    }

    /// Does something with it, as [`guarded`].
    pub(crate) fn guarded<T>(mut self, work: impl FnOnce(&mut Self) -> Result<T, ImageError>) -> Result<T, ImageError> {
        guarded(self.codec, || work(&mut self))
    }

    /// From the width and height of the image as it is stored to those of the upright one, and back.
    pub(crate) fn upright(&self, (width, height): (usize, usize)) -> (usize, usize) {
        if swaps_axes(self.orientation) {
            (height, width)
        } else {
            (width, height)
        }
    }
}

/// A file must not be able to end more than itself, should it find a bug in a decoder. The buffers are plain bytes,
/// valid whatever was written.
fn guarded<T>(codec: &Codec, call: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| {
        Err(ImageError::Broken {
            format: codec.name,
            reason: "the decoder panicked".to_owned(),
        })
    })
}

/// The names of all formats, for the message about anything else.
fn supported() -> String {
    let names: Vec<_> = CODECS.iter().map(|codec| codec.name).collect();
    names.join(", ")
}
