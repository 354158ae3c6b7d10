//! AVIF decodes to the bytes of Pillow; `scripts/avif_cases.py` asked it.

use std::thread;

use crate::common::{decoded, golden, sha256};
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::Value;
use spark_classify_imaging::{decode, DecodeOptions, Scratch};

fn cases() -> Vec<(String, Value, Vec<u8>)> {
    let golden = golden("avif.json");
    let cases = golden["cases"].as_object().unwrap();
    let file = |case: &Value| BASE64_STANDARD.decode(case["file"].as_str().unwrap()).unwrap();
    cases
        .iter()
        .map(|(name, case)| (name.clone(), case.clone(), file(case)))
        .collect()
}

fn file(name: &str) -> Vec<u8> {
    let mut cases = cases().into_iter();
    cases.find(|(other, ..)| other == name).unwrap().2
}

/// What is wrong with the pixels, if anything is.
fn fault(bytes: &[u8], exif_transpose: bool, expected: &Value) -> Option<String> {
    let options = DecodeOptions {
        exif_transpose,
        ..DecodeOptions::default()
    };
    let mut scratch = Scratch::default();
    match decode(bytes, &options, &mut scratch) {
        Ok(image) if (image.width as u64, image.height as u64) != size(expected) => Some("another size".to_owned()),
        Ok(image) => (expected["sha256"] != sha256(&image.pixels)).then(|| "other pixels".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

fn size(expected: &Value) -> (u64, u64) {
    (
        expected["width"].as_u64().unwrap(),
        expected["height"].as_u64().unwrap(),
    )
}

#[test]
fn images_decode_as_in_pillow_and_turn_as_in_pillow_or_are_refused() {
    let (mut good, mut refused, mut wrong) = (0, 0, Vec::new());
    for (name, case, file) in cases() {
        if case.get("refused").is_some() {
            let mut scratch = Scratch::default();
            let read = decode(&file, &DecodeOptions::default(), &mut scratch).is_ok();
            wrong.extend(read.then(|| format!("{name}: read here")));
            refused += 1;
            continue;
        }
        for (key, exif_transpose) in [("plain", false), ("upright", true)] {
            let fault = fault(&file, exif_transpose, &case[key]);
            wrong.extend(fault.map(|fault| format!("{name}, {key}: {fault}")));
        }
        good += 1;
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(good > 250 && refused > 20, "{good} good and {refused} refused images");
}

#[test]
fn cut_files_are_refused() {
    for name in [
        "boxes/plain",
        "grid/4:2:0/128x128",
        "sequence/4/4:4:4",
        "multiplied/4:2:0/full",
    ] {
        let file = file(name);
        for length in (0..file.len()).step_by(3) {
            let mut scratch = Scratch::default();
            // Pillow, too, reads what has lost nothing but boxes that do not matter.
            if let Err(error) = decode(&file[..length], &DecodeOptions::default(), &mut scratch) {
                assert!(!error.to_string().contains("panicked"), "{name}, {length}: {error}");
            }
        }
        assert!(
            decode(
                &file[..file.len() / 2],
                &DecodeOptions::default(),
                &mut Scratch::default()
            )
            .is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_size_that_the_pixels_contradict_is_refused_with_both() {
    let mut file = file("boxes/plain");
    let at = file.windows(4).position(|kind| kind == b"ispe").unwrap() + 8;
    file[at..at + 8].copy_from_slice(&[0, 0, 0, 20, 0, 0, 0, 12]);
    let error = decoded(20, 12, &file).unwrap_err().to_string();
    assert_eq!(
        error,
        "unsupported AVIF image: a picture of 40x24 pixels where the container tells 20x12"
    );
}

#[test]
fn an_image_of_many_pictures_is_refused() {
    // The pixels are the end of the file, and the place of the only item gives their length.
    let mut file = file("boxes/plain");
    let at = file.windows(4).position(|kind| kind == b"iloc").unwrap() + 20;
    let place = |at: usize, file: &[u8]| u32::from_be_bytes(file[at..at + 4].try_into().unwrap());
    let (start, length) = (place(at, &file) as usize, place(at + 4, &file));
    let picture = file[start..].to_vec();
    assert_eq!(picture.len(), length as usize);
    for (pictures, refused) in [(32, false), (33, true)] {
        while file.len() < start + picture.len() * pictures {
            file.extend_from_slice(&picture);
        }
        file[at + 4..at + 8].copy_from_slice(&(length * pictures as u32).to_be_bytes());
        let result = decoded(40, 24, &file);
        let expected = "broken AVIF image: one image of 33 pictures, at most 32 are decoded";
        assert_eq!(result.is_err(), refused, "{pictures}");
        assert!(result.is_ok() || result.unwrap_err().to_string() == expected);
    }
}

#[test]
fn a_stream_that_tells_less_at_its_end_is_refused() {
    // The header that counts is the last one, and the picture is larger than it says.
    let larger = streamed(&file("boxes/plain"));
    let smaller = streamed(&file("exif/by_pillow/1"));
    let mut file = file("boxes/plain");
    let at = file.windows(4).position(|kind| kind == b"iloc").unwrap() + 24;
    let header = &smaller[2..][..usize::from(smaller[3]) + 2];
    assert_eq!((larger[2], header[0]), (0x0A, 0x0A), "headers of a sequence");
    file.extend_from_slice(header);
    let length = u32::try_from(larger.len() + header.len()).unwrap();
    file[at..at + 4].copy_from_slice(&length.to_be_bytes());
    let error = decoded(40, 24, &file).unwrap_err().to_string();
    assert_eq!(error, "broken AVIF image: its pixels are broken");
}

/// The compressed pixels at the end of a file of one image.
fn streamed(file: &[u8]) -> Vec<u8> {
    let start = file.windows(4).position(|kind| kind == b"mdat").unwrap() + 4;
    file[start..].to_vec()
}

#[test]
fn an_item_in_parts_is_no_longer_than_the_file() {
    // Each of five extents is made to be the first 60 % of the file.
    let mut file = file("boxes/extents");
    let length = u32::try_from(file.len() * 6 / 10).unwrap();
    let at = file.windows(4).position(|kind| kind == b"iloc").unwrap() + 12 + 8;
    for extent in file[at..at + 40].chunks_exact_mut(8) {
        extent[..4].copy_from_slice(&[0; 4]);
        extent[4..].copy_from_slice(&length.to_be_bytes());
    }
    let error = decoded(40, 24, &file).unwrap_err().to_string();
    assert_eq!(error, "broken AVIF image: an image is longer than the file");
}

#[test]
fn the_stack_of_a_small_thread_is_enough() {
    let files: Vec<_> = cases().into_iter().map(|(.., file)| file).collect();
    let decoded = thread::Builder::new().stack_size(384 << 10).spawn(move || {
        let mut scratch = Scratch::default();
        let good = |file: &&Vec<u8>| decode(file, &DecodeOptions::default(), &mut scratch).is_ok();
        files.iter().filter(good).count()
    });
    assert!(decoded.unwrap().join().unwrap() > 250);
}
