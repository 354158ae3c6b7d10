//! Hashes have the bits of the Python package `imagehash`; `scripts/hash_cases.py` asked it.

use std::fs;

use spark_classify_imaging::{DecodeOptions, EncodedImage, ImageError, ImageHash, ImageLimits, Scratch};
use spark_classify_testing::{golden, repository};

/// Pillow's `convert("L")` leaves the numbers of the palette's entries as they are, which its `convert("RGB")` does not.
const HASHED_BY_COLOUR_HERE: &str = "tests/golden/images/grey_ramp.gif";

fn hash(file: &[u8], scratch: &mut Scratch) -> Result<ImageHash, ImageError> {
    let options = DecodeOptions::default();
    scratch.decode(EncodedImage::open(file, &options)?, None)?;
    scratch.image_hash(options.limits)
}

#[test]
fn every_image_that_both_read_has_the_same_bits() {
    let golden = golden("hashes.json");
    let mut scratch = Scratch::default();
    let (mut equal, mut refused, mut differ) = (0, Vec::new(), Vec::new());
    for (path, expected) in golden["images"].as_object().unwrap() {
        let file = fs::read(repository(path)).unwrap();
        let number = |key: &str| u64::from_str_radix(expected[key].as_str().unwrap(), 16).unwrap();
        let expected_hash = ImageHash {
            phash: number("phash"),
            dhash: number("dhash"),
        };
        match hash(&file, &mut scratch) {
            Ok(actual) if actual == expected_hash => equal += 1,
            Ok(_) if path == HASHED_BY_COLOUR_HERE => {}
            Ok(actual) => differ.push(format!("{path}: {actual:x?}, not {expected}")),
            Err(error) => refused.push(format!("{path}: {error}")),
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert!(refused.is_empty(), "{}", refused.join("\n"));
    assert!(equal >= 100, "only {equal} images");
}

#[test]
fn memory_is_within_the_limits() {
    let file = fs::read(repository("dataset/all_images/id_0001.jpg")).unwrap();
    let mut scratch = Scratch::default();
    let hashed = hash(&file, &mut scratch).unwrap();
    let limits = ImageLimits {
        max_memory: scratch.image().pixels.len() as u64,
        ..ImageLimits::default()
    };
    assert!(matches!(scratch.image_hash(limits), Err(ImageError::Limit { .. })));
    // A grey image stays as it is.
    assert_eq!(scratch.image_hash(ImageLimits::default()).unwrap(), hashed);
}
