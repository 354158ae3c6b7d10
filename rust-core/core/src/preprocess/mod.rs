//! From compressed bytes to the model's input tensor, with the results of Pillow and Hugging Face's image processors.
//!
//! The steps are decode, resize, centre crop, rescale, normalise, in this order. Decoding and resizing give the bytes
//! of Pillow; the tensor agrees with that of the processors that work on Pillow images. The processors whose class
//! names end in `Fast` resize torch tensors instead, which differs from Pillow by a grey level here and there.

mod decode;
mod filter;
mod geometry;
mod jpeg;
mod normalize;
mod png;
mod resize;

use std::time::{Duration, Instant};

use self::decode::RgbImage;
use self::normalize::Normalizer;
use self::resize::Resizer;
use crate::error::ImageError;
use crate::model::{PreprocessorConfig, Resampling};

/// A buffer that grew beyond this for one image is given back afterwards, in bytes.
const MAX_KEPT_BYTES: usize = 64 << 20;

/// The largest images that are decoded. All three are checked before memory for the pixels is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Compressed size in bytes; 256 MiB by default.
    pub max_bytes: u64,
    /// Width times height; by default 178,956,970, beyond which Pillow refuses an image as a decompression bomb.
    pub max_pixels: u64,
    /// Width and height in pixels; 65,500 by default, which is JPEG's own limit in libjpeg.
    pub max_dimension: u32,
}

impl Default for ImageLimits {
    fn default() -> Self {
        Self {
            max_bytes: 256 << 20,
            max_pixels: 178_956_970,
            max_dimension: 65_500,
        }
    }
}

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
        for buffer in [&mut self.image.pixels, &mut self.raw] {
            if buffer.capacity() > MAX_KEPT_BYTES {
                *buffer = Vec::new();
            }
        }
        self.resizer.shrink(MAX_KEPT_BYTES);
    }
}

/// Decodes a compressed image as preprocessing does: its width and height, and its RGB pixels row by row.
///
/// # Errors
/// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
pub fn decode_rgb(bytes: &[u8], limits: ImageLimits) -> Result<(usize, usize, Vec<u8>), ImageError> {
    let mut image = RgbImage::default();
    decode::decode(bytes, limits, &mut Vec::new(), &mut image)?;
    Ok((image.width, image.height, image.pixels))
}

/// Turns images into input tensors as a `preprocessor_config.json` says.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    config: PreprocessorConfig,
    limits: ImageLimits,
    normalizer: Normalizer,
}

impl Preprocessor {
    /// A preprocessor for this configuration.
    #[must_use]
    pub fn new(config: &PreprocessorConfig, limits: ImageLimits) -> Self {
        Self {
            config: config.clone(),
            limits,
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
        assert_eq!(
            chw.len(),
            self.tensor_len(),
            "the slot must have the size of the model's input"
        );
        let result = self.try_preprocess(bytes, chw, scratch);
        if result.is_err() {
            chw.fill(0.0);
        }
        scratch.shrink();
        result
    }

    fn try_preprocess(&self, bytes: &[u8], chw: &mut [f32], scratch: &mut Scratch) -> Result<StageTimes, ImageError> {
        let start = Instant::now();
        let Scratch { image, raw, resizer } = scratch;
        decode::decode(bytes, self.limits, raw, image)?;
        let decoded = Instant::now();
        let (y, x) = geometry::axes(&self.config, image.height, image.width);
        let resampling = self
            .config
            .resize
            .map_or(Resampling::Nearest, |resize| resize.resampling);
        let view = resizer.resize(image, resampling, &y, &x)?;
        self.normalizer.write(view, &y, &x, chw);
        Ok(StageTimes {
            decode: decoded - start,
            resize: decoded.elapsed(),
        })
    }
}
