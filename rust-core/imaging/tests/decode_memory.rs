//! What decoding takes, next to what was checked. In a process of its own, whose `malloc` counts for Rust and libjpeg.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(clippy::unwrap_used, unsafe_code)]

use std::ffi::{c_int, c_void};
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::prelude::{Engine, BASE64_STANDARD};
use image::ImageEncoder;
use spark_classify_imaging::{
    decode, Axis, DecodeOptions, ImageError, ImageLimits, ImageSource, Measure, Resampling, Scratch, Target,
};
use spark_classify_testing::{golden, repository};

#[path = "it/jpegs.rs"]
mod jpegs;

/// Bytes of messages, of what is counted before the first check, and of the program that runs the tests.
const SMALL: u64 = 16 << 10;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(pointer: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_memalign(alignment: usize, size: usize) -> *mut c_void;
    fn __libc_free(pointer: *mut c_void);
    fn malloc_usable_size(pointer: *mut c_void) -> usize;
}

fn took(pointer: *mut c_void) -> *mut c_void {
    // SAFETY: null, or what glibc has just given.
    let size = unsafe { malloc_usable_size(pointer) };
    let before = LIVE.fetch_add(size, Ordering::Relaxed);
    MOST.fetch_max(before.wrapping_add(size), Ordering::Relaxed);
    pointer
}

fn gives_back(pointer: *mut c_void) {
    // SAFETY: null, or the caller's, who has not freed it yet.
    LIVE.fetch_sub(unsafe { malloc_usable_size(pointer) }, Ordering::Relaxed);
}

#[no_mangle]
extern "C" fn malloc(size: usize) -> *mut c_void {
    // SAFETY: as it came.
    took(unsafe { __libc_malloc(size) })
}

#[no_mangle]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: as it came.
    took(unsafe { __libc_calloc(count, size) })
}

#[no_mangle]
extern "C" fn realloc(pointer: *mut c_void, size: usize) -> *mut c_void {
    gives_back(pointer);
    // SAFETY: as it came.
    took(unsafe { __libc_realloc(pointer, size) })
}

#[no_mangle]
extern "C" fn posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    // SAFETY: as it came.
    let pointer = took(unsafe { __libc_memalign(alignment, size) });
    // SAFETY: the caller's place for the pointer.
    unsafe { *place = pointer };
    if pointer.is_null() {
        libc::ENOMEM
    } else {
        0
    }
}

#[no_mangle]
extern "C" fn free(pointer: *mut c_void) {
    gives_back(pointer);
    // SAFETY: as it came.
    unsafe { __libc_free(pointer) }
}

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
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let result = decode(bytes, &options(max_memory), &mut scratch).map(|_| ());
    (result, (MOST.load(Ordering::Relaxed) - before) as u64)
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
    MOST.store(LIVE.load(Ordering::Relaxed), Ordering::Relaxed);
    let refused = decode(&file, &options, &mut Scratch::default()).unwrap_err();
    assert!(
        matches!(
            refused,
            ImageError::Limit {
                what: Measure::Memory,
                ..
            }
        ),
        "{refused}"
    );
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

/// Bits, the lowest of a byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn push(&mut self, value: usize, bits: usize) {
        for shift in 0..bits {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::from(shift < 64 && value >> shift & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }

    /// One prefix code of the longest that has a table alone: 7 symbols of 3 bits, 7 of 6 and 16 of 10.
    fn push_long_code(&mut self) {
        self.push(0, 1);
        self.push(14 - 4, 4);
        // Of the lengths, 16 (which repeats one) has a code of 1 bit, 3 of 2 bits, 6 and 10 of 3 bits each.
        for length in [0, 0, 0, 0, 0, 2, 0, 0, 1, 3, 0, 0, 0, 3] {
            self.push(length, 3);
        }
        // In 8 steps.
        self.push(1, 1);
        self.push(1, 3);
        self.push(8 - 2, 4);
        let repeat = |bits: &mut Self, times: usize| {
            bits.push(0, 1);
            bits.push(times - 3, 2);
        };
        self.push(0b01, 2);
        repeat(self, 6);
        self.push(0b011, 3);
        repeat(self, 6);
        self.push(0b111, 3);
        for times in [6, 6, 3] {
            repeat(self, times);
        }
    }
}

#[test]
fn the_prefix_codes_of_a_small_webp_count() {
    const GROUPS: usize = 3000;
    let _alone = alone();
    let mut bits = Bits::default();
    bits.push(0x2F, 8);
    // 4 x 4 pixels.
    bits.push(3, 14);
    bits.push(3, 14);
    // No alpha, version 0, no transform, no cache of colours, but several groups of codes.
    bits.push(0, 1 + 3 + 1 + 1);
    bits.push(1, 1);
    // For blocks of 4 x 4 pixels: one of them, which names the last group in its red and green.
    bits.push(0, 3);
    bits.push(0, 1);
    for symbol in [(GROUPS - 1) & 255, (GROUPS - 1) >> 8, 0, 0, 0] {
        bits.push(0b101, 3);
        bits.push(symbol, 8);
    }
    for _ in 0..GROUPS * 5 {
        bits.push_long_code();
    }
    // Each pixel is of the first symbols, of 3 bits each.
    bits.push(0, 16 * 4 * 3);
    let content = bits.bytes;
    let mut file = b"RIFF".to_vec();
    let padded = content.len().next_multiple_of(2);
    file.extend_from_slice(&u32::try_from(padded + 12).unwrap().to_le_bytes());
    file.extend_from_slice(b"WEBPVP8L");
    file.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
    file.extend_from_slice(&content);
    file.resize(padded + 20, 0);

    let limit = checked(&file);
    let (read, most) = peak(&file, limit);
    assert_eq!(read, Ok(()));
    let tables = (GROUPS * 5 * 4096) as u64;
    assert!(most > tables, "{most} bytes for tables of {tables}");
    assert!(
        most <= limit && limit < tables * 2,
        "{most} bytes, {limit} were checked"
    );
    let (refused, most) = peak(&file, tables);
    assert!(refused.is_err());
    assert!(most < 1 << 20, "{most} bytes for a file of {}", file.len());
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
                let before = LIVE.load(Ordering::Relaxed);
                MOST.store(before, Ordering::Relaxed);
                let result = scratch
                    .resize(resampling, (&y, &x), options(max_memory).limits)
                    .map(|_| ());
                (result, image + (MOST.load(Ordering::Relaxed) - before) as u64)
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
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let resized = scratch.decode_resized(ImageSource::File(file), &options(max_memory), target);
    let result = resized.map(|_| ());
    (result, (MOST.load(Ordering::Relaxed) - before) as u64)
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
