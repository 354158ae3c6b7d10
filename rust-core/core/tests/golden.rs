//! Decoding and resizing give the bytes of Pillow; `scripts/make_golden.py` asked it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Cursor;

use base64::prelude::{Engine, BASE64_STANDARD};
use common::{decoded, golden, model_directory, odd_image, repository, samples, sha256};
use spark_classify_core::preprocess::{Preprocessor, Scratch};
use spark_classify_core::{ImageLimits, ModelDirectory};

#[test]
fn every_committed_image_decodes_and_resizes_to_the_same_bytes() {
    let golden = golden("decode.json");
    let images = golden["images"].as_object().unwrap();
    assert!(images.len() >= 100, "only {} images", images.len());
    for (name, expected) in images {
        let bytes = fs::read(repository("dataset/all_images").join(name)).unwrap();
        let (width, height) = (
            expected["width"].as_u64().unwrap(),
            expected["height"].as_u64().unwrap(),
        );
        assert_eq!(
            sha256(&decoded(width, height, &bytes).unwrap()),
            expected["rgb_sha256"],
            "{name} decoded"
        );
        let resize = r#""size": {"height": 128, "width": 128}, "resample": 2"#;
        let resized = samples(resize, ImageLimits::default(), &bytes).unwrap();
        assert_eq!(sha256(&resized), expected["resized_sha256"], "{name} resized");
    }
}

#[test]
fn every_kind_of_image_decodes_as_pillow_decodes_it_or_is_refused() {
    let golden = golden("images.json");
    let (mut good, mut bad) = (0, 0);
    for (name, expected) in golden["images"].as_object().unwrap() {
        let bytes = odd_image(name);
        if expected.get("refused").is_some() {
            assert!(decoded(8, 8, &bytes).is_err(), "{name} must be refused");
            bad += 1;
        } else {
            let (width, height) = (
                expected["width"].as_u64().unwrap(),
                expected["height"].as_u64().unwrap(),
            );
            assert_eq!(
                sha256(&decoded(width, height, &bytes).unwrap()),
                expected["rgb_sha256"],
                "{name}"
            );
            good += 1;
        }
    }
    assert!(good >= 20 && bad >= 7, "{good} good and {bad} bad images");
}

#[test]
fn every_filter_resizes_to_the_same_bytes() {
    let golden = golden("resize.json");
    let sources: Vec<Vec<u8>> = golden["sources"].as_array().unwrap().iter().map(png).collect();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    // One scratch for all, as in a real run: weights kept from one case must not disturb another.
    let mut scratch = Scratch::default();
    for case in cases {
        let directory = model_directory(&format!(
            r#"{{"size": {{"height": {}, "width": {}}}, "resample": {}, "do_rescale": false, "do_normalize": false}}"#,
            case["height"], case["width"], case["resample"]
        ));
        let model = ModelDirectory::open(directory.path()).unwrap();
        let preprocessor = Preprocessor::new(model.preprocessor(), ImageLimits::default());
        let source = &sources[case["source"].as_u64().unwrap() as usize];
        let mut tensor = vec![0.0; preprocessor.tensor_len()];
        preprocessor.preprocess(source, &mut tensor, &mut scratch).unwrap();
        let expected = BASE64_STANDARD.decode(case["rgb"].as_str().unwrap()).unwrap();
        let plane = tensor.len() / 3;
        for (index, sample) in expected.iter().enumerate() {
            let actual = tensor[index % 3 * plane + index / 3] as u8;
            assert_eq!(
                actual, *sample,
                "source {} to {} x {} with {}, sample {index}",
                case["source"], case["width"], case["height"], case["filter"]
            );
        }
    }
}

/// A source of resize.json as a PNG.
fn png(source: &serde_json::Value) -> Vec<u8> {
    let pixels = BASE64_STANDARD.decode(source["rgb"].as_str().unwrap()).unwrap();
    let (width, height) = (source["width"].as_u64().unwrap(), source["height"].as_u64().unwrap());
    let image = image::RgbImage::from_raw(width as u32, height as u32, pixels).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn a_crop_is_the_middle_of_the_whole_and_pads_with_zeros() {
    let bytes = odd_image("baseline_420.jpg");
    let limits = ImageLimits::default();
    // 61 x 47: the shorter side becomes 30 and the longer 61 * 30 / 47 = 38.
    let whole = samples(r#""size": {"height": 30, "width": 38}, "resample": 3"#, limits, &bytes).unwrap();
    let edge = r#""size": {"shortest_edge": 30}, "resample": 3, "do_center_crop": true"#;
    let crop = format!(r#"{edge}, "crop_size": {{"height": 11, "width": 20}}"#);
    let cropped = samples(&crop, limits, &bytes).unwrap();
    for row in 0..11 {
        let expected = &whole[((row + 9) * 38 + 9) * 3..][..20 * 3];
        assert_eq!(&cropped[row * 20 * 3..][..20 * 3], expected, "row {row}");
    }
    let pad = format!(r#"{edge}, "crop_size": {{"height": 33, "width": 38}}"#);
    let padded = samples(&pad, limits, &bytes).unwrap();
    let (above, rest) = padded.split_at(2 * 38 * 3);
    let (image, below) = rest.split_at(whole.len());
    assert_eq!(image, whole);
    assert!(above.iter().chain(below).all(|sample| *sample == 0));
}
