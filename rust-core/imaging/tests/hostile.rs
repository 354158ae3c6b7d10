//! Broken images of every format: no panic, no runaway memory, no endless work. In a process of its own, because its
//! allocator counts, and because of the memory that the process takes.
//!
//! `HOSTILE_IMAGES` says how many are made, 10,000 unless told. They are the same in every run.
#![allow(clippy::unwrap_used, clippy::print_stderr, unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs};

use base64::prelude::{Engine, BASE64_STANDARD};
use spark_classify_imaging::{
    Axis, DecodeOptions, EncodedImage, ImageLimits, ImageSource, Resampling, Scratch, Target,
};
use spark_classify_testing::{golden, repository, Random};

#[path = "it/thread_time.rs"]
mod thread_time;

use thread_time::thread_time;

/// Images are tiny under these limits: a million pixels have 3 MB, and decoders need a few times as much.
const LIMITS: ImageLimits = ImageLimits {
    max_bytes: 1 << 20,
    max_pixels: 1 << 20,
    max_dimension: 8192,
    max_memory: 64 << 20,
};
/// No allocation may be larger, and all that live at a time not together: bytes.
const MAX_ALLOCATION: usize = 64 << 20;
const MAX_ALLOCATED: usize = 96 << 20;
/// What the process may ever have in RAM, with the memory of libjpeg, which has an allocator of its own: KiB.
const MAX_RESIDENT: usize = 192 << 10;
/// Of this thread on a processor, so that a busy machine does not count.
const MAX_TIME: Duration = Duration::from_secs(2);

/// The system's allocator, which remembers the largest request and the most that was taken at a time.
struct Counting;

static LARGEST: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

fn count(taken: usize, given_back: usize) {
    LARGEST.fetch_max(taken, Ordering::Relaxed);
    let before = LIVE.fetch_add(taken, Ordering::Relaxed);
    MOST.fetch_max(before + taken, Ordering::Relaxed);
    LIVE.fetch_sub(given_back, Ordering::Relaxed);
}

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The odd images and the cases from the field, sorted by name, and some AVIFs, faxes and metadata.
fn seeds() -> Vec<Vec<u8>> {
    let mut paths: Vec<_> = ["tests/golden/images", "tests/cases/images"]
        .iter()
        .flat_map(|folder| fs::read_dir(repository(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let kept = ["avif.json", "faxes.json", "orientation.json"].map(golden);
    let kept = kept.iter().flat_map(|golden| {
        let cases = golden["cases"].as_object().unwrap().values().step_by(9);
        cases.map(|case| BASE64_STANDARD.decode(case["file"].as_str().unwrap()).unwrap())
    });
    let seeds: Vec<_> = paths
        .iter()
        .map(|path| fs::read(path).unwrap())
        .chain(kept)
        .filter(|bytes| bytes.len() > 32)
        .collect();
    assert!(seeds.len() >= 60, "only {} images to break", seeds.len());
    seeds
}

/// One to four of: flipped bits, an end cut off, a part from elsewhere, an extreme number, mostly near the beginning.
fn broken(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(4) {
        let reach = if random.below(2) == 0 { 64 } else { bytes.len() };
        let at = random.below(reach.min(bytes.len()));
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.byte(),
            2 => {
                let value = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)];
                let end = (at + 1 + random.below(4)).min(bytes.len());
                bytes[at..end].fill(value);
            }
            3 => bytes.truncate(at.max(16)),
            4 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len());
                let length = random.below(other.len() - from);
                let end = (at + random.below(length + 1)).min(bytes.len());
                bytes.splice(at..end, other[from..from + length].iter().copied());
            }
            _ => {
                let length = random.below(64.min(bytes.len() - at) + 1);
                let part = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

/// A part of a small image.
fn thumbnail(width: usize, height: usize) -> Target {
    let axis = |source| Axis {
        source,
        resized: 9,
        window: 2..8,
    };
    Target {
        resampling: Resampling::Bicubic,
        y: axis(height),
        x: axis(width),
        grey: false,
    }
}

#[test]
fn broken_images_are_decoded_or_refused() {
    let count = env::var("HOSTILE_IMAGES").map_or(10_000, |count| count.parse().unwrap());
    let seeds = seeds();
    let mut random = Random::new(13);
    let mut scratch = Scratch::default();
    let (mut good, mut slowest) = (0, Duration::ZERO);
    LARGEST.store(0, Ordering::Relaxed);
    MOST.store(0, Ordering::Relaxed);
    for number in 0..count {
        let bytes = broken(&seeds, &mut random);
        let options = DecodeOptions {
            limits: LIMITS,
            exif_transpose: true,
            fast: number % 2 == 0,
        };
        let start = thread_time();
        let target = (number % 3 == 0).then_some((4, 6));
        let result = EncodedImage::open(&bytes, &options)
            .and_then(|encoded| scratch.decode(encoded, target))
            .map(|_| scratch.image().clone());
        let in_strips = scratch.decode_resized(ImageSource::File(&bytes), &options, thumbnail);
        let time = thread_time().saturating_sub(start);
        slowest = slowest.max(time);
        assert!(time < MAX_TIME, "image {number} took {time:?}");
        let largest = LARGEST.load(Ordering::Relaxed);
        assert!(largest < MAX_ALLOCATION, "image {number} asked for {largest} bytes");
        let most = MOST.load(Ordering::Relaxed);
        assert!(
            most < MAX_ALLOCATED,
            "{most} bytes were taken at a time by image {number}"
        );
        let decoded = result.is_ok();
        match result {
            Ok(image) => {
                let (width, height) = (image.width, image.height);
                assert!(
                    width > 0 && height > 0 && image.pixels.len() == width * height * 3,
                    "image {number}"
                );
                good += 1;
            }
            Err(error) => assert!(!error.to_string().contains("panicked"), "image {number}: {error}"),
        }
        if let Err(error) = in_strips {
            assert!(
                !decoded && !error.to_string().contains("panicked"),
                "image {number} in strips: {error}"
            );
        }
    }
    eprintln!(
        "{count} images, {good} decoded, the slowest in {slowest:?}, the largest allocation {} bytes, at most {} at a time",
        LARGEST.load(Ordering::Relaxed),
        MOST.load(Ordering::Relaxed)
    );
    #[cfg(target_os = "linux")]
    {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        let resident: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(resident < MAX_RESIDENT, "{line}");
    }
    assert!(good > count / 20 && good < count, "{good} of {count} were good");
}
