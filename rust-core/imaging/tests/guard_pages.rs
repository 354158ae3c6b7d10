//! What decodes and resizes with vector instructions touches no byte beside its buffers. In a process of its own, for
//! its allocator: each allocation ends, or begins, where memory begins that nobody may touch, so that one such byte
//! would end the process.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Cursor;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use image::{DynamicImage, ImageFormat, RgbImage, RgbaImage};
use spark_classify_imaging::{decode, resize, DecodeOptions, Resampling, Scratch};
use spark_classify_testing::Random;

const PAGE: usize = 4096;

/// Smaller ones hold no rows, and a process may have 65,530 mappings only.
const SMALLEST: usize = 64;

/// Whether allocations end at such a place, else they begin there.
static AT_END: AtomicBool = AtomicBool::new(true);

struct Guarded;

#[global_allocator]
static ALLOCATOR: Guarded = Guarded;

fn is_guarded(layout: Layout) -> bool {
    layout.size() >= SMALLEST && layout.align() <= PAGE
}

// What each function does is said here.
#[allow(unsafe_code, unsafe_op_in_unsafe_fn)]
// SAFETY: memory comes from `System`, or is a mapping of its own in which `size` bytes from a place of the asked
// alignment on may be read and written; such a mapping ends in `dealloc` only.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_guarded(layout) {
            return System.alloc(layout);
        }
        let inner = layout.size().next_multiple_of(PAGE);
        let mapping = libc::mmap(
            ptr::null_mut(),
            inner + 2 * PAGE,
            libc::PROT_NONE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if mapping == libc::MAP_FAILED {
            return ptr::null_mut();
        }
        let start = mapping.cast::<u8>().add(PAGE);
        if libc::mprotect(start.cast(), inner, libc::PROT_READ | libc::PROT_WRITE) != 0 {
            libc::munmap(mapping, inner + 2 * PAGE);
            return ptr::null_mut();
        }
        if AT_END.load(Ordering::Relaxed) {
            let gap = inner - layout.size();
            start.add(gap - gap % layout.align())
        } else {
            start
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if !is_guarded(layout) {
            return System.dealloc(memory, layout);
        }
        let inner = layout.size().next_multiple_of(PAGE);
        // The end is in the last page of the inner ones, or at its end, wherever in them the memory begins.
        let end = (memory as usize + layout.size()).next_multiple_of(PAGE);
        let mapping = memory.sub(memory as usize - (end - inner - PAGE));
        libc::munmap(mapping.cast(), inner + 2 * PAGE);
    }
}

/// Rows whose length and number are odd, and of all lengths that a vector's end can meet.
fn sizes() -> impl Iterator<Item = (u32, u32)> {
    (8..=40)
        .chain([63, 64, 65, 127, 129])
        .map(|side| (side, 8 + side * 7 % 23))
}

/// The image as a PNG.
fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    image.into().write_to(&mut png, ImageFormat::Png).unwrap();
    png.into_inner()
}

#[test]
fn no_byte_beside_a_buffer_is_touched() {
    let mut random = Random::new(1);
    let mut noise = || random.byte();
    for at_end in [true, false] {
        AT_END.store(at_end, Ordering::Relaxed);
        for (width, height) in sizes() {
            let rgb = RgbImage::from_fn(width, height, |_, _| image::Rgb([noise(), noise(), noise()]));
            let rgba = RgbaImage::from_fn(width, height, |_, _| image::Rgba([noise(), noise(), noise(), 255]));
            for file in [png(rgb.clone()), png(rgba)] {
                decode(&file, &DecodeOptions::default(), &mut Scratch::default()).unwrap();
            }
            let mut scratch = Scratch::default();
            let decoded = decode(&png(rgb), &DecodeOptions::default(), &mut scratch)
                .unwrap()
                .clone();
            for (size, filter) in [
                ((31, 7), Resampling::Bilinear),
                ((5, 33), Resampling::Bicubic),
                ((97, 65), Resampling::Lanczos),
                ((1, 1), Resampling::Bilinear),
            ] {
                // With buffers of its own, which have no room to spare.
                resize(&decoded, size, filter, &mut Scratch::default()).unwrap();
            }
        }
    }
}
