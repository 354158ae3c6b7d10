//! What a model takes, found by inspection.

use std::borrow::Cow;
use std::ffi::CString;

use half::vec::HalfFloatVecExt;
use half::{bf16, f16};
use ort::session::SessionInputValue;
use ort::value::{Outlet, PrimitiveTensorElementType, Tensor, TensorElementType, TensorRef, ValueType};
use spark_classify_core::model::{DataFormat, ModelDirectory};

use crate::outputs::{listed, shown};
use crate::session::{c_name, reason, Reason};

/// What an input may hold.
const ELEMENTS: [TensorElementType; 5] = [
    TensorElementType::Float32,
    TensorElementType::Float16,
    TensorElementType::Bfloat16,
    TensorElementType::Float64,
    TensorElementType::Uint8,
];

/// The input of a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The number of images in a run, where the model fixes it.
    pub(crate) batch: Option<usize>,
    /// Three for red, green and blue, one for grey.
    pub(crate) channels: usize,
    height: usize,
    width: usize,
    /// The order of the input's dimensions.
    pub(crate) format: DataFormat,
    /// The type of the input's values: one of [`ELEMENTS`].
    pub(crate) element: TensorElementType,
    /// The name of the input.
    pub(crate) input: CString,
}

impl Signature {
    /// Finds the one input, and checks that it takes the images that `model`'s preprocessing makes.
    pub(crate) fn of(inputs: &[Outlet], model: &ModelDirectory) -> Result<Self, Reason> {
        let [input] = inputs else {
            return Err(format!(
                "the model has {}, and only one, the image, can be given; export it with that alone, or with defaults \
                 for the others",
                listed("inputs", inputs)
            ));
        };
        let (element, shape) = tensor_of(input)?;
        let preprocessor = model.preprocessor();
        let (height, width) = model.input_size();
        let (format, channels) = format_of(input, shape, (height, width), preprocessor.data_format)?;
        if element == TensorElementType::Uint8 && !preprocessor.keeps_samples() {
            return Err(format!(
                "input {} takes bytes, which the model has to rescale and normalise itself; write `do_rescale` and \
                 `do_normalize` as false into preprocessor_config.json, or export the model with an input of float32",
                shown(input)
            ));
        }
        if channels == 1 && !preprocessor.treats_colours_alike() {
            return Err(format!(
                "input {} takes grey images, but the model directory's preprocessing differs by colour; write one \
                 number as `image_mean` and one as `image_std`",
                shown(input)
            ));
        }
        Ok(Self {
            batch: usize::try_from(shape[0]).ok().filter(|&batch| batch > 0),
            channels,
            height,
            width,
            format,
            element,
            input: c_name(input)?,
        })
    }

    /// The number of values of one image.
    pub(crate) fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The shape of a batch of pixels, before they become the input.
    pub(crate) fn pixels_shape(&self, batch: usize) -> [i64; 4] {
        shape(
            DataFormat::ChannelsFirst,
            batch,
            self.channels,
            (self.height, self.width),
        )
        .map(|size| i64::try_from(size).unwrap_or(i64::MAX))
    }

    /// The input's shape for a batch of this size.
    pub(crate) fn shape(&self, batch: usize) -> [usize; 4] {
        shape(self.format, batch, self.channels, (self.height, self.width))
    }

    /// The model's input for a batch of images in NCHW order: a view of them where the model takes just that, else a
    /// tensor of its own order and type.
    pub(crate) fn tensor<'a>(&self, batch: usize, nchw: &'a [f32]) -> Result<SessionInputValue<'a>, Reason> {
        let shape = self.shape(batch);
        let values = match self.format {
            DataFormat::ChannelsFirst => Cow::Borrowed(nchw),
            DataFormat::ChannelsLast => Cow::Owned(self.channels_last(nchw)),
        };
        // Values of an input of bytes are whole numbers from 0 to 255 (see `Signature::of`).
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        match self.element {
            TensorElementType::Float16 => owned(shape, Vec::<f16>::from_f32_slice(&values)),
            TensorElementType::Bfloat16 => owned(shape, Vec::<bf16>::from_f32_slice(&values)),
            TensorElementType::Float64 => owned(shape, values.iter().copied().map(f64::from).collect()),
            TensorElementType::Uint8 => owned(shape, values.iter().map(|value| *value as u8).collect()),
            _ => match values {
                Cow::Borrowed(values) => Ok(TensorRef::from_array_view((shape, values)).map_err(reason)?.into()),
                Cow::Owned(values) => owned(shape, values),
            },
        }
    }

    fn channels_last(&self, nchw: &[f32]) -> Vec<f32> {
        let plane = self.height * self.width;
        let mut nhwc = vec![0.0; nchw.len()];
        for (image, to) in nchw
            .chunks_exact(self.image_len())
            .zip(nhwc.chunks_exact_mut(self.image_len()))
        {
            for (channel, from) in image.chunks_exact(plane).enumerate() {
                for (value, pixel) in from.iter().zip(to.chunks_exact_mut(self.channels)) {
                    pixel[channel] = *value;
                }
            }
        }
        nhwc
    }
}

