//! The passes of `convolve` with the vector instructions of x86-64 processors since 2013.
//!
//! AVX2 multiplies 16-bit numbers in pairs and adds the two products up (`madd`), and does the same with unsigned bytes
//! and signed ones (`maddubs`), in sums of 16 bits. Pillow's weights have 24 bits: `split` cuts them into upper parts
//! for the former and lower ones for the latter, and says why no sum overflows.

mod strip;
mod vectors;

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16,
    _mm256_packs_epi32, _mm256_packus_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256,
    _mm256_unpackhi_epi16, _mm256_unpackhi_epi8, _mm256_unpacklo_epi16, _mm256_unpacklo_epi8,
};
use std::array;

use self::strip::{transpose_back, Strip, COLUMNS, ROWS};
use self::vectors::{bytes_everywhere, bytes_of, everywhere, total};
use super::ends::put_columns;
use crate::resize::split::{Group, Pair, Window};
use crate::resize::view::View;
use crate::resize::weights::{Part, Weights};

/// Bytes of columns that the pass down the columns takes at once.
const BLOCK: usize = 32;

/// The pass along the rows, into `output`.
#[target_feature(enable = "avx2")]
pub(crate) fn resize_width(view: View<'_>, weights: &Weights, output: &mut [u8]) {
    let row_length = weights.outputs() * 3;
    let mut room = Strip::room();
    let mut strip = Strip::new(&mut room);
    for (block, to) in output.chunks_mut(row_length * ROWS).enumerate() {
        // The last block may have fewer rows; its last row then takes the place of those that it lacks.
        strip.reset(array::from_fn(|row| {
            view.row((block * ROWS + row).min(view.height - 1))
        }));
        for (index, windows) in weights.fours().chunks(COLUMNS).enumerate() {
            let mut columns = [_mm256_setzero_si256(); COLUMNS];
            for (column, window) in columns.iter_mut().zip(windows) {
                *column = strip.convolve(window);
            }
            let rows = transpose_back(columns);
            put_columns(&rows, COLUMNS * 3, to, row_length, index * COLUMNS * 3);
        }
    }
}

/// The pass down the columns, into `output`.
#[target_feature(enable = "avx2")]
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
                let block = convolve(window, rows, |offset| {
                    #[allow(unsafe_code)]
                    // SAFETY: the offset is that of a row, at most `rows.last`, and the row has 32 bytes from `at` on;
                    // all of it lies within the pixels, checked above. They need no alignment.
                    unsafe {
                        _mm256_loadu_si256(pixels.as_ptr().add(offset + at).cast())
                    }
                });
                to[at..at + BLOCK].copy_from_slice(&bytes_of(block));
            }
        } else {
            let block = convolve(window, rows, |offset| padded(&pixels[offset..][..view.row_length]));
            to.copy_from_slice(&bytes_of(block)[..view.row_length]);
        }
    }
}

/// Where rows lie among the pixels: bytes from one to the next, and to the last one.
#[derive(Clone, Copy)]
struct Rows {
    stride: usize,
    last: usize,
}

/// A block of one row of the output. `load` takes offsets of rows.
#[inline]
#[target_feature(enable = "avx2")]
fn convolve(window: Window<'_, Pair>, rows: Rows, load: impl Fn(usize) -> __m256i) -> __m256i {
    let zero = _mm256_setzero_si256();
    let mut upper = [_mm256_set1_epi32(window.upper_start()); 4];
    let mut narrow = [everywhere(window.lower_start()); 2];
    let mut lower = [zero; 4];
    for (first, pairs) in window.runs() {
        let mut offset = first * rows.stride;
        for pair in pairs {
            // Beyond the last row there is a weight of zero, for whatever row.
            let above = load(offset.min(rows.last));
            let below = load((offset + rows.stride).min(rows.last));
            offset += 2 * rows.stride;
            let samples = [_mm256_unpacklo_epi8(above, below), _mm256_unpackhi_epi8(above, below)];
            let (upper_weights, lower_weights) = (everywhere(pair.upper), bytes_everywhere(pair.lower));
            for (half, samples) in samples.into_iter().enumerate() {
                let wide = [_mm256_unpacklo_epi8(samples, zero), _mm256_unpackhi_epi8(samples, zero)];
                for (quarter, samples) in wide.into_iter().enumerate() {
                    let sum = &mut upper[half * 2 + quarter];
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(samples, upper_weights));
                }
                narrow[half] = _mm256_add_epi16(narrow[half], _mm256_maddubs_epi16(samples, lower_weights));
            }
        }
        for (half, narrow) in narrow.into_iter().enumerate() {
            let wide = [_mm256_unpacklo_epi16(narrow, zero), _mm256_unpackhi_epi16(narrow, zero)];
            for (quarter, sums) in wide.into_iter().enumerate() {
                lower[half * 2 + quarter] = _mm256_add_epi32(lower[half * 2 + quarter], sums);
            }
        }
        narrow = [_mm256_set1_epi16(Pair::BIAS as i16); 2];
    }
    let factor = _mm256_set1_epi32(window.factor());
    _mm256_packus_epi16(
        _mm256_packs_epi32(total(upper[0], factor, lower[0]), total(upper[1], factor, lower[1])),
        _mm256_packs_epi32(total(upper[2], factor, lower[2]), total(upper[3], factor, lower[3])),
    )
}

/// Less than 32 bytes, with zeros after them.
#[target_feature(enable = "avx2")]
fn padded(bytes: &[u8]) -> __m256i {
    let mut padded = [0; BLOCK];
    padded[..bytes.len()].copy_from_slice(bytes);
    #[allow(unsafe_code)]
    // SAFETY: the array has the 32 bytes that are read, and they need no alignment.
    unsafe {
        _mm256_loadu_si256(padded.as_ptr().cast())
    }
}
