//! What decoding takes, next to what was checked. In a process of its own, whose `malloc` counts for Rust and libjpeg.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::prelude::{Engine, BASE64_STANDARD};
use image::ImageEncoder;
use spark_classify_imaging::{
    decode, Axis, DecodeOptions, ImageError, ImageLimits, ImageSource, Measure, Resampling, Scratch, Target,
};
use spark_classify_testing::{golden, repository};

#[path = "decode_memory/crafted.rs"]
mod crafted;
#[path = "it/jpegs.rs"]
mod jpegs;
#[path = "decode_memory/malloc.rs"]
mod malloc;
#[path = "it/tiffs.rs"]
mod tiffs;

use malloc::most_taken;

/// Bytes of messages, of what is counted before the first check, and of the program that runs the tests.
const SMALL: u64 = 16 << 10;

/// To be kept by a test while it counts, for all count with the same numbers.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn options(max_memory: u64) -> DecodeOptions {
    DecodeOptions {
        limits: ImageLimits {
            max_memory,
            ..ImageLimits::default()
        },
        exif_transpose: true,
        fast: false,
    }
}

/// The most bytes that were taken at a time beyond those before, while the image was decoded.
fn peak(bytes: &[u8], max_memory: u64) -> (Result<(), ImageError>, u64) {
    let mut scratch = Scratch::default();
    most_taken(|| decode(bytes, &options(max_memory), &mut scratch).map(|_| ()))
}

/// The least limit under which the image is not refused for its memory.
fn checked(bytes: &[u8]) -> u64 {
    let mut limit = 1;
    while let (
        Err(ImageError::Limit {
            what: Measure::Memory,
            actual,
            ..
        }),
        _,
    ) = peak(bytes, limit)
    {
        assert!(actual > limit);
        limit = actual;
    }
    limit
}

/// A header that gives a larger size, so that what is taken by the size shows; most of such files are broken then.
fn enlarged(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    const SIDE: u16 = 4000;
    let mut bytes = bytes.to_vec();
    let extension = name.rsplit_once('.')?.1;
    let place = |pattern: &[u8], offset: usize| {
        let at = bytes.windows(pattern.len()).position(|part| part == pattern)?;
        Some(at + offset)
    };
    match extension {
        "jpg" => {
            let at = [0xC0, 0xC1, 0xC2, 0xC9, 0xCA, 0xC3]
                .iter()
                .find_map(|marker| place(&[0xFF, *marker, 0], 5))?;
            for side in bytes.get_mut(at..at + 4)?.chunks_exact_mut(2) {
                side.copy_from_slice(&SIDE.to_be_bytes());
            }
        }
        "bmp" => {
            for side in bytes.get_mut(18..26)?.chunks_exact_mut(4) {
                side.copy_from_slice(&u32::from(SIDE).to_le_bytes());
            }
        }
        "webp" => {
            let at = place(&[0x9D, 0x01, 0x2A], 3)?;
            for side in bytes.get_mut(at..at + 4)?.chunks_exact_mut(2) {
                side.copy_from_slice(&SIDE.to_le_bytes());
            }
        }
        _ => return None,
    }
    Some(bytes)
}

fn files(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = repository("tests/golden").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap(),
            )
        })
        .collect()
}

/// That no more is taken than the least limit that suffices, and less under one that does not. Returns this limit, and
/// what was taken.
fn keeps_limits(name: &str, bytes: &[u8]) -> (u64, u64) {
    let limit = checked(bytes);
    let (_, most) = peak(bytes, limit);
    assert!(most <= limit + SMALL, "{name}: {most} bytes, {limit} were checked");
    if limit > 1 {
        let (refused, most) = peak(bytes, limit - 1);
        assert!(
            matches!(
                refused,
                Err(ImageError::Limit {
                    what: Measure::Memory,
                    ..
                })
            ),
            "{name}"
        );
        assert!(
            most < limit + SMALL,
            "{name}: {most} bytes under a limit of {limit} - 1"
        );
    }
    (limit, most)
}

