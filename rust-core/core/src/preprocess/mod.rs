//! From files or pixels to the model's input tensor, with the results of Pillow and Hugging Face's image processors.
//!
//! The steps are decode, resize, centre crop, rescale, normalise, in this order. Decoding and resizing give the bytes
//! of Pillow, for every format; what Pillow reads and this module refuses stands in the modules of the formats. The
//! tensor agrees with that of the processors that work on Pillow images, or, where the model's files ask for it, with
//! that of the processors that resize torch tensors, which differs from Pillow by a grey level here and there.

mod geometry;
mod normalize;

use std::time::{Duration, Instant};

use spark_classify_imaging::{DecodeOptions, ImageError, ImageSource, Resampling, Scratch, Target, View};

use self::geometry::Side;
use self::normalize::Normalizer;
pub use self::normalize::SampleTable;
use crate::model::PreprocessorConfig;

/// How long the stages took for one image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Decoding to RGB pixels.
    pub decode: Duration,
    /// Resizing, cropping and normalising.
    pub resize: Duration,
}

/// Turns images into input tensors as a `preprocessor_config.json` says.
#[derive(Debug, Clone)]
pub struct Preprocessor {
    config: PreprocessorConfig,
    options: DecodeOptions,
    normalizer: Normalizer,
    /// Of the tensor: three for red, green and blue, one for grey.
    channels: usize,
}

impl Preprocessor {
    /// A preprocessor for this configuration; limits alone will do for the options.
    #[must_use]
    pub fn new(config: &PreprocessorConfig, options: impl Into<DecodeOptions>) -> Self {
        Self {
            config: config.clone(),
            options: options.into(),
            normalizer: Normalizer::new(config),
            channels: 3,
        }
    }

    /// The same for a model of grey images: an image's tensor has one channel, of what Pillow's `convert("L")` makes of
    /// its RGB pixels, before it is resized.
    #[must_use]
    pub fn grey(self) -> Self {
        Self { channels: 1, ..self }
    }

    /// The same with other options for decoding.
    #[must_use]
    pub fn with_options(self, options: DecodeOptions) -> Self {
        Self { options, ..self }
    }

    /// The number of values of one image's tensor: channels x height x width.
    #[must_use]
    pub fn tensor_len(&self) -> usize {
        let (height, width) = self.config.input_size();
        self.channels * height * width
    }

    /// Writes the tensor of an image, for which a file's bytes will do, into `chw`, its slot in the batch: channels
    /// (RGB, or grey), rows, columns. On an error the slot is filled with zeros.
    ///
    /// # Errors
    /// [`ImageError`] says why the image cannot be decoded, or which limit it exceeds.
    ///
    /// # Panics
    /// If `chw` has not [`tensor_len`](Self::tensor_len) values.
    pub fn preprocess<'a>(
        &self,
        image: impl Into<ImageSource<'a>>,
        chw: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<StageTimes, ImageError> {
        self.fill(image.into(), chw, scratch, Normalizer::write)
    }

    /// Writes the pixels of an image, likewise, into `chw`, before they are normalised: a [`SampleTable`] makes the
    /// tensor of them. On an error the slot is filled with zeros.
    ///
    /// # Errors
    /// As [`preprocess`](Self::preprocess).
    ///
    /// # Panics
    /// If `chw` has not [`tensor_len`](Self::tensor_len) values.
    pub fn pixels<'a>(
        &self,
        image: impl Into<ImageSource<'a>>,
        chw: &mut [u8],
        scratch: &mut Scratch,
    ) -> Result<StageTimes, ImageError> {
        self.fill(image.into(), chw, scratch, Normalizer::write_samples)
    }

    fn fill<T: Default + Copy>(
        &self,
        image: ImageSource<'_>,
        chw: &mut [T],
        scratch: &mut Scratch,
        write: fn(&Normalizer, View<'_>, &Side, &Side, &mut [T]),
    ) -> Result<StageTimes, ImageError> {
        assert_eq!(
            chw.len(),
            self.tensor_len(),
            "the slot must have the size of the model's input"
        );
        let result = self.try_fill(image, chw, scratch, write);
        if result.is_err() {
            chw.fill(T::default());
        }
        scratch.shrink();
        result
    }

    fn try_fill<T>(
        &self,
        image: ImageSource<'_>,
        chw: &mut [T],
        scratch: &mut Scratch,
        write: fn(&Normalizer, View<'_>, &Side, &Side, &mut [T]),
    ) -> Result<StageTimes, ImageError> {
        let start = Instant::now();
        let target = |width, height| {
            let (y, x) = geometry::sides(&self.config, height, width);
            let resampling = self
                .config
                .resize
                .map_or(Resampling::Nearest, |resize| resize.resampling);
            Target {
                resampling,
                y: y.axis,
                x: x.axis,
                grey: self.channels == 1,
            }
        };
        let resized = scratch.decode_resized(image, &self.options, target)?;
        let (width, height) = resized.size;
        let (y, x) = geometry::sides(&self.config, height, width);
        write(&self.normalizer, resized.view, &y, &x, chw);
        Ok(StageTimes {
            decode: resized.decoding,
            resize: start.elapsed().saturating_sub(resized.decoding),
        })
    }
}
