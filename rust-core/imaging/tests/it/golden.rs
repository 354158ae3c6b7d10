//! Decoding and resizing give the bytes of Pillow and of torchvision; `scripts/make_golden.py` asked them.

use base64::prelude::{Engine, BASE64_STANDARD};
use spark_classify_imaging::{decode, resize, DecodeOptions, Resampling, RgbImage, Scratch};
use spark_classify_testing::{dataset_image, golden, odd_image, sha256};

use crate::decoded;

#[test]
fn every_committed_image_decodes_and_resizes_to_the_same_bytes() {
    let golden = golden("decode.json");
    let images = golden["images"].as_object().unwrap();
    assert!(images.len() >= 100, "only {} images", images.len());
    let mut scratch = Scratch::default();
    for (name, expected) in images {
        let bytes = dataset_image(name);
        let (width, height) = (
            expected["width"].as_u64().unwrap(),
            expected["height"].as_u64().unwrap(),
        );
        assert_eq!(
            sha256(&decoded(width, height, &bytes).unwrap()),
            expected["rgb_sha256"],
            "{name} decoded"
        );
        let image = decode(&bytes, &DecodeOptions::default(), &mut scratch).unwrap().clone();
        let resized = resize(&image, (128, 128), Resampling::Bilinear, &mut scratch)
            .unwrap()
            .pixels;
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
    let sources: Vec<RgbImage> = golden["sources"].as_array().unwrap().iter().map(source).collect();
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    // One scratch for all, as in a real run: weights kept from one case must not disturb another.
    let mut scratch = Scratch::default();
    for case in cases {
        let [index, width, height] = ["source", "width", "height"].map(|key| case[key].as_u64().unwrap() as usize);
        let filter = Resampling::of_number(case["resample"].as_u64().unwrap()).unwrap();
        let resized = resize(&sources[index], (width, height), filter, &mut scratch).unwrap();
        let expected = BASE64_STANDARD.decode(case["rgb"].as_str().unwrap()).unwrap();
        assert!(
            resized.pixels == expected,
            "source {index} to {width} x {height} with {}",
            case["filter"]
        );
    }
}

#[test]
fn the_filters_of_tensors_resize_to_the_same_bytes() {
    let golden = golden("torchvision.json");
    let cases = golden["resized"].as_array().unwrap();
    assert!(cases.len() >= 150, "only {} cases", cases.len());
    let mut scratch = Scratch::default();
    for case in cases {
        let [(height, width), (to_height, to_width)] = ["size", "resized"].map(|key| {
            let side = |index: usize| case[key][index].as_u64().unwrap() as usize;
            (side(0), side(1))
        });
        let image = hashed_picture(height, width, case["extreme"].as_bool().unwrap());
        for (number, expected) in case["sha256"].as_object().unwrap() {
            let filter = Resampling::of_number(number.parse().unwrap()).unwrap();
            let filter = filter.on_tensors().unwrap();
            let resized = resize(&image, (to_width, to_height), filter, &mut scratch).unwrap();
            assert_eq!(sha256(&resized.pixels), *expected, "{case} with {filter:?}");
        }
    }
}

/// The `picture` of `scripts/torchvision_cases.py`.
fn hashed_picture(height: usize, width: usize, extreme: bool) -> RgbImage {
    const KNUTH: u32 = 2_654_435_761;
    let sample = |number: u32| {
        let hash = number.wrapping_mul(KNUTH);
        if extreme {
            (hash >> 31) as u8 * 255
        } else {
            (hash >> 24) as u8
        }
    };
    RgbImage {
        width,
        height,
        pixels: (0..(height * width * 3) as u32).map(sample).collect(),
    }
}

/// A source of resize.json.
fn source(source: &serde_json::Value) -> RgbImage {
    RgbImage {
        width: source["width"].as_u64().unwrap() as usize,
        height: source["height"].as_u64().unwrap() as usize,
        pixels: BASE64_STANDARD.decode(source["rgb"].as_str().unwrap()).unwrap(),
    }
}