#[test]
fn decoding_takes_no_more_than_was_checked() {
    let _alone = alone();
    let (mut images, mut large) = (0, 0);
    let golden = golden("avif.json");
    let avifs = golden["cases"].as_object().unwrap().iter();
    let avifs = avifs.map(|(name, case)| {
        (
            name.clone(),
            BASE64_STANDARD.decode(case["file"].as_str().unwrap()).unwrap(),
        )
    });
    for (name, stored) in files("images").into_iter().chain(avifs) {
        let enlarged = enlarged(&name, &stored);
        for bytes in std::iter::once(stored).chain(enlarged) {
            let (limit, most) = keeps_limits(&name, &bytes);
            images += usize::from(limit > 1);
            large += usize::from(most > 16 << 20 || limit > 16 << 20);
        }
    }
    assert!(images > 60 && large > 10, "{images} images, {large} large ones");
}

#[test]
fn images_of_many_pixels_take_no_more_than_was_checked() {
    let _alone = alone();
    let images = files("large");
    assert!(images.len() >= 11, "only {} images", images.len());
    for (name, bytes) in images {
        let (limit, most) = keeps_limits(&name, &bytes);
        assert_eq!(peak(&bytes, limit).0, Ok(()), "{name}");
        // 1601 x 1203 pixels. A limit is not a guess: little more is checked than is taken.
        assert!(most > 1601 * 1203 * 3, "{name}: {most} bytes");
        assert!(
            limit < most * 2 + (8 << 20),
            "{name}: {most} bytes, {limit} were checked"
        );
    }
}

