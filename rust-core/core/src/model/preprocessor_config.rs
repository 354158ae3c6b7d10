//! How images become tensors, from `preprocessor_config.json`.

use serde::Deserialize;
use serde_json::Value;

use super::json::Object;
use crate::error::Result;

/// The preprocessing steps of a model, in the order in which they are done. Images are always made RGB first.
///
/// A field of the file that would change the result and is not known here is an error, never a guess. So is a field
/// that is missing where Hugging Face's processors have different defaults for it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreprocessorConfig {
    /// `do_resize`, `size`, `resample`.
    pub resize: Option<Resize>,
    /// `do_center_crop`, `crop_size`: height and width in pixels. A larger crop pads with zeros.
    pub crop: Option<(usize, usize)>,
    /// `do_rescale`, `rescale_factor`: what every sample (0 to 255) is multiplied by.
    pub rescale: Option<f64>,
    /// `do_normalize`, `image_mean`, `image_std`.
    pub normalize: Option<Normalize>,
    /// Height and width of what all of this gives.
    pub(crate) input_size: (usize, usize),
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
}

/// A resampling filter, in Pillow's numbering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resampling {
    /// 0: nearest neighbour.
    Nearest,
    /// 1: a sinc truncated at 3.
    Lanczos,
    /// 2: linear interpolation, widened when shrinking.
    Bilinear,
    /// 3: cubic convolution with a = -0.5.
    Bicubic,
    /// 4: the mean of the pixels covered.
    Box,
    /// 5: a Hamming-windowed sinc truncated at 1.
    Hamming,
    /// 6: Costella's magic kernel, sharpened once; in Pillow since version 13.
    Mks2013,
    /// 7: the same, sharpened further.
    Mks2021,
}

/// The normalise step: minus the mean, over the standard deviation, channel by channel in RGB order.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalize {
    /// `image_mean`.
    pub mean: [f64; 3],
    /// `image_std`.
    pub std: [f64; 3],
}

/// The largest side of a model's input, in pixels.
const MAX_SIDE: usize = 16_384;

/// Processors of Hugging Face that do just the steps above, without `ImageProcessor` or `FeatureExtractor`, and
/// whether they read a `size` that is one number as a square (else as the shorter side). Others have steps that
/// their configuration file does not tell (`ConvNextImageProcessor` enlarges before it crops, `MobileViT`'s swaps
/// channels).
const PLAIN_PROCESSORS: &[(&str, bool)] = &[
    ("Beit", true),
    ("Bit", false),
    ("Blip", true),
    ("CLIP", false),
    ("ChineseCLIP", false),
    ("DeiT", true),
    ("MobileNetV1", false),
    ("MobileNetV2", false),
    ("Pvt", true),
    ("Siglip", true),
    ("ViT", true),
];

/// Fields that say nothing about the result.
const NEUTRAL_FIELDS: &[&str] = &[
    "_valid_processor_keys",
    "auto_map",
    "device",
    "disable_grouping",
    "do_convert_rgb",
    "processor_class",
    "return_tensors",
];

impl PreprocessorConfig {
    /// Height and width of the model's input, in pixels.
    #[must_use]
    pub fn input_size(&self) -> (usize, usize) {
        self.input_size
    }

    /// Takes all fields of the file.
    pub(super) fn take(file: &mut Object) -> Result<Self> {
        let number_is_square = take_processor_type(file)?;
        let resize = take_resize(file, number_is_square)?;
        let crop = take_crop(file)?;
        let rescale = take_rescale(file)?;
        let normalize = take_normalize(file)?;
        refuse_others(file)?;
        let input_size = match (crop, resize.map(|resize| resize.size)) {
            (Some(crop), _) => crop,
            (None, Some(Size::Exact { height, width })) => (height, width),
            (None, Some(Size::ShortestEdge(_))) => {
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
            input_size,
        })
    }
}

