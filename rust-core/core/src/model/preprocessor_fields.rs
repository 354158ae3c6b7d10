//! Reading the fields of Hugging Face's image processors.

use serde_json::Value;

use super::json::{shown, Object};
use super::preprocessor_config::{
    Crop, CropConvention, DataFormat, Normalize, PreprocessorConfig, Rescale, Resize, Size,
};
use super::processors::{Processor, Surroundings};
use super::values::{side, usable_deviations, Extent, ExtentFields, Filter, PerChannel, Whole};
use crate::error::Result;

/// Where `ConvNextImageProcessor` ceases to crop.
const CONVNEXT_WARPS_FROM: usize = 384;

/// Fields that say nothing about the result.
const NEUTRAL_FIELDS: &[&str] = &[
    "_valid_processor_keys",
    "auto_map",
    "device",
    "disable_grouping",
    // How the pixels of images lie that are given as arrays: here they are given as files.
    "input_data_format",
    // Images are always made RGB: without this the processors fail on those that are not.
    "do_convert_rgb",
    // These two concern segmentation maps.
    "do_reduce_labels",
    "reduce_labels",
    "processor_class",
    "return_tensors",
];

impl PreprocessorConfig {
    /// Takes all fields of a processor's file, and adds what is to be known about them to `notes`.
    pub(super) fn take(file: &mut Object, surroundings: &Surroundings, notes: &mut Vec<String>) -> Result<Self> {
        let processor = Processor::take(file, surroundings, notes)?;
        let resize = take_resize(file, notes)?;
        let crop = take_crop(file, processor)?;
        let (resize, crop) = take_crop_pct(file, processor, resize, crop)?;
        let rescale = take_rescale(file, processor)?;
        let normalize = take_normalize(file, processor)?;
        let bgr = take_bgr(file, &normalize)?;
        let data_format = take_data_format(file)?;
        refuse_others(file)?;
        let input_size = match (crop, resize.map(|resize| resize.size)) {
            (Some(crop), _) => (crop.height, crop.width),
            (None, Some(Size::Exact { height, width })) => (height, width),
            (None, Some(_)) => {
                return Err(file.error(
                    "size",
                    "without `height` and `width` the input's size depends on the image; add `do_center_crop` and \
                     `crop_size`, or write height and width",
                ))
            }
            (None, None) => {
                return Err(file.error(
                    "do_resize",
                    "without resize or centre crop the input's size depends on the image; switch one of them on",
                ))
            }
        };
        Ok(Self {
            resize,
            crop,
            rescale,
            normalize,
            bgr,
            data_format,
            input_size,
        })
    }
}

fn take_resize(file: &mut Object, notes: &mut Vec<String>) -> Result<Option<Resize>> {
    let number_is_square = file.take("default_to_square")?;
    let enabled = file.take("do_resize")?.unwrap_or(true);
    let size = file.take("size")?;
    let named = file.text("resample").map(str::to_owned);
    let resample = file.take::<Filter>("resample")?;
    if !enabled {
        return Ok(None);
    }
    let size = parse_size(file, size, number_is_square)?;
    let Some(Filter(resampling)) = resample else {
        return Err(file.error("resample", format!("is missing; {}", Filter::way_out())));
    };
    if let Some(name) = named.filter(|name| !name.eq_ignore_ascii_case("bilinear")) {
        notes.push(format!(
            "resample is the text `{name}`, and images are resized so; transformers reads numbers alone, and takes \
             bilinear for text"
        ));
    }
    Ok(Some(Resize { size, resampling }))
}

