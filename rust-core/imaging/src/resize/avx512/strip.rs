//! Sixteen rows of an image transposed so that a convolution along the rows needs no shuffling, for `avx512`.
//!
//! A vector holds four columns of four rows: of each row the reds of the columns, the greens, the blues and four bytes
//! of no meaning. As in `avx2::strip`, samples are transposed once, and no more than a few thousand bytes ahead.

use std::arch::x86_64::{
    __m512i, _mm512_broadcast_i32x4, _mm512_castsi128_si512, _mm512_inserti32x4, _mm512_packs_epi32,
    _mm512_packus_epi16, _mm512_setzero_si512, _mm512_shuffle_epi8, _mm_loadu_si128, _mm_setr_epi8,
};

use super::vectors::{bytes_of, Four, Sums};
use crate::resize::bytes::Bytes;
use crate::resize::ends::padded_ends;

/// Rows of a strip: the more, the less often weights are loaded; the sums still fit the registers.
pub(crate) const ROWS: usize = 4 * VECTORS;

/// Vectors that hold a column, or four of them when they are transposed.
const VECTORS: usize = 4;

/// Rows that are transposed at once. More would contend for the same lines of the first-level cache where the length of
/// a row is a multiple of a power of two.
const TRANSPOSED_ROWS: usize = 8;

/// Columns that are transposed at once.
pub(crate) const COLUMNS: usize = 4;

/// Fours of columns that are kept.
const CAPACITY: usize = 64;

/// Of each four rows, from top to bottom, something of their columns.
pub(crate) type Column = [__m512i; VECTORS];

pub(crate) struct Strip<'a> {
    rows: [&'a [u8]; ROWS],
    /// The four columns that `transposed` begins with, and those after the last that are there.
    start: usize,
    end: usize,
    transposed: [Column; CAPACITY],
}

impl<'a> Strip<'a> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn new() -> Self {
        Self {
            rows: [&[]; ROWS],
            start: 0,
            end: 0,
            transposed: [[_mm512_setzero_si512(); VECTORS]; CAPACITY],
        }
    }

    /// Begins with other rows, of the same length.
    pub(crate) fn reset(&mut self, rows: [&'a [u8]; ROWS]) {
        self.rows = rows;
        (self.start, self.end) = (0, 0);
    }

    /// One column of the output, as numbers of 32 bits: of each row red, green, blue and one of no meaning. The weights
    /// are those of the columns from `first` on.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn convolve(&mut self, first: usize, bytes: Bytes<'_>) -> Column {
        let at = first / COLUMNS;
        // Where the window begins within four columns, those before it are multiplied by the leading zeros.
        let [low, middle, high] = bytes.fours(3 - first % COLUMNS);
        if low.len() > CAPACITY {
            return self.convolve_wide(at, [low, middle, high]);
        }
        self.transpose_to(at, low.len());
        let mut sums = [Sums::new(); VECTORS];
        let transposed = &self.transposed[at - self.start..][..low.len()];
        add(&mut sums, transposed, [low, middle, high]);
        [sums[0].total(), sums[1].total(), sums[2].total(), sums[3].total()]
    }

    /// The same for windows that are wider than what is kept.
    #[cold]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn convolve_wide(&mut self, mut at: usize, [low, middle, high]: [&[[i8; 4]]; 3]) -> Column {
        let mut sums = [Sums::new(); VECTORS];
        let chunks = low.chunks(CAPACITY).zip(middle.chunks(CAPACITY));
        for ((low, middle), high) in chunks.zip(high.chunks(CAPACITY)) {
            self.transpose_to(at, low.len());
            let transposed = &self.transposed[at - self.start..][..low.len()];
            add(&mut sums, transposed, [low, middle, high]);
            at += low.len();
        }
        [sums[0].total(), sums[1].total(), sums[2].total(), sums[3].total()]
    }

    /// The rows of four columns that `convolve` gave, from top to bottom: 12 bytes and four of no meaning each.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    pub(crate) fn pack(columns: &[Column; COLUMNS]) -> [u8; ROWS * 16] {
        let order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
        let [a, b, c, d] = columns;
        let mut rows = [0; ROWS * 16];
        for (index, rows) in rows.as_chunks_mut::<64>().0.iter_mut().enumerate() {
            let samples = _mm512_packus_epi16(
                _mm512_packs_epi32(a[index], b[index]),
                _mm512_packs_epi32(c[index], d[index]),
            );
            *rows = bytes_of(_mm512_shuffle_epi8(samples, order));
        }
        rows
    }

    /// Makes sure that `count` fours of columns from the one `first` on are there, no more than `CAPACITY`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn transpose_to(&mut self, first: usize, count: usize) {
        if first < self.start || first + count > self.end {
            self.transpose_from(first);
        }
    }

    /// Keeps the fours of columns from the one `first` on, and transposes as many more as there is room for, or up to
    /// the end of the rows.
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn transpose_from(&mut self, first: usize) {
        let length = self.rows[0].len();
        let next = if (self.start..self.end).contains(&first) {
            self.transposed
                .copy_within(first - self.start..self.end - self.start, 0);
            self.end
        } else {
            first
        };
        self.start = first;
        self.end = length.div_ceil(COLUMNS * 3).min(first + CAPACITY);
        // Sixteen bytes are read of each row for every twelve.
        let inside = ((length + COLUMNS * 3).saturating_sub(16) / (COLUMNS * 3)).clamp(next, self.end);
        let transposed = &mut self.transposed[next - first..self.end - first];
        for (part, rows) in self.rows.as_chunks::<TRANSPOSED_ROWS>().0.iter().enumerate() {
            let (whole, ends) = transposed.split_at_mut(inside - next);
            transpose_columns(rows, next, whole, part);
            for (to, four) in ends.chunks_mut(1).zip(inside..) {
                let ends = padded_ends(rows, four * COLUMNS * 3);
                transpose_columns(&ends.each_ref().map(<[u8; 16]>::as_slice), 0, to, part);
            }
        }
    }
}

