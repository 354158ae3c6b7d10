//! The passes of `convolve` with the vector instructions of x86-64 processors since 2013.
//!
//! AVX2 multiplies 16-bit numbers in pairs and adds the two products up (`madd`), but Pillow's weights have 24 bits. So
//! each weight comes in two parts, w = upper * 2^11 + lower, of which either is multiplied and added up on its own, and
//! the two sums are put together at the end. Whatever overflows on the way is of no matter: sums are taken modulo
//! 2^32, where the last one fits.

mod strip;
mod vectors;

use std::arch::x86_64::{
    __m256i, _mm256_loadu_si256, _mm256_packs_epi32, _mm256_packus_epi16, _mm256_setzero_si256, _mm256_unpackhi_epi8,
    _mm256_unpacklo_epi8,
};
use std::array;

use self::strip::{transpose_back, Strip, COLUMNS, ROWS};
use self::vectors::{bytes_of, round, Pair, Sums};
use super::ends::copy_start;
use crate::resize::view::View;
use crate::resize::weights::{Parts, Weights};

/// Bytes of columns that the pass down the columns takes at once.
const BLOCK: usize = 32;

/// The pass along the rows, into `output`.
#[target_feature(enable = "avx2")]
pub(crate) fn resize_width(view: View<'_>, weights: &Weights, origin: usize, output: &mut [u8]) {
    let row_length = weights.outputs() * 3;
    let mut strip = Strip::new();
    for (block, to) in output.chunks_mut(row_length * ROWS).enumerate() {
        // The last block may have fewer rows; its last row then takes the place of those that it lacks.
        strip.reset(array::from_fn(|row| {
            view.row((block * ROWS + row).min(view.height - 1))
        }));
        let mut weights = weights.iter_parts();
        for at in (0..row_length).step_by(COLUMNS * 3) {
            let mut columns = [_mm256_setzero_si256(); COLUMNS];
            for (column, (first, parts)) in columns.iter_mut().zip(weights.by_ref()) {
                *column = strip.convolve(first - origin, parts);
            }
            let rows = transpose_back(columns);
            for (row, samples) in to.chunks_exact_mut(row_length).zip(&rows) {
                copy_start(samples, &mut row[at..]);
            }
        }
    }
}

/// The pass down the columns, for as many rows as `output` has room for, from the one of number `from` on.
#[target_feature(enable = "avx2")]
pub(crate) fn resize_height(view: View<'_>, weights: &Weights, from: usize, origin: usize, output: &mut [u8]) {
    let rows = output.chunks_exact_mut(view.row_length);
    for ((first, parts), to) in weights.iter_parts().skip(from).zip(rows) {
        let (blocks, rest) = to.as_chunks_mut::<BLOCK>();
        let rest_at = blocks.len() * BLOCK;
        for (block, to) in blocks.iter_mut().enumerate() {
            *to = bytes_of(convolve(view, first - origin, parts, block * BLOCK, first_32));
        }
        if !rest.is_empty() {
            let samples = bytes_of(convolve(view, first - origin, parts, rest_at, up_to_32));
            rest.copy_from_slice(&samples[..rest.len()]);
        }
    }
}

/// A block of one row of the output, from the rows of the view from `first` on.
#[target_feature(enable = "avx2")]
fn convolve(view: View<'_>, first: usize, parts: Parts<'_>, at: usize, load: impl Fn(&[u8]) -> [u8; BLOCK]) -> __m256i {
    let last = view.height - 1;
    let (mut a, mut b, mut c, mut d) = (Sums::new(), Sums::new(), Sums::new(), Sums::new());
    let mut row = first;
    let (upper, lower) = parts.pairs(1);
    for (upper, lower) in upper.iter().zip(lower) {
        let weights = Pair::new(*upper, *lower);
        // Beyond the last row there is a weight of zero, for whatever row.
        let above = vector_of(&load(view.from(row, at)));
        let below = vector_of(&load(view.from((row + 1).min(last), at)));
        let samples = interleave(above, below);
        a.add(samples[0], weights);
        b.add(samples[1], weights);
        c.add(samples[2], weights);
        d.add(samples[3], weights);
        row += 2;
    }
    let (ab, cd) = (
        _mm256_packs_epi32(round(a.total()), round(b.total())),
        _mm256_packs_epi32(round(c.total()), round(d.total())),
    );
    _mm256_packus_epi16(ab, cd)
}

/// The samples of two rows side by side as numbers of 16 bits, in the order that packing them undoes.
#[target_feature(enable = "avx2")]
fn interleave(above: __m256i, below: __m256i) -> [__m256i; 4] {
    let zero = _mm256_setzero_si256();
    let (low, high) = (_mm256_unpacklo_epi8(above, below), _mm256_unpackhi_epi8(above, below));
    [
        _mm256_unpacklo_epi8(low, zero),
        _mm256_unpackhi_epi8(low, zero),
        _mm256_unpacklo_epi8(high, zero),
        _mm256_unpackhi_epi8(high, zero),
    ]
}

fn first_32(bytes: &[u8]) -> [u8; 32] {
    bytes.as_chunks().0[0]
}

/// The first 32 bytes, with zeros for those beyond the end.
fn up_to_32(bytes: &[u8]) -> [u8; 32] {
    let mut padded = [0; 32];
    let length = bytes.len().min(32);
    padded[..length].copy_from_slice(&bytes[..length]);
    padded
}

#[target_feature(enable = "avx2")]
fn vector_of(bytes: &[u8; 32]) -> __m256i {
    #[allow(unsafe_code)]
    // SAFETY: the array has the 32 bytes that are read, and they need no alignment.
    unsafe {
        _mm256_loadu_si256(bytes.as_ptr().cast())
    }
}
