//! Reading the `pretrained_cfg` of timm's models.
//!
//! The steps are those of `timm.data.create_transform(**timm.data.resolve_model_data_config(model))` of timm 1.0, on
//! Pillow images. That function looks at six of the fields alone, so that no other one changes the result.

use serde::Deserialize;
use spark_classify_imaging::Resampling;

use super::json::Object;
use super::preprocessor_config::{Crop, CropConvention, Normalize, PreprocessorConfig, Rescale, Resize, Size};
use super::values::{side, usable_deviations, Filter, PerChannel, Whole};
use crate::error::Result;

/// timm's `DEFAULT_CROP_PCT`.
const CROP_PCT: f64 = 0.875;
/// timm's default size: that of its configurations without `input_size`.
const SIDE: usize = 224;
/// timm's `IMAGENET_DEFAULT_MEAN` and `IMAGENET_DEFAULT_STD`.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const STD: [f64; 3] = [0.229, 0.224, 0.225];

/// The filters that timm resizes Pillow images with.
const FILTERS: [&str; 6] = ["nearest", "bilinear", "bicubic", "box", "hamming", "lanczos"];

/// `input_size`: channels, height, width.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write [channels, height, width]")]
enum InputSize {
    Sides([Whole; 3]),
}

/// `img_size` of `model_args`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write a number of pixels, or [height, width]")]
enum ImageSize {
    Square(Whole),
    Sides([Whole; 2]),
}

impl PreprocessorConfig {
    /// Takes the fields of a `pretrained_cfg`; `model_args` are the arguments that the model was made with, which go
    /// before. Adds what is to be known about them to `notes`.
    pub(super) fn take_timm(
        pretrained: &mut Object,
        model_args: Option<Object>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let (height, width) = take_input_size(pretrained, model_args, notes)?;
        let resampling = take_interpolation(pretrained)?;
        let normalize = take_normalize(pretrained)?;
        let crop_pct = match pretrained.take("crop_pct")? {
            // Zero counts as absent, as it does in timm.
            None | Some(0.0) => CROP_PCT,
            Some(crop_pct) if crop_pct > 0.0 => crop_pct,
            Some(other) => return Err(pretrained.error("crop_pct", format!("is {other}; write a number above 0"))),
        };
        // A cast from floating point stays within the integers, and `side` refuses those at their ends.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let enlarged = |edge: usize| side(pretrained, "crop_pct", Whole((edge as f64 / crop_pct).floor() as u64));
        let (scaled_height, scaled_width) = (enlarged(height)?, enlarged(width)?);
        let scaled = Size::Exact {
            height: scaled_height,
            width: scaled_width,
        };
        let (size, fill) = match pretrained.take::<String>("crop_mode")?.as_deref() {
            None | Some("center" | "") if scaled_height == scaled_width => (Size::ShortestEdge(scaled_height), [0; 3]),
            None | Some("center" | "") => (
                Size::Covering {
                    height: scaled_height,
                    width: scaled_width,
                },
                [0; 3],
            ),
            Some("squash") => (scaled, [0; 3]),
            Some("border") => (
                Size::Fitting {
                    height: scaled_height,
                    width: scaled_width,
                },
                fill_of(pretrained, normalize.mean)?,
            ),
            Some(other) => {
                let reason = format!("`{other}` is none of `center`, `squash`, `border`");
                return Err(pretrained.error("crop_mode", reason));
            }
        };
        Ok(Self {
            resize: Some(Resize { size, resampling }),
            crop: Some(Crop {
                height,
                width,
                convention: CropConvention::Torchvision,
                fill,
            }),
            rescale: Some(Rescale {
                factor: 1.0 / 255.0,
                offset: 0.0,
            }),
            normalize: vec![normalize],
            bgr: false,
            data_format: None,
            input_size: (height, width),
        })
    }
}

