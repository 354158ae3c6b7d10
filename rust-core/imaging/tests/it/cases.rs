//! The files of `tests/cases/images` give the probabilities that Pillow gives, plain and turned upright, or stand in a
//! list here of what differs from Pillow; docs/parity.md says why.

use std::collections::BTreeSet;
use std::fs;

use crate::common::repository;
use serde_json::Value;
use spark_classify_imaging::{decode, resize, DecodeOptions, ImageError, Resampling, Scratch};

/// Pillow reads these, and the error here contains this name.
const ONLY_PILLOW_READS: [(&str, &str); 4] = [
    ("dds.jpg", "a DDS texture"),
    ("pcx.jpg", "a PCX image"),
    ("sgi.jpg", "an SGI image"),
    ("tga.jpg", "a TGA image"),
];

/// Pillow refuses these, for metadata that has no part in the pixels.
const ONLY_READ_HERE: [&str; 5] = [
    "apng_small_fctl.png",
    "app0_short.jpg",
    "app14_short.jpg",
    "iccp_bomb.png",
    "itxt_2mb.png",
];

/// The probabilities of the network in the cases' README: bilinear to 32 x 32, the mean of each quarter of each
/// channel, times 6, softmax.
fn probabilities(image: &[u8], exif_transpose: bool) -> Result<Vec<f64>, ImageError> {
    let options = DecodeOptions {
        exif_transpose,
        ..DecodeOptions::default()
    };
    let mut scratch = Scratch::default();
    let decoded = decode(image, &options, &mut scratch)?.clone();
    let resized = resize(&decoded, (32, 32), Resampling::Bilinear, &mut scratch).unwrap();
    let mut sums = [0.0; 12];
    for (index, &sample) in resized.pixels.iter().enumerate() {
        let (pixel, channel) = (index / 3, index % 3);
        let (row, column) = (pixel / 32, pixel % 32);
        sums[channel * 4 + row / 16 * 2 + column / 16] += f64::from(sample);
    }
    let powers = sums.map(|sum| (6.0 * sum / 255.0 / 256.0).exp());
    let total: f64 = powers.iter().sum();
    Ok(powers.iter().map(|power| power / total).collect())
}

#[test]
fn files_give_pillows_probabilities_or_are_listed() {
    let cases: Value = serde_json::from_slice(&fs::read(repository("tests/cases/images.json")).unwrap()).unwrap();
    let cases = cases.as_object().unwrap();
    let files: BTreeSet<String> = fs::read_dir(repository("tests/cases/images"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, cases.keys().cloned().collect(), "each file has its case");
    let mut faults = Vec::new();
    for (name, case) in cases {
        let image = fs::read(repository("tests/cases/images").join(name)).unwrap();
        for (key, exif_transpose) in [("plain", false), ("exif_transpose", true)] {
            let result = probabilities(&image, exif_transpose);
            if let Some(fault) = difference(name, &case[key], &result) {
                faults.push(format!("{name}, {key}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with a result, if anything is.
fn difference(name: &str, pillow: &Value, result: &Result<Vec<f64>, ImageError>) -> Option<String> {
    let refused = ONLY_PILLOW_READS.iter().find(|(file, _)| *file == name);
    let read_here = ONLY_READ_HERE.contains(&name);
    match (pillow, result) {
        (Value::Array(expected), Ok(probabilities)) => {
            if refused.is_some() || read_here {
                return Some("both read it: no longer a difference".to_owned());
            }
            let near = expected.len() == probabilities.len()
                && expected
                    .iter()
                    .zip(probabilities)
                    .all(|(expected, ours)| (expected.as_f64().unwrap() - ours).abs() <= 1e-6);
            (!near).then(|| format!("{probabilities:?} instead of {expected:?}"))
        }
        (Value::Array(_), Err(error)) => {
            let named = refused.is_some_and(|(_, kind)| error.to_string().contains(kind));
            (!named).then(|| format!("only Pillow reads it: {error}"))
        }
        (_, Ok(_)) => (!read_here).then(|| format!("read here, but Pillow says {pillow}")),
        (_, Err(error)) => read_here.then(|| format!("both refuse it: no longer a difference ({error})")),
    }
}