/// How the processor reads a `size` of one number: as a square (true), as the shorter side, or unknown.
fn take_processor_type(file: &mut Object) -> Result<Option<bool>> {
    let mut known = None;
    for field in ["feature_extractor_type", "image_processor_type"] {
        let Some(class) = file.take::<String>(field)? else {
            continue;
        };
        let name = class.strip_suffix("Fast").unwrap_or(&class);
        let name = name
            .strip_suffix("ImageProcessor")
            .or_else(|| name.strip_suffix("FeatureExtractor"));
        match PLAIN_PROCESSORS.iter().find(|(plain, _)| Some(*plain) == name) {
            Some((_, square)) => known = Some(*square),
            None => {
                return Err(file.error(
                    field,
                    format!(
                        "`{class}` may have steps of its own that this file does not tell; if the steps written here \
                         are all there is, write `ViTImageProcessor`"
                    ),
                ))
            }
        }
    }
    Ok(file.take("default_to_square")?.or(known))
}

fn take_resize(file: &mut Object, number_is_square: Option<bool>) -> Result<Option<Resize>> {
    let enabled = file.take("do_resize")?.unwrap_or(true);
    let size = file.take::<Value>("size")?;
    let resample = file.take::<u64>("resample")?;
    if !enabled {
        return Ok(None);
    }
    let way_out = "write {\"height\": ..., \"width\": ...} or {\"shortest_edge\": ...}";
    let size = match size {
        None => return Err(file.error("size", format!("is missing; {way_out}"))),
        Some(Value::Number(number)) => {
            let edge = side(file, "size", number.as_u64())?;
            match number_is_square {
                Some(true) => Size::Exact {
                    height: edge,
                    width: edge,
                },
                Some(false) => Size::ShortestEdge(edge),
                None => {
                    let reason = format!(
                        "one number means a square to some processors and the shorter side to others; {way_out}"
                    );
                    return Err(file.error("size", reason));
                }
            }
        }
        Some(value) => match serde_json::from_value(value) {
            Ok(SizeFields {
                height: Some(height),
                width: Some(width),
                shortest_edge: None,
            }) => Size::Exact {
                height: side(file, "size.height", Some(height))?,
                width: side(file, "size.width", Some(width))?,
            },
            Ok(SizeFields {
                height: None,
                width: None,
                shortest_edge: Some(edge),
            }) => Size::ShortestEdge(side(file, "size.shortest_edge", Some(edge))?),
            Ok(_) => return Err(file.error("size", way_out)),
            Err(error) => return Err(file.error("size", format!("{error}; {way_out}"))),
        },
    };
    let resampling = match resample {
        Some(0) => Resampling::Nearest,
        Some(1) => Resampling::Lanczos,
        Some(2) => Resampling::Bilinear,
        Some(3) => Resampling::Bicubic,
        Some(4) => Resampling::Box,
        Some(5) => Resampling::Hamming,
        Some(6) => Resampling::Mks2013,
        Some(7) => Resampling::Mks2021,
        other => {
            let found = other.map_or("is missing".to_owned(), |number| format!("{number} is not a filter"));
            let reason = format!(
                "{found}; write 0 nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming, 6 mks2013, 7 mks2021"
            );
            return Err(file.error("resample", reason));
        }
    };
    Ok(Some(Resize { size, resampling }))
}

fn take_crop(file: &mut Object) -> Result<Option<(usize, usize)>> {
    let enabled = file.take::<bool>("do_center_crop")?;
    let size = file.take::<Value>("crop_size")?;
    match (enabled, size) {
        (Some(false), _) | (None, None) => Ok(None),
        (None, Some(_)) => Err(file.error(
            "do_center_crop",
            "is missing beside `crop_size`; write true or false, since processors have different defaults",
        )),
        (Some(true), Some(Value::Number(number))) => {
            let edge = side(file, "crop_size", number.as_u64())?;
            Ok(Some((edge, edge)))
        }
        (Some(true), size) => match serde_json::from_value(size.unwrap_or_default()) {
            Ok(SizeFields {
                height: Some(height),
                width: Some(width),
                shortest_edge: None,
            }) => Ok(Some((
                side(file, "crop_size.height", Some(height))?,
                side(file, "crop_size.width", Some(width))?,
            ))),
            Ok(_) | Err(_) => Err(file.error("crop_size", "write {\"height\": ..., \"width\": ...}")),
        },
    }
}