fn parse_size(file: &Object, size: Option<Extent>, number_is_square: Option<bool>) -> Result<Size> {
    let way_out = "write {\"height\": ..., \"width\": ...} or {\"shortest_edge\": ...}";
    let fields = match size {
        None => return Err(file.error("size", format!("is missing; {way_out}"))),
        Some(Extent::Number(edge)) => {
            let edge = side(file, "size", edge)?;
            return match number_is_square {
                Some(true) => Ok(Size::Exact {
                    height: edge,
                    width: edge,
                }),
                Some(false) => Ok(Size::ShortestEdge(edge)),
                None => {
                    let reason = format!(
                        "is {edge}; one number means a square to some processors and the shorter side to others; \
                         {way_out}, or name the processor in `image_processor_type`"
                    );
                    Err(file.error("size", reason))
                }
            };
        }
        Some(Extent::Pair([height, width])) => ExtentFields {
            height: Some(height),
            width: Some(width),
            ..ExtentFields::default()
        },
        Some(Extent::Fields(fields)) => fields,
    };
    let field = |name: &str, pixels: Whole| side(file, &format!("size.{name}"), pixels);
    match fields {
        ExtentFields {
            height: Some(height),
            width: Some(width),
            shortest_edge: None,
            longest_edge: None,
            max_height: None,
            max_width: None,
        } => Ok(Size::Exact {
            height: field("height", height)?,
            width: field("width", width)?,
        }),
        ExtentFields {
            height: None,
            width: None,
            shortest_edge: Some(shortest),
            longest_edge,
            max_height: None,
            max_width: None,
        } => {
            let shortest = field("shortest_edge", shortest)?;
            match longest_edge {
                None => Ok(Size::ShortestEdge(shortest)),
                Some(longest) => Ok(Size::BoundedEdge {
                    shortest,
                    longest: field("longest_edge", longest)?,
                }),
            }
        }
        ExtentFields {
            height: None,
            width: None,
            shortest_edge: None,
            longest_edge: None,
            max_height: Some(height),
            max_width: Some(width),
        } => Ok(Size::Within {
            height: field("max_height", height)?,
            width: field("max_width", width)?,
        }),
        other => Err(file.error("size", format!("has {}; {way_out}", other.names()))),
    }
}

fn take_crop(file: &mut Object, processor: Processor) -> Result<Option<Crop>> {
    let enabled = file.take::<bool>("do_center_crop")?;
    let size = file.take("crop_size")?;
    let way_out = "write {\"height\": ..., \"width\": ...}";
    if processor == Processor::Segformer && enabled == Some(true) {
        return Err(file.error(
            "do_center_crop",
            "true is not supported for SegformerImageProcessor, which does not crop",
        ));
    }
    let (height, width) = match (enabled, size) {
        (Some(false), _) | (None, None) => return Ok(None),
        (None, Some(_)) => {
            return Err(file.error(
                "do_center_crop",
                "is missing beside `crop_size`; write true or false, since processors have different defaults",
            ))
        }
        (Some(true), Some(Extent::Number(edge))) => (side(file, "crop_size", edge)?, side(file, "crop_size", edge)?),
        (Some(true), Some(Extent::Pair([height, width]))) => {
            (side(file, "crop_size", height)?, side(file, "crop_size", width)?)
        }
        (
            Some(true),
            Some(Extent::Fields(ExtentFields {
                height: Some(height),
                width: Some(width),
                shortest_edge: None,
                longest_edge: None,
                max_height: None,
                max_width: None,
            })),
        ) => (
            side(file, "crop_size.height", height)?,
            side(file, "crop_size.width", width)?,
        ),
        (Some(true), None) => return Err(file.error("crop_size", format!("is missing; {way_out}"))),
        (Some(true), Some(Extent::Fields(fields))) => {
            return Err(file.error("crop_size", format!("has {}; {way_out}", fields.names())))
        }
    };
    let convention = match processor {
        Processor::Torchvision => CropConvention::Torchvision,
        _ => CropConvention::HuggingFace,
    };
    Ok(Some(Crop {
        height,
        width,
        convention,
        fill: [0; 3],
    }))
}

/// The processors that resize to another size than `size`, and take `size` or `crop_size` out of that.
fn take_crop_pct(
    file: &mut Object,
    processor: Processor,
    resize: Option<Resize>,
    crop: Option<Crop>,
) -> Result<(Option<Resize>, Option<Crop>)> {
    let crop_pct = match processor {
        Processor::ConvNext | Processor::PoolFormer => {
            let crop_pct: f64 = file.require("crop_pct", "write a number above 0")?;
            if crop_pct <= 0.0 {
                return Err(file.error("crop_pct", "must be a number above 0"));
            }
            crop_pct
        }
        Processor::Levit => 224.0 / 256.0,
        _ => return Ok((resize, crop)),
    };
    let Some(Resize { size, resampling }) = resize else {
        return Ok((resize, crop));
    };
    let enlarged = |edge: usize| {
        let enlarged = match processor {
            // In Levit's own order, which rounds differently from a division.
            Processor::Levit => (256.0 / 224.0) * edge as f64,
            _ => edge as f64 / crop_pct,
        };
        // A cast from floating point stays within the integers, and `side` refuses those at their ends.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        side(file, "size", Whole(enlarged as u64))
    };
    let (size, crop) = match (processor, size) {
        (Processor::ConvNext, Size::ShortestEdge(_) | Size::BoundedEdge { .. }) if crop.is_some() => {
            return Err(file.error(
                "do_center_crop",
                "true is not supported for ConvNextImageProcessor, which crops to `size` already",
            ))
        }
        (Processor::ConvNext, Size::ShortestEdge(edge) | Size::BoundedEdge { shortest: edge, .. }) => {
            if edge < CONVNEXT_WARPS_FROM {
                let crop = Crop {
                    height: edge,
                    width: edge,
                    convention: CropConvention::HuggingFace,
                    fill: [0; 3],
                };
                (Size::ShortestEdge(enlarged(edge)?), Some(crop))
            } else {
                let square = Size::Exact {
                    height: edge,
                    width: edge,
                };
                (square, None)
            }
        }
        (Processor::ConvNext, _) => {
            return Err(file.error(
                "size",
                "write {\"shortest_edge\": ...}: ConvNextImageProcessor reads nothing else",
            ))
        }
        (_, Size::ShortestEdge(edge) | Size::BoundedEdge { shortest: edge, .. }) => {
            (Size::ShortestEdge(enlarged(edge)?), crop)
        }
        (Processor::PoolFormer, Size::Exact { height, width }) if height == width => {
            (Size::ShortestEdge(enlarged(height)?), crop)
        }
        (Processor::PoolFormer, Size::Exact { height, width }) => {
            let size = Size::Exact {
                height: enlarged(height)?,
                width: enlarged(width)?,
            };
            (size, crop)
        }
        (_, exact @ Size::Exact { .. }) => (exact, crop),
        _ => {
            let reason = "write {\"shortest_edge\": ...}, or height and width: the processor reads nothing else";
            return Err(file.error("size", reason));
        }
    };
    Ok((Some(Resize { size, resampling }), crop))
}

