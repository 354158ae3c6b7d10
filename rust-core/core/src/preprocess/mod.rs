//! From compressed bytes to the model's input tensor, with the results of Pillow and Hugging Face's image processors.
//!
//! The steps are decode, resize, centre crop, rescale, normalise, in this order. Decoding and resizing give the bytes
//! of Pillow, for every format; what Pillow reads and this module refuses stands in the modules of the formats. The
//! tensor agrees with that of the processors that work on Pillow images. The processors whose class names end in
//! `Fast` resize torch tensors instead, which differs from Pillow by a grey level here and there.

mod bmp;
mod color;
mod convolve;
#[cfg(target_arch = "x86_64")]
mod convolve_avx2;
#[cfg(target_arch = "x86_64")]
mod convolve_avx512;
mod decode;
mod exif;
#[cfg(any(feature = "ico", feature = "jpeg2000", feature = "pnm", feature = "qoi"))]
mod failure;
mod filter;
mod foreign;
mod geometry;
mod gif;
mod gif_lzw;
#[cfg(feature = "ico")]
mod ico;
mod jpeg;
#[cfg(feature = "jpeg2000")]
mod jpeg2000;
#[cfg(feature = "jpeg2000")]
mod jpeg2000_header;
#[cfg(feature = "jpeg2000")]
mod jpeg2000_library;
mod normalize;
mod options;
mod orientation;
mod png;
mod png_rgb;
mod png_rows;
mod png_text;
#[cfg(feature = "pnm")]
mod pnm;
#[cfg(feature = "qoi")]
mod qoi;
mod resize;
#[cfg(target_arch = "x86_64")]
mod strip_avx2;
#[cfg(target_arch = "x86_64")]
mod strip_avx512;
mod tiff;
mod tiff_directory;
mod tiff_fax;
mod tiff_fax_3;
mod tiff_samples;
#[cfg(target_arch = "x86_64")]
mod unfilter_avx2;
mod webp;

use std::time::{Duration, Instant};

pub use self::decode::RgbImage;
use self::geometry::Axis;
use self::normalize::Normalizer;
pub use self::normalize::SampleTable;
pub use self::options::{DecodeOptions, ImageLimits};
use self::resize::{Resizer, View};
use crate::error::ImageError;
use crate::model::{PreprocessorConfig, Resampling};

/// What the buffers of a thread keep from image to image, all together, in bytes.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// How long the stages took for one image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Decoding to RGB pixels.
    pub decode: Duration,
    /// Resizing, cropping and normalising.
    pub resize: Duration,
}

/// The buffers one thread needs. Keep the value from image to image: it saves allocations, and the filter weights of
/// the sizes seen last.
#[derive(Debug, Default)]
pub struct Scratch {
    image: RgbImage,
    raw: Vec<u8>,
    resizer: Resizer,
}

impl Scratch {
    fn shrink(&mut self) {
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

/// Decodes an image as [`Preprocessor`] does, always at its full size.
///
/// # Errors
/// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
pub fn decode<'a>(bytes: &[u8], options: &DecodeOptions, scratch: &'a mut Scratch) -> Result<&'a RgbImage, ImageError> {
    decode::decode(bytes, options, None, &mut scratch.raw, &mut scratch.image)?;
    Ok(&scratch.image)
}

/// Resizes an image to a width and a height above 0 in pixels, as [`Preprocessor`] does.
///
/// # Errors
/// [`ImageError::OutOfMemory`].
pub fn resize(
    image: &RgbImage,
    (width, height): (usize, usize),
    resampling: Resampling,
    scratch: &mut Scratch,
) -> Result<RgbImage, ImageError> {
    let whole = |source, resized| Axis {
        source,
        resized,
        window: 0..resized,
        offset: 0,
        output: resized,
    };
    let (y, x) = (whole(image.height, height), whole(image.width, width));
    let view = scratch.resizer.resize(image, resampling, &y, &x)?;
    let mut pixels = Vec::with_capacity(width * height * 3);
    view.rows().for_each(|row| pixels.extend_from_slice(row));
    Ok(RgbImage { width, height, pixels })
}