#[test]
fn a_tiny_file_of_a_giant_takes_nothing() {
    let _alone = alone();
    // 16383 x 16383 lossless pixels in 34 bytes.
    let mut file = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f".to_vec();
    file.extend_from_slice(&(0x3FFE_u32 | 0x3FFE << 14).to_le_bytes());
    file.resize(34, 0);
    let limits = ImageLimits {
        max_pixels: 1 << 30,
        ..ImageLimits::default()
    };
    let options = DecodeOptions::from(limits);
    let (refused, most) = most_taken(|| decode(&file, &options, &mut Scratch::default()).map(|_| ()));
    assert!(
        matches!(
            refused,
            Err(ImageError::Limit {
                what: Measure::Memory,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(most < SMALL, "{most} bytes");
}

#[test]
fn a_tiny_jpeg_2000_of_many_tiles_takes_no_more_than_it_may() {
    let _alone = alone();
    // 255 x 255 pixels, each of which is a tile with tables of its own: 400 MB of them.
    let mut file = b"\xFF\x4F\xFF\x51\0\x29\0\0".to_vec();
    for number in [255_u32, 255, 0, 0, 1, 1, 0, 0] {
        file.extend_from_slice(&number.to_be_bytes());
    }
    file.extend_from_slice(b"\0\x01\x07\x01\x01\xFF\x52\0\x0C\0\0\0\x01\0\0\x04\x04\0\x01\xFF\x5C\0\x04\x40\x40");
    let (refused, most) = peak(&file, 64 << 20);
    assert!(
        matches!(
            refused,
            Err(ImageError::Limit {
                what: Measure::Memory,
                actual: 300_000_000..,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(most < 1 << 20, "{most} bytes");
}

#[test]
fn resizing_takes_no_more_than_was_checked() {
    let _alone = alone();
    let mut images = files("large").into_iter();
    let (_, large) = images.find(|(name, _)| name == "lossless.webp").unwrap();
    let (width, height) = (1601, 1203);
    // Its weights are most of it.
    let long: Vec<u8> = b"P4 65000 2\n".iter().copied().chain([0; 65_000 / 8 * 2]).collect();
    let part = |source, resized, window| Axis {
        source,
        resized,
        window,
    };
    let mut costly = 0;
    for (file, y, x) in [
        (&large, Axis::whole(height, 224), Axis::whole(width, 224)),
        (&large, Axis::whole(height, 4000), Axis::whole(width, 3000)),
        (&large, Axis::whole(height, 1), Axis::whole(width, 20_000)),
        (&large, Axis::whole(height, 20_000), Axis::whole(width, 1)),
        (&large, Axis::whole(height, 7), Axis::whole(width, width)),
        (&large, part(height, 20_000, 9000..9224), part(width, 30_000, 0..224)),
        (&long, Axis::whole(2, 1), Axis::whole(65_000, 224)),
    ] {
        for resampling in [
            Resampling::Nearest,
            Resampling::Bilinear,
            Resampling::Lanczos,
            Resampling::TorchNearest,
            Resampling::TorchBicubic,
        ] {
            let mut scratch = Scratch::default();
            decode(file, &DecodeOptions::default(), &mut scratch).unwrap();
            let image = scratch.image().pixels.len() as u64;
            let mut resize = |max_memory| {
                scratch.shrink();
                let limits = options(max_memory).limits;
                let (result, most) = most_taken(|| scratch.resize(resampling, (&y, &x), limits).map(|_| ()));
                (result, image + most)
            };
            let name = format!("{resampling:?}, {y:?}, {x:?}");
            let limit = match resize(1).0 {
                Err(ImageError::Limit { actual, .. }) => actual,
                _ => 0,
            };
            assert!(limit > image, "{name}: {limit}");
            let (refused, most) = resize(limit - 1);
            assert!(refused.is_err() && most <= image + SMALL, "{name}: {most} bytes");
            let (resized, most) = resize(limit);
            assert_eq!(resized, Ok(()), "{name}");
            assert!(most <= limit + SMALL, "{name}: {most} bytes, {limit} were checked");
            costly += usize::from(most > image + (16 << 20));
        }
    }
    assert!(costly >= 3, "{costly} costly ones");
}

/// What becomes of a photograph, for models that want it in this many pixels a side.
fn thumbnail(side: usize, resampling: Resampling) -> impl Fn(usize, usize) -> Target {
    move |width, height| {
        let short = width.min(height);
        let axis = |source: usize| {
            let resized = source * (side * 8 / 7) / short;
            let start = (resized - side) / 2;
            Axis {
                source,
                resized,
                window: start..start + side,
            }
        };
        Target {
            resampling,
            y: axis(height),
            x: axis(width),
            grey: false,
        }
    }
}

/// As `peak`, of decoding and resizing in one go.
fn peak_in_strips(
    file: &[u8],
    max_memory: u64,
    target: impl Fn(usize, usize) -> Target,
) -> (Result<(), ImageError>, u64) {
    let mut scratch = Scratch::default();
    let options = options(max_memory);
    most_taken(|| {
        let resized = scratch.decode_resized(ImageSource::File(file), &options, target);
        resized.map(|_| ())
    })
}

#[test]
fn photographs_are_never_in_memory_as_a_whole() {
    const MEGABYTE: u64 = 1_000_000;
    let _alone = alone();
    // 48 megapixels, which have 144 MB.
    let size = (8000, 6000);
    let photograph: Vec<u8> = (0..size.0 * size.1)
        .flat_map(|at| {
            let (x, y) = (at % size.0, at / size.0);
            [
                (x / 32) as u8,
                (y / 24) as u8,
                if x / 64 % 2 == y / 48 % 2 { 200 } else { 40 },
            ]
        })
        .collect();
    let coding = |progressive| jpegs::Coding {
        subsampling: turbojpeg_sys::TJSAMP_TJSAMP_420,
        progressive,
        ..jpegs::Coding::default()
    };
    let baseline = jpegs::encode(&photograph, size, coding(false));
    let progressive = jpegs::encode(&photograph, size, coding(true));
    // What phones write: the EXIF data of an image on its side.
    let on_its_side = b"\xFF\xE1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let turned = [&baseline[..2], on_its_side, &baseline[2..]].concat();
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new_with_quality(
        &mut png,
        image::codecs::png::CompressionType::Fast,
        image::codecs::png::FilterType::Paeth,
    )
    .write_image(&photograph, 8000, 6000, image::ExtendedColorType::Rgb8)
    .unwrap();
    drop(photograph);
    // The coefficients of a progressive JPEG come to 144 MB, as many as the pixels; these no longer come on top.
    for (name, file, most_allowed) in [
        ("baseline", &baseline, 20 * MEGABYTE),
        ("on its side", &turned, 20 * MEGABYTE),
        ("PNG", &png, 20 * MEGABYTE),
        ("progressive", &progressive, 164 * MEGABYTE),
    ] {
        for (side, resampling) in [
            (224, Resampling::Bilinear),
            (224, Resampling::Lanczos),
            (384, Resampling::Bicubic),
        ] {
            let target = thumbnail(side, resampling);
            let mut limit = 1;
            while let (Err(ImageError::Limit { actual, .. }), most) = peak_in_strips(file, limit, &target) {
                assert!(
                    actual > limit && most < MEGABYTE,
                    "{name}: {most} bytes under a limit of {limit}"
                );
                limit = actual;
            }
            let (result, most) = peak_in_strips(file, limit, &target);
            let case = format!("{name} to {side} with {resampling:?}: {most} bytes, {limit} were checked");
            assert_eq!(result, Ok(()), "{case}");
            assert!(most <= limit + SMALL && limit < most_allowed, "{case}");
        }
    }
}
