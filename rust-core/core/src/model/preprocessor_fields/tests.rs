//! What each field and processor of the file means, and what is refused.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use std::path::Path;

use spark_classify_imaging::Resampling;

use super::*;

fn parse(text: &str) -> Result<PreprocessorConfig> {
    let mut file = Object::parse(Path::new("preprocessor_config.json"), text)?;
    PreprocessorConfig::take(&mut file, &Surroundings::default(), &mut Vec::new())
}

/// Parses the given fields and, where they are not among these, a size, a filter, mean and standard deviation.
fn with(fields: &str) -> Result<PreprocessorConfig> {
    let given: serde_json::Map<_, _> = serde_json::from_str(&format!("{{{fields}}}")).unwrap();
    let mut all = serde_json::json!({
        "size": {"height": 4, "width": 6}, "resample": 2, "image_mean": [0, 0, 0], "image_std": [1, 1, 1]
    });
    all.as_object_mut().unwrap().extend(given);
    parse(&all.to_string())
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
            rescale: Some(Rescale {
                factor: 1.0 / 255.0,
                offset: 0.0
            }),
            normalize: vec![Normalize {
                mean: [0.5, 0.4, 0.3],
                std: [0.25, 0.5, 1.0]
            }],
            bgr: false,
            data_format: Some(DataFormat::ChannelsFirst),
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
    let crop = Crop {
        height: 200,
        width: 200,
        convention: CropConvention::HuggingFace,
        fill: [0; 3],
    };
    assert_eq!((config.crop, config.input_size()), (Some(crop), (200, 200)));
    assert_eq!(config.rescale.unwrap().factor, 1.0 / 255.0);
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
    refusal(with(r#""do_pad": true"#), "do_pad");
    refusal(with(r#""rescale_offset": true"#), "rescale_offset");
    assert_eq!(with(r#""rescale_offset": false"#).unwrap(), with("").unwrap());
    refusal(with(r#""data_format": "NHWC""#), "data_format");
    let message = refusal(
        with(r#""image_processor_type": "DINOv3ViTImageProcessorFast""#),
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
    refusal(parse(r#"{"size": {"longest_edge": 8}, "resample": 2}"#), "size");
    for (size, found) in [
        (r#"{"longest_edge": 8}"#, "has longest_edge; write"),
        (r#"{"height": 4}"#, "has height; write"),
        (
            r#"{"height": 4, "shortest_edge": 4}"#,
            "has height and shortest_edge; write",
        ),
        ("{}", "has nothing; write"),
        (
            r#"{"min_pixels": 8, "max_pixels": 9}"#,
            r#"is {"max_pixels":9,"min_pixels":8}; write"#,
        ),
        (
            r#"{"height": 4.5, "width": 4}"#,
            r#"is {"height":4.5,"width":4}; write a whole number"#,
        ),
        ("[4, 4, 3]", "is [4,4,3]; write a whole number"),
        ("true", "is true; write a whole number"),
        (r#""8px""#, r#"is "8px"; write a whole number"#),
    ] {
        let message = refusal(parse(&format!(r#"{{"size": {size}, "resample": 2}}"#)), "size");
        assert!(message.contains(found), "{message}");
    }
    refusal(parse(r#"{"size": "8", "resample": 2}"#), "size");
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

/// The configuration of these fields, with `fields` in config.json, and the notes about it.
fn beside(config: &str, nested: bool, fields: &str) -> (Result<PreprocessorConfig>, Vec<String>) {
    let mut config = Object::parse(Path::new("config.json"), &format!("{{{config}}}")).unwrap();
    let surroundings = Surroundings::take(&mut config, nested).unwrap();
    let mut file = Object::parse(Path::new("preprocessor_config.json"), &format!("{{{fields}}}")).unwrap();
    let mut notes = Vec::new();
    (PreprocessorConfig::take(&mut file, &surroundings, &mut notes), notes)
}

#[test]
fn config_json_tells_the_processor_that_its_own_file_does_not() {
    let efficientnet = |config: &str| beside(config, false, r#""size": 8, "resample": 2"#).0;
    // The model's processor divides by the standard deviation twice.
    assert_eq!(
        efficientnet(r#""model_type": "efficientnet""#).unwrap().normalize.len(),
        2
    );
    let named = r#""model_type": "vit", "image_processor_type": "EfficientNetImageProcessor""#;
    assert_eq!(efficientnet(named).unwrap().normalize.len(), 2);
    let (own, _) = beside(
        r#""model_type": "efficientnet""#,
        false,
        r#""image_processor_type": "ViTImageProcessor""#,
    );
    assert_eq!(own.unwrap().normalize.len(), 1);
    let message = refusal(efficientnet(r#""model_type": "perceiver""#), "image_processor_type");
    assert!(
        message.contains("is missing, and `model_type` in config.json means `PerceiverImageProcessor`"),
        "{message}"
    );
    // A model of no library has the steps in the file.
    let message = refusal(efficientnet(r#""model_type": "ours""#), "size");
    assert!(message.contains("one number means"), "{message}");
}

#[test]
fn a_note_says_where_transformers_would_resize_tensors() {
    let notes = |config: &str, nested: bool, class: &str| {
        let (config, notes) = beside(
            config,
            nested,
            &format!(r#""image_processor_type": "{class}", "resample": 2"#),
        );
        assert!(config.is_ok() || class == "torchvision");
        notes
    };
    for (config, nested, class) in [
        ("", false, "ViTImageProcessorFast"),
        ("", true, "ViTImageProcessor"),
        (r#""transformers_version": "5.23.0""#, false, "ViTImageProcessor"),
        (r#""transformers_version": "10.0.dev0""#, false, "ViTImageProcessor"),
    ] {
        let notes = notes(config, nested, class);
        assert!(notes[0].starts_with(&format!("`{class}` resizes tensors")), "{notes:?}");
    }
    for (config, nested, class) in [
        ("", false, "ViTImageProcessor"),
        (r#""transformers_version": "4.57.1""#, false, "ViTImageProcessor"),
        (r#""transformers_version": "5.23.0""#, false, "ViTImageProcessorPil"),
        (r#""transformers_version": "5.23.0""#, false, "torchvision"),
    ] {
        assert_eq!(notes(config, nested, class), [""; 0], "{config} {class}");
    }
}

#[test]
fn filters_may_be_named_and_a_note_says_that_transformers_reads_numbers() {
    for (resample, noted) in [
        ("2", false),
        (r#""bilinear""#, false),
        (r#""BILINEAR""#, false),
        (r#""bicubic""#, true),
        (r#""3""#, true),
    ] {
        let fields = format!(r#""image_processor_type": "ViTImageProcessor", "resample": {resample}"#);
        let (config, notes) = beside("", false, &fields);
        let expected = if noted {
            Resampling::Bicubic
        } else {
            Resampling::Bilinear
        };
        assert_eq!(config.unwrap().resize.unwrap().resampling, expected, "{resample}");
        assert_eq!(!notes.is_empty(), noted, "{resample}: {notes:?}");
    }
}

fn processor(class: &str, fields: &str) -> Result<PreprocessorConfig> {
    parse(&format!(r#"{{"image_processor_type": "{class}", {fields}}}"#))
}

#[test]
fn a_processor_fills_in_what_its_file_leaves_out() {
    for class in [
        "BitImageProcessor",
        "CLIPImageProcessorPil",
        "ChineseCLIPImageProcessorFast",
    ] {
        let config = processor(class, r#""crop_size": null"#).unwrap();
        let resize = config.resize.unwrap();
        assert_eq!(
            (resize.size, resize.resampling),
            (Size::ShortestEdge(224), Resampling::Bicubic)
        );
        assert_eq!(config.input_size(), (224, 224));
        assert_eq!(config.normalize[0].mean[2], 0.408_210_73);
    }
    // What the file says goes before.
    let config = processor("MobileNetV2ImageProcessor", r#""size": 40, "crop_size": [30, 20]"#).unwrap();
    assert_eq!(config.resize.unwrap().size, Size::ShortestEdge(40));
    assert_eq!(config.input_size(), (30, 20));
}

#[test]
fn a_default_that_changed_between_releases_must_be_written() {
    refusal(processor("ConvNextImageProcessor", r#""crop_pct": null"#), "resample");
    refusal(
        processor("EfficientNetImageProcessor", r#""crop_pct": null"#),
        "resample",
    );
    refusal(processor("PvtImageProcessor", r#""crop_pct": null"#), "resample");
    refusal(processor("MobileViTImageProcessor", r#""crop_pct": null"#), "resample");
    refusal(processor("BeitImageProcessor", r#""size": 224"#), "do_center_crop");
    refusal(processor("BeitImageProcessor", r#""do_center_crop": false"#), "size");
}

#[test]
fn convnext_cuts_small_inputs_from_a_larger_image_and_warps_large_ones() {
    let config = |fields: &str| processor("ConvNextImageProcessor", &format!(r#""resample": 3, {fields}"#));
    let small = config(r#""size": 224"#).unwrap();
    assert_eq!(small.resize.unwrap().size, Size::ShortestEdge(256));
    assert_eq!(small.input_size(), (224, 224));
    let narrow = config(r#""size": {"shortest_edge": 383}, "crop_pct": 0.95"#).unwrap();
    assert_eq!(narrow.resize.unwrap().size, Size::ShortestEdge(403));
    let large = config(r#""size": {"shortest_edge": 384}, "crop_pct": 0.5"#).unwrap();
    assert_eq!(
        large.resize.unwrap().size,
        Size::Exact {
            height: 384,
            width: 384
        }
    );
    assert_eq!((large.crop, large.input_size()), (None, (384, 384)));
    refusal(config(r#""size": {"height": 224, "width": 224}"#), "size");
    refusal(config(r#""do_center_crop": true, "crop_size": 8"#), "do_center_crop");
    refusal(config(r#""crop_pct": 0"#), "crop_pct");
    refusal(config(r#""size": 224, "crop_pct": 1e-9"#), "size");
}

#[test]
fn segformer_does_not_crop() {
    let crop = r#""do_center_crop": true, "crop_size": 8"#;
    refusal(processor("SegformerImageProcessor", crop), "do_center_crop");
    assert_eq!(
        processor("SegformerImageProcessor", r#""size": 9"#)
            .unwrap()
            .input_size(),
        (9, 9)
    );
}

#[test]
fn levit_and_poolformer_resize_to_more_than_they_say() {
    let levit = processor("LevitImageProcessor", r#""resample": 3"#).unwrap();
    assert_eq!(levit.resize.unwrap().size, Size::ShortestEdge(256));
    assert_eq!(levit.input_size(), (224, 224));
    let size = |fields: &str| {
        processor("PoolFormerImageProcessor", fields)
            .unwrap()
            .resize
            .unwrap()
            .size
    };
    assert_eq!(size(r#""resample": 3"#), Size::ShortestEdge(248));
    assert_eq!(size(r#""size": {"height": 90, "width": 90}"#), Size::ShortestEdge(100));
    assert_eq!(
        size(r#""size": {"height": 90, "width": 45}"#),
        Size::Exact { height: 100, width: 50 }
    );
}

#[test]
fn efficientnet_divides_by_the_standard_deviation_twice() {
    let config = |fields: &str| {
        let fields = format!(r#""resample": 0, "image_std": 0.25, {fields}"#);
        processor("EfficientNetImageProcessor", &fields).unwrap()
    };
    let whole = config(r#""rescale_offset": true"#);
    assert_eq!(whole.rescale.unwrap().offset, 1.0);
    assert_eq!(whole.normalize.len(), 2);
    assert_eq!(
        whole.normalize[1],
        Normalize {
            mean: [0.0; 3],
            std: [0.25; 3]
        }
    );
    assert_eq!(config(r#""include_top": false"#).normalize.len(), 1);
    // The second one is not switched off with the first.
    assert_eq!(config(r#""do_normalize": false"#).normalize.len(), 1);
}

#[test]
fn mobilevit_swaps_channels_and_does_not_normalise() {
    let config = processor("MobileViTImageProcessor", r#""resample": 2"#).unwrap();
    assert!(config.bgr && config.normalize.is_empty());
    let config = processor(
        "MobileViTImageProcessor",
        r#""resample": 2, "do_flip_channel_order": false"#,
    );
    assert!(!config.unwrap().bgr);
}

#[test]
fn sizes_and_channel_values_may_be_written_in_every_form() {
    let bounded = with(r#""size": {"shortest_edge": 4, "longest_edge": 8}, "do_center_crop": true, "crop_size": 4"#);
    assert_eq!(
        bounded.unwrap().resize.unwrap().size,
        Size::BoundedEdge {
            shortest: 4,
            longest: 8
        }
    );
    for size in [
        "[5, 7]",
        r#"{"height": 5.0, "width": 7.0}"#,
        r#"{"height": "5", "width": "7"}"#,
        r#"["5", 7.0]"#,
        r#"{"height": 5, "width": 7, "shortest_edge": null, "max_height": null}"#,
    ] {
        let config = with(&format!(r#""size": {size}"#)).unwrap();
        assert_eq!(config.input_size(), (5, 7), "{size}");
    }
    for size in ["8", "8.0", r#""8""#] {
        let config = processor("ViTImageProcessor", &format!(r#""size": {size}"#)).unwrap();
        assert_eq!(config.input_size(), (8, 8), "{size}");
    }
    let within = with(r#""size": {"max_height": 6, "max_width": 8}, "do_center_crop": true, "crop_size": "4""#);
    let within = within.unwrap();
    assert_eq!(
        (within.resize.unwrap().size, within.input_size()),
        (Size::Within { height: 6, width: 8 }, (4, 4))
    );
    for mean in ["0.5", "[0.5]", "[0.5, 0.5, 0.5]"] {
        let config = with(&format!(r#""image_mean": {mean}"#)).unwrap();
        assert_eq!(config.normalize[0].mean, [0.5; 3], "{mean}");
    }
    let torchvision = processor(
        "torchvision",
        r#""size": 8, "do_center_crop": true, "crop_size": 4, "do_normalize": false"#,
    );
    let torchvision = torchvision.unwrap();
    assert_eq!(torchvision.crop.unwrap().convention, CropConvention::Torchvision);
    assert_eq!(torchvision.resize.unwrap().size, Size::ShortestEdge(8));
}