/// Height and width of the input.
fn take_input_size(
    pretrained: &mut Object,
    model_args: Option<Object>,
    notes: &mut Vec<String>,
) -> Result<(usize, usize)> {
    let mut channels = Whole(3);
    let mut size = (SIDE, SIDE);
    if let Some(InputSize::Sides([given, height, width])) = pretrained.take("input_size")? {
        channels = given;
        size = (
            side(pretrained, "input_size", height)?,
            side(pretrained, "input_size", width)?,
        );
    }
    let fixed = pretrained.take("fixed_input_size")?.unwrap_or(false);
    if let Some(mut model_args) = model_args {
        channels = model_args.take("in_chans")?.unwrap_or(channels);
        if let (true, Some(given)) = (fixed, model_args.take("img_size")?) {
            let (height, width) = match given {
                ImageSize::Square(edge) => (edge, edge),
                ImageSize::Sides([height, width]) => (height, width),
            };
            size = (
                side(&model_args, "img_size", height)?,
                side(&model_args, "img_size", width)?,
            );
        }
    }
    if !matches!(channels, Whole(1 | 3)) {
        let reason = format!("has {} channels; images have 3, or 1 where they are grey", channels.0);
        return Err(pretrained.error("input_size", reason));
    }
    if let Some(InputSize::Sides([_, Whole(height), Whole(width)])) = pretrained.take("test_input_size")? {
        notes.push(format!(
            "timm recommends test_input_size, {height} x {width}; the model gets input_size, {} x {}, as from timm's \
             resolve_model_data_config",
            size.0, size.1
        ));
    }
    Ok(size)
}

fn take_interpolation(pretrained: &mut Object) -> Result<Resampling> {
    let Some(name) = pretrained
        .take::<String>("interpolation")?
        .filter(|name| !name.is_empty())
    else {
        return Ok(Resampling::Bicubic);
    };
    match Filter::of_text(&name) {
        Some(Filter(resampling)) if FILTERS.contains(&name.as_str()) => Ok(resampling),
        _ => {
            let reason = format!(
                "`{name}` is none of {}",
                FILTERS.map(|name| format!("`{name}`")).join(", ")
            );
            Err(pretrained.error("interpolation", reason))
        }
    }
}

fn take_normalize(pretrained: &mut Object) -> Result<Normalize> {
    let mut read = |field: &str, default| match pretrained.take(field)? {
        None => Ok(default),
        // timm takes this zero for an absent value.
        Some(PerChannel::All(0.0)) => Err(pretrained.error(field, "is 0; write three numbers")),
        Some(values) => Ok(values.each()),
    };
    let (mean, std) = (read("mean", MEAN)?, read("std", STD)?);
    if !usable_deviations(std) {
        return Err(pretrained.error("std", format!("is {std:?}; write three numbers above 0")));
    }
    Ok(Normalize { mean, std })
}