fn take_rescale(file: &mut Object, processor: Processor) -> Result<Option<Rescale>> {
    let enabled = file.take("do_rescale")?.unwrap_or(true);
    let factor = file.take("rescale_factor")?.unwrap_or(1.0 / 255.0);
    let rescale_offset = file.take("rescale_offset")?.unwrap_or(false);
    if rescale_offset && processor != Processor::EfficientNet {
        let reason = "true is not supported: EfficientNetImageProcessor alone subtracts 1 when it rescales";
        return Err(file.error("rescale_offset", reason));
    }
    let offset = if rescale_offset { 1.0 } else { 0.0 };
    Ok(enabled.then_some(Rescale { factor, offset }))
}

fn take_normalize(file: &mut Object, processor: Processor) -> Result<Vec<Normalize>> {
    let enabled = file.take("do_normalize")?.unwrap_or(true);
    let twice = processor == Processor::EfficientNet && file.take("include_top")?.unwrap_or(true);
    let mean = file.take("image_mean")?;
    let std = file.take("image_std")?;
    let mut steps = Vec::new();
    let read = |field, values: Option<PerChannel>| match values {
        Some(values) => Ok(values.each()),
        None => Err(file.error(field, "is missing; write three numbers, or switch `do_normalize` off")),
    };
    if enabled {
        let (mean, std) = (read("image_mean", mean)?, read("image_std", std)?);
        steps.push(Normalize { mean, std });
    }
    if twice {
        let (mean, std) = ([0.0; 3], read("image_std", std)?);
        steps.push(Normalize { mean, std });
    }
    if let Some(step) = steps.iter().find(|step| !usable_deviations(step.std)) {
        return Err(file.error("image_std", format!("is {:?}; write three numbers above 0", step.std)));
    }
    Ok(steps)
}

fn take_bgr(file: &mut Object, normalize: &[Normalize]) -> Result<bool> {
    let bgr = file.take("do_flip_channel_order")?.unwrap_or(false);
    if bgr && !normalize.is_empty() {
        return Err(file.error(
            "do_flip_channel_order",
            "is not supported together with `do_normalize`: no processor does both",
        ));
    }
    Ok(bgr)
}

fn take_data_format(file: &mut Object) -> Result<Option<DataFormat>> {
    match file.take::<String>("data_format")?.as_deref() {
        None => Ok(None),
        Some("channels_first") => Ok(Some(DataFormat::ChannelsFirst)),
        Some("channels_last") => Ok(Some(DataFormat::ChannelsLast)),
        Some(other) => {
            let reason = format!("`{other}` is none of `channels_first`, `channels_last`");
            Err(file.error("data_format", reason))
        }
    }
}

/// Beyond the neutral fields, a step that is switched off changes nothing either.
fn refuse_others(file: &Object) -> Result<()> {
    for (field, value) in file.rest() {
        let switched_off = field.starts_with("do_") && *value == Value::Bool(false);
        if !NEUTRAL_FIELDS.contains(&field.as_str()) && !value.is_null() && !switched_off {
            let reason = format!(
                "is {}, which is not supported and may change the result; remove it if it does not",
                shown(value)
            );
            return Err(file.error(field, reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