fn owned<'a, T>(shape: [usize; 4], values: Vec<T>) -> Result<SessionInputValue<'a>, Reason>
where
    T: PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    Ok(Tensor::from_array((shape, values)).map_err(reason)?.into())
}

fn shape(format: DataFormat, batch: usize, channels: usize, (height, width): (usize, usize)) -> [usize; 4] {
    match format {
        DataFormat::ChannelsFirst => [batch, channels, height, width],
        DataFormat::ChannelsLast => [batch, height, width, channels],
    }
}

/// The order of an input's dimensions, and its channels: those that fit the images, and where both orders fit, the one
/// in which the model's exporter has called a dimension `channels`.
fn format_of(
    input: &Outlet,
    dimensions: &[i64],
    input_size: (usize, usize),
    said: Option<DataFormat>,
) -> Result<(DataFormat, usize), Reason> {
    let name = input.name();
    let channels = |format| {
        let axis = match format {
            DataFormat::ChannelsFirst => 1,
            DataFormat::ChannelsLast => 3,
        };
        if dimensions.get(axis) == Some(&1) {
            1
        } else {
            3
        }
    };
    let fits = |format: &DataFormat| {
        dimensions.len() == 4
            && dimensions[1..]
                .iter()
                .zip(&shape(*format, 1, channels(*format), input_size)[1..])
                .all(|(&dimension, &size)| dimension < 0 || usize::try_from(dimension) == Ok(size))
    };
    let (height, width) = input_size;
    let formats = [DataFormat::ChannelsFirst, DataFormat::ChannelsLast];
    let fitting: Vec<_> = formats.into_iter().filter(fits).collect();
    let format = match (said, &fitting[..]) {
        (_, []) if dimensions.len() != 4 => Err(format!(
            "input `{name}` has shape {dimensions:?}, expected [batch, channels, height, width] or [batch, height, width, \
             channels], with 3 channels or 1"
        )),
        (_, []) => Err(format!(
            "input `{name}` has shape {dimensions:?}, but the model directory's preprocessing gives [batch, 3, {height}, \
             {width}] or, for a model with the channels last, [batch, {height}, {width}, 3], with 1 in the place of 3 \
             for a model of grey images"
        )),
        (Some(said), fitting) if fitting.contains(&said) => Ok(said),
        (Some(said), _) => Err(format!(
            "input `{name}` has shape {dimensions:?}, but `data_format` in preprocessor_config.json is `{said}`"
        )),
        (None, &[only]) => Ok(only),
        (None, _) => named_channels(input).ok_or_else(|| {
            format!(
                "input `{name}` has shape {dimensions:?}, which may be [batch, channels, height, width] or [batch, \
                 height, width, channels]; write `data_format` (`channels_first` or `channels_last`) into \
                 preprocessor_config.json, or export the model with a fixed number of channels"
            )
        }),
    }?;
    Ok((format, channels(format)))
}

/// The order that the names of dynamic dimensions tell.
fn named_channels(input: &Outlet) -> Option<DataFormat> {
    let ValueType::Tensor { dimension_symbols, .. } = input.dtype() else {
        return None;
    };
    let called_channels = |index: usize| {
        let symbol = dimension_symbols.get(index);
        symbol.is_some_and(|symbol| symbol.to_lowercase().contains("channel"))
    };
    match (called_channels(1), called_channels(3)) {
        (true, false) => Some(DataFormat::ChannelsFirst),
        (false, true) => Some(DataFormat::ChannelsLast),
        _ => None,
    }
}

/// Element type and shape of an input; -1 stands for a dynamic dimension.
fn tensor_of(input: &Outlet) -> Result<(TensorElementType, &[i64]), Reason> {
    match input.dtype() {
        ValueType::Tensor { ty, shape, .. } if ELEMENTS.contains(ty) => Ok((*ty, shape)),
        _ => {
            let elements: Vec<_> = ELEMENTS.iter().map(ToString::to_string).collect();
            Err(format!(
                "input {}, expected a tensor of one of {}; export the model with an input of float32",
                shown(input),
                elements.join(", ")
            ))
        }
    }
}
