//! The passes of `convolve` with the vector instructions that all 64-bit Arm processors have.
//!
//! NEON multiplies 16-bit numbers into sums of 32 bits (`smlal`), four at a time, and into sums of 16 bits (`mla`),
//! eight at a time. `split` cuts Pillow's weights into upper parts for the former and lower ones for the latter, and
//! says why no sum overflows.

mod strip;
mod vectors;

use std::arch::aarch64::{
    uint8x16_t, uint8x8_t, uint8x8x3_t, vcombine_u8, vdup_n_u8, vget_low_u8, vld1q_u8, vmovl_high_u8, vmovl_u8,
    vst1q_u8, vst3_u8,
};
use std::array;

use self::strip::{Strip, COLUMNS, ROWS};
use self::vectors::{transpose, Sums};
use super::ends::put_columns;
use crate::resize::split::{Pair, Window};
use crate::resize::view::View;
use crate::resize::weights::{Part, Weights};

/// Vectors of bytes of columns that the pass down the columns takes at once: as many as there are registers for.
const VECTORS: usize = 2;
const BLOCK: usize = 16 * VECTORS;

/// The pass along the rows, into `output`.
#[target_feature(enable = "neon")]
pub(crate) fn resize_width(view: View<'_>, weights: &Weights, output: &mut [u8]) {
    let row_length = weights.outputs() * 3;
    let mut room = Strip::room();
    let mut strip = Strip::new(&mut room);
    for (block, to) in output.chunks_mut(row_length * ROWS).enumerate() {
        // The last block may have fewer rows; its last row then takes the place of those that it lacks.
        strip.reset(array::from_fn(|row| {
            view.row((block * ROWS + row).min(view.height - 1))
        }));
        for (index, windows) in weights.pairs().chunks(COLUMNS).enumerate() {
            let mut channels = [[vdup_n_u8(0); COLUMNS]; 3];
            for (column, window) in windows.enumerate() {
                for (channel, samples) in channels.iter_mut().zip(strip.convolve(window)) {
                    channel[column] = samples;
                }
            }
            let rows = rows_of(channels);
            put_columns(&rows, COLUMNS * 3, to, row_length, index * COLUMNS * 3);
        }
    }
}

/// The rows of columns whose channels have eight rows each.
#[inline]
#[target_feature(enable = "neon")]
fn rows_of(channels: [[uint8x8_t; COLUMNS]; 3]) -> [[u8; COLUMNS * 3]; ROWS] {
    let [red, green, blue] = channels.map(|columns| transpose(columns));
    let mut rows = [[0; COLUMNS * 3]; ROWS];
    for (row, ((red, green), blue)) in rows.iter_mut().zip(red.into_iter().zip(green).zip(blue)) {
        #[allow(unsafe_code)]
        // SAFETY: the array has room for the 24 bytes that are written, and they need no alignment.
        unsafe {
            vst3_u8(row.as_mut_ptr(), uint8x8x3_t(red, green, blue));
        }
    }
    rows
}

/// The pass down the columns, into `output`.
#[target_feature(enable = "neon")]
pub(crate) fn resize_height(view: View<'_>, weights: &Part<'_>, output: &mut [u8]) {
    let pixels = view.from(0, 0);
    let rows = Rows {
        stride: view.stride,
        last: (view.height - 1) * view.stride,
    };
    assert!(rows.last + view.row_length <= pixels.len(), "rows are too short");
    for (window, to) in weights.pairs().zip(output.chunks_exact_mut(view.row_length)) {
        if let Some(last) = view.row_length.checked_sub(BLOCK) {
            for at in (0..view.row_length).step_by(BLOCK) {
                // The last block may have columns of the one before it, which come out the same once more.
                let at = at.min(last);
                let block = convolve(window, rows, |offset, vector| {
                    #[allow(unsafe_code)]
                    // SAFETY: the offset is that of a row, at most `rows.last`, and the row has a block of bytes from
                    // `at` on, which has the vector; all of it lies within the pixels, checked above.
                    unsafe {
                        vld1q_u8(pixels.as_ptr().add(offset + at + 16 * vector))
                    }
                });
                to[at..at + BLOCK].copy_from_slice(block.as_flattened());
            }
        } else {
            let block = convolve(window, rows, |offset, vector| {
                let row = &pixels[offset..][..view.row_length];
                padded(row.get(16 * vector..).unwrap_or_default())
            });
            to.copy_from_slice(&block.as_flattened()[..view.row_length]);
        }
    }
}

/// Where rows lie among the pixels: bytes from one to the next, and to the last one.
#[derive(Clone, Copy)]
struct Rows {
    stride: usize,
    last: usize,
}

/// A block of one row of the output. `load` takes offsets of rows, and which vector of the block it is.
#[inline]
#[target_feature(enable = "neon")]
fn convolve(window: Window<'_, Pair>, rows: Rows, load: impl Fn(usize, usize) -> uint8x16_t) -> [[u8; 16]; VECTORS] {
    let mut sums = [[Sums::new(&window); 2]; VECTORS];
    for (first, pairs) in window.runs() {
        let mut offset = first * rows.stride;
        for pair in pairs {
            for (upper, lower) in pair.upper.into_iter().zip(pair.lower) {
                // Beyond the last row there is a weight of zero, for whatever row.
                let row = offset.min(rows.last);
                for (vector, [low, high]) in sums.iter_mut().enumerate() {
                    let samples = load(row, vector);
                    low.add(vmovl_u8(vget_low_u8(samples)), upper, lower);
                    high.add(vmovl_high_u8(samples), upper, lower);
                }
                offset += rows.stride;
            }
        }
        for sums in sums.as_flattened_mut() {
            sums.widen();
        }
    }
    let mut block = [[0; 16]; VECTORS];
    for (to, [low, high]) in block.iter_mut().zip(sums) {
        let samples = vcombine_u8(low.samples(&window), high.samples(&window));
        #[allow(unsafe_code)]
        // SAFETY: the array has room for the 16 bytes that are written, and they need no alignment.
        unsafe {
            vst1q_u8(to.as_mut_ptr(), samples);
        }
    }
    block
}

/// At most 16 bytes, with zeros after them.
#[target_feature(enable = "neon")]
fn padded(bytes: &[u8]) -> uint8x16_t {
    let mut padded = [0; 16];
    let length = bytes.len().min(16);
    padded[..length].copy_from_slice(&bytes[..length]);
    #[allow(unsafe_code)]
    // SAFETY: the array has the 16 bytes that are read, and they need no alignment.
    unsafe {
        vld1q_u8(padded.as_ptr())
    }
}
