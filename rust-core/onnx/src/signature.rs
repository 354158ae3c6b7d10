//! What a model takes and gives, found by inspection.

use std::borrow::Cow;
use std::ffi::CString;

use half::f16;
use half::vec::HalfFloatVecExt;
use ort::session::SessionInputValue;
use ort::value::{Outlet, Tensor, TensorElementType, TensorRef, ValueType};
use spark_classify_core::model::{DataFormat, ModelDirectory, OUTPUT_NAME_FIELD};

use crate::outputs::{self, listed, shown, Output, Wanted, LOGITS};
use crate::session::{c_name, reason, Reason};

const CHANNELS: usize = 3;

/// Input and output of a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// The number of images in a run, where the model fixes it.
    pub(crate) batch: Option<usize>,
    height: usize,
    width: usize,
    /// The order of the input's dimensions.
    pub(crate) format: DataFormat,
    /// Whether the input is of float16, else of float32.
    pub(crate) half: bool,
    /// The name of the input.
    pub(crate) input: CString,
    /// The output with the logits.
    pub(crate) output: Output,
}

impl Signature {
    /// Finds the one input and the output with the logits, and checks that the input takes the images that `model`'s
    /// preprocessing makes.
    pub(crate) fn of(inputs: &[Outlet], outputs: &[Outlet], model: &ModelDirectory) -> Result<Self, Reason> {
        let [input] = inputs else {
            return Err(format!(
                "the model has {}, expected one input",
                listed("inputs", inputs)
            ));
        };
        let (element, shape) = float_tensor(input)?;
        let (height, width) = model.input_size();
        let format = format_of(input, shape, (height, width), model.preprocessor().data_format)?;
        let output = outputs::choose(
            outputs,
            &Wanted {
                name: model.output_name(),
                field: OUTPUT_NAME_FIELD,
                usual: &LOGITS,
                width: Some(model.labels().len()),
            },
        )?;
        Ok(Self {
            batch: usize::try_from(shape[0]).ok().filter(|&batch| batch > 0),
            height,
            width,
            format,
            half: element == TensorElementType::Float16,
            input: c_name(input)?,
            output: Output::new(output, model.labels().iter())?,
        })
    }

    /// The number of values of one image.
    pub(crate) fn image_len(&self) -> usize {
        CHANNELS * self.height * self.width
    }

    /// The shape of a batch of pixels, before they become the input.
    pub(crate) fn pixels_shape(&self, batch: usize) -> [i64; 4] {
        shape(DataFormat::ChannelsFirst, batch, (self.height, self.width))
            .map(|size| i64::try_from(size).unwrap_or(i64::MAX))
    }

    /// The input's shape for a batch of this size.
    pub(crate) fn shape(&self, batch: usize) -> [usize; 4] {
        shape(self.format, batch, (self.height, self.width))
    }

    /// The model's input for a batch of images in NCHW order: a view of them where the model takes just that, else a
    /// tensor of its own order and type.
    pub(crate) fn tensor<'a>(&self, batch: usize, nchw: &'a [f32]) -> Result<SessionInputValue<'a>, Reason> {
        let shape = self.shape(batch);
        let values = match self.format {
            DataFormat::ChannelsFirst => Cow::Borrowed(nchw),
            DataFormat::ChannelsLast => Cow::Owned(self.channels_last(nchw)),
        };
        if self.half {
            let values = Vec::<f16>::from_f32_slice(&values);
            return Ok(Tensor::from_array((shape, values)).map_err(reason)?.into());
        }
        match values {
            Cow::Borrowed(values) => Ok(TensorRef::from_array_view((shape, values)).map_err(reason)?.into()),
            Cow::Owned(values) => Ok(Tensor::from_array((shape, values)).map_err(reason)?.into()),
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
                for (value, pixel) in from.iter().zip(to.chunks_exact_mut(CHANNELS)) {
                    pixel[channel] = *value;
                }
            }
        }
        nhwc
    }
}

fn shape(format: DataFormat, batch: usize, (height, width): (usize, usize)) -> [usize; 4] {
    match format {
        DataFormat::ChannelsFirst => [batch, CHANNELS, height, width],
        DataFormat::ChannelsLast => [batch, height, width, CHANNELS],
    }
}

/// The order of an input's dimensions: the one that fits the images, and where both fit, the one in which the model's
/// exporter has called a dimension `channels`.
fn format_of(
    input: &Outlet,
    dimensions: &[i64],
    input_size: (usize, usize),
    said: Option<DataFormat>,
) -> Result<DataFormat, Reason> {
    let name = input.name();
    let fits = |format: &DataFormat| {
        dimensions.len() == 4
            && dimensions[1..]
                .iter()
                .zip(&shape(*format, 1, input_size)[1..])
                .all(|(&dimension, &size)| dimension < 0 || usize::try_from(dimension) == Ok(size))
    };
    let (height, width) = input_size;
    let formats = [DataFormat::ChannelsFirst, DataFormat::ChannelsLast];
    let fitting: Vec<_> = formats.into_iter().filter(fits).collect();
    match (said, &fitting[..]) {
        (_, []) if dimensions.len() != 4 => Err(format!(
            "input `{name}` has shape {dimensions:?}, expected [batch, {CHANNELS}, height, width] or [batch, height, \
             width, {CHANNELS}]"
        )),
        (_, []) => Err(format!(
            "input `{name}` has shape {dimensions:?}, but the model directory's preprocessing gives [batch, \
             {CHANNELS}, {height}, {width}] or, for a model with the channels last, [batch, {height}, {width}, \
             {CHANNELS}]"
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
    }
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

/// Element type and shape of a tensor of float32 or float16; -1 stands for a dynamic dimension.
fn float_tensor(outlet: &Outlet) -> Result<(TensorElementType, &[i64]), Reason> {
    match outlet.dtype() {
        ValueType::Tensor {
            ty: ty @ (TensorElementType::Float32 | TensorElementType::Float16),
            shape,
            ..
        } => Ok((*ty, shape)),
        _ => Err(format!("{}, expected a tensor of float32 or float16", shown(outlet))),
    }
}
