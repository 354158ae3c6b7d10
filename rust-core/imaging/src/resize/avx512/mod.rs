//! The passes of `convolve` with the vector instructions of x86-64 processors that have AVX-512 and its VNNI.
//!
//! VNNI multiplies unsigned bytes by signed ones and adds four products up (`dpbusd`). A sample is an unsigned byte as
//! it is, and Pillow's weights are three signed ones: w = (high * 2^8 + middle) * 2^8 + low. Each is multiplied and
//! added up on its own, and the three sums are put together at the end. As in `avx2`, sums are taken modulo 2^32.

mod strip;
mod vectors;

use std::arch::x86_64::{
    __m512i, __mmask64, _mm512_mask_storeu_epi8, _mm512_maskz_loadu_epi8, _mm512_packs_epi32, _mm512_packus_epi16,
    _mm512_setzero_si512, _mm512_unpackhi_epi16, _mm512_unpackhi_epi8, _mm512_unpacklo_epi16, _mm512_unpacklo_epi8,
};
use std::array;

use self::strip::{Strip, COLUMNS, ROWS};
use self::vectors::{Four, Sums};
use super::ends::put_columns;
use crate::resize::bytes::Bytes;
use crate::resize::view::View;
use crate::resize::weights::{Part, Weights};

/// Bytes of columns that the pass down the columns takes at once.
const BLOCK: usize = 64;

/// The pass along the rows, into `output`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(crate) fn resize_width(view: View<'_>, weights: &Weights, output: &mut [u8]) {
    let row_length = weights.outputs() * 3;
    let mut strip = Strip::new();
    for (block, to) in output.chunks_mut(row_length * ROWS).enumerate() {
        // The last block may have fewer rows; its last row then takes the place of those that it lacks.
        strip.reset(array::from_fn(|row| {
            view.row((block * ROWS + row).min(view.height - 1))
        }));
        let mut weights = weights.bytes().iter();
        for at in (0..row_length).step_by(COLUMNS * 3) {
            let mut columns = [[_mm512_setzero_si512(); ROWS / 4]; COLUMNS];
            for (column, (first, bytes)) in columns.iter_mut().zip(weights.by_ref()) {
                *column = strip.convolve(first, bytes);
            }
            let rows = Strip::pack(&columns);
            put_columns(rows.as_chunks::<16>().0, COLUMNS * 3, to, row_length, at);
        }
    }
}

/// The pass down the columns, into `output`.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
pub(crate) fn resize_height(view: View<'_>, weights: &Part<'_>, output: &mut [u8]) {
    for ((first, bytes), to) in weights.bytes().zip(output.chunks_exact_mut(view.row_length)) {
        for (block, to) in to.chunks_mut(BLOCK).enumerate() {
            store_start(convolve(view, first, bytes, block * BLOCK, to.len()), to);
        }
    }
}

/// A block of `length` bytes of one row of the output, from the rows of the view from `first` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn convolve(view: View<'_>, first: usize, bytes: Bytes<'_>, at: usize, length: usize) -> __m512i {
    let mut sums = [Sums::new(); 4];
    let [low, middle, high] = bytes.fours(3);
    let mut row = first;
    for ((low, middle), high) in low.iter().zip(middle).zip(high) {
        let weights = Four::new(*low, *middle, *high);
        let samples = interleave(load_four(view, row, at, length));
        sums[0].add(samples[0], weights);
        sums[1].add(samples[1], weights);
        sums[2].add(samples[2], weights);
        sums[3].add(samples[3], weights);
        row += 4;
    }
    let [a, b, c, d] = sums;
    _mm512_packus_epi16(
        _mm512_packs_epi32(a.total(), b.total()),
        _mm512_packs_epi32(c.total(), d.total()),
    )
}

/// `length` bytes of four rows, from byte `at` on, with zeros after them. The last row of the view takes the place of
/// those beyond it, whose weights are zero.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn load_four(view: View<'_>, row: usize, at: usize, length: usize) -> [__m512i; 4] {
    let below = view.height - 1 - row;
    let offsets = [0, 1, 2, 3].map(|index: usize| index.min(below) * view.stride);
    let bytes = view.from(row, at);
    // One check does for all rows.
    assert!(offsets[3] + length <= bytes.len(), "rows are too short");
    let mask = first_bits(length);
    let load = |index: usize| {
        #[allow(unsafe_code)]
        // SAFETY: the mask has `length` bits at most, so many bytes are there, checked above, and others are not read.
        unsafe {
            _mm512_maskz_loadu_epi8(mask, bytes.as_ptr().add(offsets[index]).cast())
        }
    };
    [load(0), load(1), load(2), load(3)]
}

/// The samples of four rows side by side, in the order that packing them undoes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn interleave([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
    let (ab_high, cd_high) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
    [
        _mm512_unpacklo_epi16(ab, cd),
        _mm512_unpackhi_epi16(ab, cd),
        _mm512_unpacklo_epi16(ab_high, cd_high),
        _mm512_unpackhi_epi16(ab_high, cd_high),
    ]
}

/// The bytes of `vector` into `to`, as many of them as there is room for.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn store_start(vector: __m512i, to: &mut [u8]) {
    #[allow(unsafe_code)]
    // SAFETY: the mask has no bit beyond the slice's length, and what it leaves out is not written.
    unsafe {
        _mm512_mask_storeu_epi8(to.as_mut_ptr().cast(), first_bits(to.len()), vector);
    }
}

/// As many of the lowest bits as `count` says, or all.
fn first_bits(count: usize) -> __mmask64 {
    if count < BLOCK {
        (1 << count) - 1
    } else {
        u64::MAX
    }
}
