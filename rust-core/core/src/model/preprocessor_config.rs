//! How images become tensors, as the files of a model directory say it.

use std::fmt;

use spark_classify_imaging::Resampling;

/// The preprocessing steps of a model, in the order in which they are done. Images are always made RGB first, and
/// grey of that for a model of one channel.
///
/// A field of the file that would change the result and is not known here is an error, never a guess. So is a field
/// that is missing where releases of Hugging Face's processors have different defaults for it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreprocessorConfig {
    /// `do_resize`, `size`, `resample`, `crop_pct`.
    pub resize: Option<Resize>,
    /// `do_center_crop`, `crop_size`, `crop_pct`.
    pub crop: Option<Crop>,
    /// `do_rescale`, `rescale_factor`, `rescale_offset`.
    pub rescale: Option<Rescale>,
    /// `do_normalize`, `image_mean`, `image_std`, `include_top`: none, one, or two that follow each other.
    pub normalize: Vec<Normalize>,
    /// `do_flip_channel_order`: the tensor's channels are blue, green, red.
    pub bgr: bool,
    /// `data_format`, where the file says it.
    pub data_format: Option<DataFormat>,
    /// Height and width of what all of this gives.
    pub(crate) input_size: (usize, usize),
}

/// The order of the dimensions of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataFormat {
    /// Batch, channels, height, width.
    ChannelsFirst,
    /// Batch, height, width, channels.
    ChannelsLast,
}

impl fmt::Display for DataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChannelsFirst => "channels_first",
            Self::ChannelsLast => "channels_last",
        })
    }
}

/// The resize step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// To which size.
    pub size: Size,
    /// With which filter.
    pub resampling: Resampling,
}

/// The size after resizing, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// This size, whatever the image's aspect ratio.
    Exact {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The shorter side becomes this long and the aspect ratio is kept.
    ShortestEdge(usize),
    /// The same, unless the longer side would become too long.
    BoundedEdge {
        /// The shorter side.
        shortest: usize,
        /// The longer side at most.
        longest: usize,
    },
    /// The largest size of the image's aspect ratio within these, as Hugging Face's processors round it: down.
    Within {
        /// Rows at most.
        height: usize,
        /// Columns at most.
        width: usize,
    },
    /// The largest size of the image's aspect ratio within these, as timm rounds it: to the nearest.
    Fitting {
        /// Rows, about.
        height: usize,
        /// Columns, about.
        width: usize,
    },
    /// The smallest size of the image's aspect ratio that has as many rows and columns, as timm rounds it.
    Covering {
        /// Rows, about.
        height: usize,
        /// Columns, about.
        width: usize,
    },
}

/// The centre crop. A crop larger than the image pads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Where the odd pixel goes.
    pub convention: CropConvention,
    /// Red, green and blue of the padding; zeros but for timm's.
    pub fill: [u8; 3],
}

/// The side that gives or gets one pixel more where the margins of a centre crop cannot be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CropConvention {
    /// Hugging Face's `center_crop`: the end loses the odd pixel, the beginning is padded with it.
    HuggingFace,
    /// The `center_crop` of Hugging Face's processors on tensors: the end loses the odd pixel, and is padded with it.
    Tensors,
    /// torchvision's `CenterCrop`, and timm's `CenterCropOrPad`: the side that makes the first margin even loses it,
    /// the end is padded with it.
    Torchvision,
}

/// The rescale step: a sample (0 to 255) times the factor, minus the offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescale {
    /// `rescale_factor`.
    pub factor: f64,
    /// 1 where `rescale_offset` is on, else 0.
    pub offset: f32,
    /// How it is reckoned.
    pub arithmetic: RescaleArithmetic,
}

impl Rescale {
    /// What a fused step multiplies with.
    #[allow(clippy::cast_possible_truncation)] // float32 is what it becomes in torch
    pub(crate) fn inverse(&self) -> f32 {
        (1.0 / self.factor) as f32
    }
}

/// How the rescale step is reckoned; the last bit of the result depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescaleArithmetic {
    /// In double precision, rounded to single, as for processors on Pillow images.
    Double,
    /// In single precision, as torch does it for processors on tensors.
    Single,
    /// Not on its own: mean and standard deviation of the first normalise step are divided by the factor, in single
    /// precision. So do processors on tensors that rescale and normalise (`_fuse_mean_std_and_rescale_factor`).
    Fused,
}

/// The normalise step: minus the mean, over the standard deviation, channel by channel in RGB order.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    /// `image_mean`.
    pub mean: [f64; 3],
    /// `image_std`.
    pub std: [f64; 3],
}

impl PreprocessorConfig {
    /// Height and width of the model's input, in pixels.
    #[must_use]
    pub fn input_size(&self) -> (usize, usize) {
        self.input_size
    }

    /// Whether the tensor's values are the samples themselves, from 0 to 255: neither rescaled nor normalised.
    #[must_use]
    pub fn keeps_samples(&self) -> bool {
        self.rescale.is_none() && self.normalize.is_empty()
    }

    /// Whether samples become the same values in all channels.
    #[must_use]
    pub fn treats_colours_alike(&self) -> bool {
        let alike = |values: [f64; 3]| values.iter().all(|value| value.to_bits() == values[0].to_bits());
        self.normalize.iter().all(|step| alike(step.mean) && alike(step.std))
    }
}