/// Adds samples times weights.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn add(sums: &mut [Sums; VECTORS], transposed: &[Column], [low, middle, high]: [&[[i8; 4]]; 3]) {
    for (((transposed, low), middle), high) in transposed.iter().zip(low).zip(middle).zip(high) {
        let weights = Four::new(*low, *middle, *high);
        sums[0].add(transposed[0], weights);
        sums[1].add(transposed[1], weights);
        sums[2].add(transposed[2], weights);
        sums[3].add(transposed[3], weights);
    }
}

/// Fours of columns from the one `first` on, of eight rows: the first or the second `part` of a strip. Beyond a row's
/// last column that is transposed, there are four bytes more.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn transpose_columns(rows: &[&[u8]; TRANSPOSED_ROWS], first: usize, transposed: &mut [Column], part: usize) {
    let by_channel = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));
    let end = (first + transposed.len()) * COLUMNS * 3 + 4;
    assert!(
        transposed.is_empty() || rows.iter().all(|row| end <= row.len()),
        "rows are too short to be transposed"
    );
    let rows = rows.each_ref().map(|row| row.as_ptr());
    for (to, four) in transposed.iter_mut().zip(first..) {
        let row = |index: usize| {
            #[allow(unsafe_code)]
            // SAFETY: the row has the 16 bytes that are read, since those of the last four columns end at `end`,
            // checked above; they need no alignment.
            unsafe {
                _mm_loadu_si128(rows[index].add(four * COLUMNS * 3).cast())
            }
        };
        let four_rows = |first| {
            let one = _mm512_castsi128_si512(row(first));
            let two = _mm512_inserti32x4::<1>(one, row(first + 1));
            let three = _mm512_inserti32x4::<2>(two, row(first + 2));
            _mm512_shuffle_epi8(_mm512_inserti32x4::<3>(three, row(first + 3)), by_channel)
        };
        to[2 * part] = four_rows(0);
        to[2 * part + 1] = four_rows(4);
    }
}
