//! Reading `preprocessor_config.json`.

use serde::Deserialize;
use serde_json::Value;
use spark_classify_imaging::Resampling;

use super::json::Object;
use super::preprocessor_config::{
    Crop, CropConvention, DataFormat, Normalize, PreprocessorConfig, Rescale, Resize, Size,
};
use super::processors::Processor;
use crate::error::Result;

/// The largest side of a model's input, in pixels.
const MAX_SIDE: usize = 16_384;

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
    /// Takes all fields of the file.
    pub(super) fn take(file: &mut Object) -> Result<Self> {
        let processor = Processor::take(file)?;
        let resize = take_resize(file)?;
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
            (None, Some(Size::ShortestEdge(_) | Size::BoundedEdge { .. })) => {
                return Err(file.error(
                    "size",
                    "with `shortest_edge` alone the input's size depends on the image; add `do_center_crop` and \
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

fn take_resize(file: &mut Object) -> Result<Option<Resize>> {
    let number_is_square = file.take("default_to_square")?;
    let enabled = file.take("do_resize")?.unwrap_or(true);
    let size = file.take("size")?;
    let resample = file.take::<u64>("resample")?;
    if !enabled {
        return Ok(None);
    }
    let size = parse_size(file, size, number_is_square)?;
    let Some(resampling) = resample.and_then(Resampling::of_number) else {
        let found = resample.map_or("is missing".to_owned(), |number| format!("{number} is not a filter"));
        let reason = format!(
            "{found}; write 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming, 6 mks2013, 7 mks2021"
        );
        return Err(file.error("resample", reason));
    };
    Ok(Some(Resize { size, resampling }))
}

fn parse_size(file: &Object, size: Option<Extent>, number_is_square: Option<bool>) -> Result<Size> {
    let way_out = "write {\"height\": ..., \"width\": ...} or {\"shortest_edge\": ...}";
    match size {
        None => Err(file.error("size", format!("is missing; {way_out}"))),
        Some(Extent::Number(edge)) => {
            let edge = side(file, "size", edge)?;
            match number_is_square {
                Some(true) => Ok(Size::Exact {
                    height: edge,
                    width: edge,
                }),
                Some(false) => Ok(Size::ShortestEdge(edge)),
                None => {
                    let reason = format!(
                        "one number means a square to some processors and the shorter side to others; {way_out}, or \
                         name the processor in `image_processor_type`"
                    );
                    Err(file.error("size", reason))
                }
            }
        }
        Some(Extent::Pair([height, width])) => Ok(Size::Exact {
            height: side(file, "size", height)?,
            width: side(file, "size", width)?,
        }),
        Some(Extent::Fields(fields)) => match fields {
            ExtentFields {
                height: Some(height),
                width: Some(width),
                shortest_edge: None,
                longest_edge: None,
            } => Ok(Size::Exact {
                height: side(file, "size.height", height)?,
                width: side(file, "size.width", width)?,
            }),
            ExtentFields {
                height: None,
                width: None,
                shortest_edge: Some(shortest),
                longest_edge,
            } => {
                let shortest = side(file, "size.shortest_edge", shortest)?;
                match longest_edge {
                    None => Ok(Size::ShortestEdge(shortest)),
                    Some(longest) => Ok(Size::BoundedEdge {
                        shortest,
                        longest: side(file, "size.longest_edge", longest)?,
                    }),
                }
            }
            _ => Err(file.error("size", way_out)),
        },
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
            })),
        ) => (
            side(file, "crop_size.height", height)?,
            side(file, "crop_size.width", width)?,
        ),
        (Some(true), None) => return Err(file.error("crop_size", format!("is missing; {way_out}"))),
        (Some(true), Some(Extent::Fields(_))) => return Err(file.error("crop_size", way_out)),
    };
    let convention = match processor {
        Processor::Torchvision => CropConvention::Torchvision,
        _ => CropConvention::HuggingFace,
    };
    Ok(Some(Crop {
        height,
        width,
        convention,
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
        side(file, "size", enlarged as u64)
    };
    let (size, crop) = match (processor, size) {
        (Processor::ConvNext, Size::Exact { .. }) => {
            return Err(file.error(
                "size",
                "write {\"shortest_edge\": ...}: ConvNextImageProcessor reads nothing else",
            ))
        }
        (Processor::ConvNext, _) if crop.is_some() => {
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
        (_, exact) => (exact, crop),
    };
    Ok((Some(Resize { size, resampling }), crop))
}

fn take_rescale(file: &mut Object, processor: Processor) -> Result<Option<Rescale>> {
    let enabled = file.take("do_rescale")?.unwrap_or(true);
    let factor = file.take("rescale_factor")?.unwrap_or(1.0 / 255.0);
    let minus_one = processor == Processor::EfficientNet && file.take("rescale_offset")?.unwrap_or(false);
    let offset = if minus_one { 1.0 } else { 0.0 };
    Ok(enabled.then_some(Rescale { factor, offset }))
}

fn take_normalize(file: &mut Object, processor: Processor) -> Result<Vec<Normalize>> {
    let enabled = file.take("do_normalize")?.unwrap_or(true);
    let twice = processor == Processor::EfficientNet && file.take("include_top")?.unwrap_or(true);
    let mean = file.take("image_mean")?;
    let std = file.take("image_std")?;
    let mut steps = Vec::new();
    let read = |field, values: Option<PerChannel>| match values {
        Some(PerChannel::Each(values)) => Ok(values),
        Some(PerChannel::All(value)) => Ok([value; 3]),
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
    #[allow(clippy::cast_possible_truncation)] // what it becomes in the arithmetic of float32
    let usable = |std: f64| std as f32 > 0.0;
    if !steps.iter().all(|step| step.std.into_iter().all(usable)) {
        return Err(file.error("image_std", "must be three numbers above 0"));
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
            let reason = "is not supported and may change the result; remove it if it does not";
            return Err(file.error(field, reason));
        }
    }
    Ok(())
}

/// `size` and `crop_size` in all their forms.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write a number of pixels, two of them, or an object of `height` and `width` or `shortest_edge`"
)]
enum Extent {
    Number(u64),
    /// Height and width.
    Pair([u64; 2]),
    Fields(ExtentFields),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtentFields {
    height: Option<u64>,
    width: Option<u64>,
    shortest_edge: Option<u64>,
    longest_edge: Option<u64>,
}

/// `image_mean` and `image_std`: one number for each channel, or one for all.
#[derive(Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "write three numbers, or one for all channels")]
enum PerChannel {
    Each([f64; 3]),
    All(f64),
}

fn side(file: &Object, field: &str, pixels: u64) -> Result<usize> {
    let usable = usize::try_from(pixels)
        .ok()
        .filter(|side| (1..=MAX_SIDE).contains(side));
    usable.ok_or_else(|| {
        file.error(
            field,
            format!("must be a whole number of pixels from 1 to {MAX_SIDE}, not {pixels}"),
        )
    })
}

#[cfg(test)]
mod tests;