fn take_rescale(file: &mut Object) -> Result<Option<f64>> {
    let enabled = file.take("do_rescale")?.unwrap_or(true);
    let factor = file.take("rescale_factor")?.unwrap_or(1.0 / 255.0);
    Ok(enabled.then_some(factor))
}

fn take_normalize(file: &mut Object) -> Result<Option<Normalize>> {
    let enabled = file.take("do_normalize")?.unwrap_or(true);
    let mean = file.take("image_mean")?;
    let std = file.take("image_std")?;
    if !enabled {
        return Ok(None);
    }
    let missing = |field| file.error(field, "is missing; write three numbers, or switch `do_normalize` off");
    let mean: [f64; 3] = mean.ok_or_else(|| missing("image_mean"))?;
    let std: [f64; 3] = std.ok_or_else(|| missing("image_std"))?;
    if std.iter().any(|value| *value as f32 <= 0.0) {
        return Err(file.error("image_std", "must be three numbers above 0"));
    }
    Ok(Some(Normalize { mean, std }))
}

/// Beyond the neutral fields, a step that is switched off changes nothing either.
fn refuse_others(file: &mut Object) -> Result<()> {
    for (field, harmless) in [("data_format", "channels_first"), ("input_data_format", "")] {
        if let Some(value) = file.take::<String>(field)? {
            if value != harmless {
                return Err(file.error(field, format!("`{value}` is not supported")));
            }
        }
    }
    for (field, value) in file.rest() {
        let switched_off = field.starts_with("do_") && *value == Value::Bool(false);
        if !NEUTRAL_FIELDS.contains(&field.as_str()) && !value.is_null() && !switched_off {
            let reason = "is not supported and may change the result; remove it if it does not";
            return Err(file.error(field, reason));
        }
    }
    Ok(())
}

/// `size` and `crop_size` written as objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeFields {
    height: Option<u64>,
    width: Option<u64>,
    shortest_edge: Option<u64>,
}