/// Turns images into input tensors as a `preprocessor_config.json` says.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    config: PreprocessorConfig,
    options: DecodeOptions,
    normalizer: Normalizer,
}

impl Preprocessor {
    /// A preprocessor for this configuration; limits alone will do for the options.
    #[must_use]
    pub fn new(config: &PreprocessorConfig, options: impl Into<DecodeOptions>) -> Self {
        Self {
            config: config.clone(),
            options: options.into(),
            normalizer: Normalizer::new(config),
        }
    }

    /// The number of values of one image's tensor: 3 x height x width.
    #[must_use]
    pub fn tensor_len(&self) -> usize {
        let (height, width) = self.config.input_size();
        3 * height * width
    }

    /// Writes the tensor of the compressed image `bytes` into `chw`, its slot in the batch: channels (RGB), rows,
    /// columns. On an error the slot is filled with zeros.
    ///
    /// # Errors
    /// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
    ///
    /// # Panics
    /// If `chw` has not [`tensor_len`](Self::tensor_len) values.
    pub fn preprocess(&self, bytes: &[u8], chw: &mut [f32], scratch: &mut Scratch) -> Result<StageTimes, ImageError> {
        self.fill(bytes, chw, scratch, Normalizer::write)
    }

    /// Writes the pixels of the compressed image `bytes` into `chw`, before they are normalised: a [`SampleTable`] makes
    /// the tensor of them. On an error the slot is filled with zeros.
    ///
    /// # Errors
    /// As [`preprocess`](Self::preprocess).
    ///
    /// # Panics
    /// If `chw` has not [`tensor_len`](Self::tensor_len) values.
    pub fn pixels(&self, bytes: &[u8], chw: &mut [u8], scratch: &mut Scratch) -> Result<StageTimes, ImageError> {
        self.fill(bytes, chw, scratch, Normalizer::write_samples)
    }

    fn fill<T: Default + Copy>(
        &self,
        bytes: &[u8],
        chw: &mut [T],
        scratch: &mut Scratch,
        write: fn(&Normalizer, View<'_>, &Axis, &Axis, &mut [T]),
    ) -> Result<StageTimes, ImageError> {
        assert_eq!(
            chw.len(),
            self.tensor_len(),
            "the slot must have the size of the model's input"
        );
        let result = self.try_fill(bytes, chw, scratch, write);
        if result.is_err() {
            chw.fill(T::default());
        }
        scratch.shrink();
        result
    }

    fn try_fill<T>(
        &self,
        bytes: &[u8],
        chw: &mut [T],
        scratch: &mut Scratch,
        write: fn(&Normalizer, View<'_>, &Axis, &Axis, &mut [T]),
    ) -> Result<StageTimes, ImageError> {
        let start = Instant::now();
        let Scratch { image, raw, resizer } = scratch;
        let target = |width, height| {
            let (y, x) = geometry::axes(&self.config, height, width);
            (x.resized, y.resized)
        };
        let (width, height) = decode::decode(bytes, &self.options, Some(&target), raw, image)?;
        let decoded = Instant::now();
        let (mut y, mut x) = geometry::axes(&self.config, height, width);
        // A JPEG that came out smaller is still resized to what its full size asks for.
        (y.source, x.source) = (image.height, image.width);
        let resampling = self
            .config
            .resize
            .map_or(Resampling::Nearest, |resize| resize.resampling);
        let memory = image.pixels.len() as u64 + Resizer::memory(&y, &x);
        decode::check_memory(memory, self.options.limits)?;
        if memory + raw.capacity() as u64 > self.options.limits.max_memory {
            *raw = Vec::new();
        }
        let view = resizer.resize(image, resampling, &y, &x)?;
        write(&self.normalizer, view, &y, &x, chw);
        Ok(StageTimes {
            decode: decoded - start,
            resize: decoded.elapsed(),
        })
    }
}