/// The colour with which `crop_mode` `border` pads: the mean.
fn fill_of(pretrained: &Object, mean: [f64; 3]) -> Result<[u8; 3]> {
    if !mean.iter().all(|mean| (0.0..=1.0).contains(mean)) {
        let reason = format!("is {mean:?}; with the crop_mode `border`, which pads with it, write numbers from 0 to 1");
        return Err(pretrained.error("mean", reason));
    }
    // Python's round.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok(mean.map(|mean| (255.0 * mean).round_ties_even() as u8))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn parse(text: &str, model_args: &str) -> (Result<PreprocessorConfig>, Vec<String>) {
        let mut notes = Vec::new();
        let mut file = Object::parse(Path::new("config.json"), text).unwrap();
        let model_args = Object::parse(Path::new("config.json"), model_args).unwrap();
        (
            PreprocessorConfig::take_timm(&mut file, Some(model_args), &mut notes),
            notes,
        )
    }

    fn config(text: &str) -> PreprocessorConfig {
        parse(text, "{}").0.unwrap()
    }

    fn error(text: &str) -> String {
        parse(text, "{}").0.unwrap_err().to_string()
    }

    #[test]
    fn what_is_left_out_has_timms_defaults() {
        let defaults = config("{}");
        let resize = defaults.resize.unwrap();
        assert_eq!(
            (resize.size, resize.resampling),
            (Size::ShortestEdge(256), Resampling::Bicubic)
        );
        assert_eq!(defaults.input_size(), (224, 224));
        assert_eq!(defaults.normalize, [Normalize { mean: MEAN, std: STD }]);
        let empty = r#"{"crop_pct": 0, "crop_mode": "", "interpolation": "", "mean": null, "input_size": null}"#;
        assert_eq!(config(empty), defaults);
    }

    #[test]
    fn the_crop_modes_resize_differently() {
        let size = |fields: &str| {
            let text = format!(r#"{{"input_size": [3, 30, 40], "crop_pct": 0.9, {fields}}}"#);
            let config = config(&text);
            assert_eq!(config.input_size(), (30, 40));
            (config.resize.unwrap().size, config.crop.unwrap().fill)
        };
        let (height, width) = (33, 44);
        assert_eq!(
            size(r#""crop_mode": "center""#),
            (Size::Covering { height, width }, [0; 3])
        );
        assert_eq!(
            size(r#""crop_mode": "squash""#),
            (Size::Exact { height, width }, [0; 3])
        );
        assert_eq!(
            size(r#""crop_mode": "border", "mean": [0.5, 0.1, 1]"#),
            // 127.5 and 25.5 go to the even neighbours.
            (Size::Fitting { height, width }, [128, 26, 255])
        );
    }

    #[test]
    fn the_arguments_of_the_model_go_before() {
        let fixed = r#"{"input_size": [3, 30, 40], "fixed_input_size": true}"#;
        let size = |args: &str| parse(fixed, args).0.unwrap().input_size();
        assert_eq!(size(r#"{"img_size": 64}"#), (64, 64));
        assert_eq!(size(r#"{"img_size": [64, 32]}"#), (64, 32));
        let free = parse(r#"{"input_size": [3, 30, 40]}"#, r#"{"img_size": 64}"#)
            .0
            .unwrap();
        assert_eq!(free.input_size(), (30, 40));
        let message = parse(fixed, r#"{"in_chans": 4}"#).0.unwrap_err().to_string();
        assert!(message.contains("field `input_size`: has 4 channels"), "{message}");
    }

    #[test]
    fn the_size_for_tests_is_not_used_and_named() {
        let text = r#"{"input_size": [3, 30, 40], "test_input_size": [3, 60, 80], "test_crop_pct": 1.0}"#;
        let (config, notes) = parse(text, "{}");
        assert_eq!(config.unwrap().input_size(), (30, 40));
        assert!(
            notes[0].contains("test_input_size, 60 x 80; the model gets input_size, 30 x 40"),
            "{notes:?}"
        );
    }

    #[test]
    fn wrong_values_are_refused_by_name() {
        for (text, expected) in [
            (
                r#"{"interpolation": "random"}"#,
                "field `interpolation`: `random` is none of `nearest`",
            ),
            (
                r#"{"interpolation": "mks2013"}"#,
                "field `interpolation`: `mks2013` is none",
            ),
            (r#"{"crop_mode": "top"}"#, "field `crop_mode`: `top` is none of"),
            (r#"{"crop_pct": -1}"#, "field `crop_pct`: is -1; write a number above 0"),
            (
                r#"{"crop_pct": 1e-9}"#,
                "field `crop_pct`: must be a whole number of pixels",
            ),
            (
                r#"{"input_size": [224, 224]}"#,
                "field `input_size`: is [224,224]; write [channels, height, width]",
            ),
            (
                r#"{"input_size": [3, 0, 224]}"#,
                "field `input_size`: must be a whole number of pixels",
            ),
            (
                r#"{"std": [1, 0, 1]}"#,
                "field `std`: is [1.0, 0.0, 1.0]; write three numbers above 0",
            ),
            (r#"{"mean": 0}"#, "field `mean`: is 0; write three numbers"),
            (r#"{"mean": [1, 2]}"#, "field `mean`: is [1,2]; write three numbers"),
            (
                r#"{"mean": [2, 0, 0], "crop_mode": "border"}"#,
                "field `mean`: is [2.0, 0.0, 0.0]; with the crop_mode",
            ),
        ] {
            let message = error(text);
            assert!(message.contains(expected), "{message}");
        }
    }
}