fn side(file: &Object, field: &str, value: Option<u64>) -> Result<usize> {
    match value {
        Some(value) if (1..=MAX_SIDE as u64).contains(&value) => Ok(value as usize),
        _ => Err(file.error(field, format!("must be a whole number of pixels from 1 to {MAX_SIDE}"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn parse(text: &str) -> Result<PreprocessorConfig> {
        let mut file = Object::parse(Path::new("preprocessor_config.json"), text.to_owned()).unwrap();
        PreprocessorConfig::take(&mut file)
    }

    /// Parses the given fields beside a size, a filter, mean and standard deviation.
    fn with(fields: &str) -> Result<PreprocessorConfig> {
        parse(&format!(
            r#"{{"size": {{"height": 4, "width": 6}}, "resample": 2, "image_mean": [0, 0, 0], "image_std": [1, 1, 1], {fields}}}"#
        ))
    }

    /// The message, which must name the file and the field.
    fn refusal(result: Result<PreprocessorConfig>, field: &str) -> String {
        let message = result.unwrap_err().to_string();
        let named = format!("model file preprocessor_config.json: field `{field}`: ");
        assert!(message.starts_with(&named), "{message}");
        message
    }

    #[test]
    fn a_vit_configuration_is_read_whole() {
        let config = parse(
            r#"{"do_normalize": true, "do_rescale": true, "do_resize": true, "image_mean": [0.5, 0.4, 0.3],
                "image_std": [0.25, 0.5, 1], "image_processor_type": "ViTImageProcessor", "resample": 2,
                "rescale_factor": 0.00392156862745098, "size": {"height": 224, "width": 200},
                "do_convert_rgb": null, "_valid_processor_keys": ["images"], "data_format": "channels_first",
                "input_data_format": null, "crop_pct": null, "do_reduce_labels": false}"#,
        )
        .unwrap();
        assert_eq!(
            config,
            PreprocessorConfig {
                resize: Some(Resize {
                    size: Size::Exact {
                        height: 224,
                        width: 200
                    },
                    resampling: Resampling::Bilinear
                }),
                crop: None,
                rescale: Some(1.0 / 255.0),
                normalize: Some(Normalize {
                    mean: [0.5, 0.4, 0.3],
                    std: [0.25, 0.5, 1.0]
                }),
                input_size: (224, 200),
            }
        );
    }

    #[test]
    fn a_clip_configuration_is_read_whole() {
        let config = parse(
            r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "resample": 3, "do_center_crop": true,
                "crop_size": 200, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]}"#,
        )
        .unwrap();
        let resize = config.resize.unwrap();
        assert_eq!(resize.size, Size::ShortestEdge(224));
        assert_eq!(resize.resampling, Resampling::Bicubic);
        assert_eq!((config.crop, config.input_size()), (Some((200, 200)), (200, 200)));
        assert_eq!(config.rescale, Some(1.0 / 255.0));
    }

    #[test]
    fn one_number_as_size_needs_to_be_told_what_it_means() {
        let text = |rest: &str| format!(r#"{{"size": 8, "resample": 0, "do_normalize": false, {rest}}}"#);
        let size = |rest: &str| parse(&text(rest)).unwrap().resize.unwrap().size;
        assert_eq!(
            size(r#""image_processor_type": "ViTImageProcessorFast""#),
            Size::Exact { height: 8, width: 8 }
        );
        assert_eq!(
            size(r#""default_to_square": true"#),
            Size::Exact { height: 8, width: 8 }
        );
        let crop = r#""do_center_crop": true, "crop_size": {"height": 4, "width": 4}"#;
        assert_eq!(
            size(&format!(r#""default_to_square": false, {crop}"#)),
            Size::ShortestEdge(8)
        );
        let message = refusal(parse(&text(crop)), "size");
        assert!(message.contains("a square to some processors"), "{message}");
    }

    #[test]
    fn what_would_change_the_result_is_refused_by_name() {
        refusal(with(r#""crop_pct": 0.875"#), "crop_pct");
        refusal(with(r#""do_flip_channel_order": true"#), "do_flip_channel_order");
        refusal(with(r#""data_format": "channels_last""#), "data_format");
        let message = refusal(
            with(r#""image_processor_type": "ConvNextImageProcessor""#),
            "image_processor_type",
        );
        assert!(message.contains("write `ViTImageProcessor`"), "{message}");
    }

    #[test]
    fn an_input_without_a_fixed_size_is_refused() {
        let text = r#"{"size": {"shortest_edge": 8}, "resample": 2, "do_normalize": false}"#;
        refusal(parse(text), "size");
        refusal(parse(r#"{"do_resize": false, "do_normalize": false}"#), "do_resize");
        refusal(with(r#""crop_size": 2"#), "do_center_crop");
        refusal(with(r#""do_center_crop": true"#), "crop_size");
        assert_eq!(
            with(r#""do_center_crop": false, "crop_size": 2"#).unwrap().input_size(),
            (4, 6)
        );
    }

    #[test]
    fn wrong_and_missing_values_are_refused_by_name() {
        let message = refusal(with(r#""rescale_factor": "1/255""#), "rescale_factor");
        assert!(message.contains("invalid type: string"), "{message}");
        refusal(parse("{}"), "size");
        refusal(parse(r#"{"size": {"height": 4, "width": 4}}"#), "resample");
        refusal(
            parse(r#"{"size": {"height": 4, "width": 4}, "resample": 8}"#),
            "resample",
        );
        refusal(
            parse(r#"{"size": {"height": 0, "width": 4}, "resample": 2}"#),
            "size.height",
        );
        refusal(
            parse(r#"{"size": {"height": 4, "width": 99999}, "resample": 2}"#),
            "size.width",
        );
        refusal(parse(r#"{"size": {"height": 4}, "resample": 2}"#), "size");
        refusal(
            parse(r#"{"size": {"shortest_edge": 4, "longest_edge": 8}, "resample": 2}"#),
            "size",
        );
        let size = r#""size": {"height": 4, "width": 4}, "resample": 2"#;
        refusal(parse(&format!("{{{size}}}")), "image_mean");
        refusal(parse(&format!(r#"{{{size}, "image_mean": [0, 0, 0]}}"#)), "image_std");
        refusal(parse(&format!(r#"{{{size}, "image_mean": [0, 0]}}"#)), "image_mean");
        refusal(
            parse(&format!(
                r#"{{{size}, "image_mean": [0, 0, 0], "image_std": [1, 0, 1]}}"#
            )),
            "image_std",
        );
    }
}
