//! Eight rows of an image transposed so that a convolution along the rows needs no shuffling.
//!
//! Vectors hold one channel of eight rows. A window's samples are transposed once, whatever the number of windows they
//! are in, and no more than a few thousand bytes ahead, which stay in the first-level cache.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_packs_epi32,
    _mm256_packus_epi16, _mm256_set1_epi16, _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    _mm_loadu_si128,
};

use super::vectors::{bytes_of, round, Pair, Sums};
use crate::resize::ends::padded_ends;
use crate::resize::weights::Parts;

/// Rows of a strip: as many as a vector has sums.
pub(crate) const ROWS: usize = 8;

/// Columns that are transposed at once.
pub(crate) const COLUMNS: usize = 4;

/// Pairs of columns that are kept, an even number.
const CAPACITY: usize = 168;

/// Pairs of columns that are there for certain when the first one that is kept has to be even.
const WIDEST: usize = CAPACITY - 1;

/// For the channels red, green and blue, the samples of two columns side by side as numbers of 16 bits, of eight rows
/// from top to bottom.
type ColumnPair = [__m256i; 3];

pub(crate) struct Strip<'a> {
    rows: [&'a [u8]; ROWS],
    /// The pair of columns that `transposed` begins with, and the one after the last that is there.
    start: usize,
    end: usize,
    transposed: [ColumnPair; CAPACITY],
}

impl<'a> Strip<'a> {
    #[target_feature(enable = "avx2")]
    pub(crate) fn new() -> Self {
        Self {
            rows: [&[]; ROWS],
            start: 0,
            end: 0,
            transposed: [[_mm256_setzero_si256(); 3]; CAPACITY],
        }
    }

    /// Begins with other rows, of the same length.
    pub(crate) fn reset(&mut self, rows: [&'a [u8]; ROWS]) {
        self.rows = rows;
        (self.start, self.end) = (0, 0);
    }

    /// One column of the output: for four rows the reds, greens and blues, and four bytes of no meaning; then the same
    /// of the next four. The weights are those of the columns from `first` on.
    #[target_feature(enable = "avx2")]
    pub(crate) fn convolve(&mut self, first: usize, parts: Parts<'_>) -> __m256i {
        let mut at = first / 2;
        let mut sums = [_mm256_setzero_si256(); 3];
        // Where the window begins with the second column of a pair, the first one is multiplied by the leading zero.
        let (upper, lower) = parts.pairs(1 - first % 2);
        if upper.len() <= WIDEST {
            self.transpose_to(at, upper.len());
            sums = convolve(&self.transposed[at - self.start..][..upper.len()], upper, lower);
        } else {
            for (upper, lower) in upper.chunks(WIDEST).zip(lower.chunks(WIDEST)) {
                self.transpose_to(at, upper.len());
                let more = convolve(&self.transposed[at - self.start..][..upper.len()], upper, lower);
                sums = [
                    _mm256_add_epi32(sums[0], more[0]),
                    _mm256_add_epi32(sums[1], more[1]),
                    _mm256_add_epi32(sums[2], more[2]),
                ];
                at += upper.len();
            }
        }
        let blue = round(sums[2]);
        _mm256_packus_epi16(
            _mm256_packs_epi32(round(sums[0]), round(sums[1])),
            _mm256_packs_epi32(blue, blue),
        )
    }

    /// Makes sure that `count` pairs of columns from the pair `first` on are there, no more than `WIDEST`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn transpose_to(&mut self, first: usize, count: usize) {
        if first < self.start || first + count > self.end {
            self.transpose_from(first - first % 2);
        }
    }

    /// Keeps the pairs of columns from the even one `first` on, and transposes as many more as there is room for, or up
    /// to the end of the rows.
    #[inline(never)]
    #[target_feature(enable = "avx2")]
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
        self.end = (length.div_ceil(COLUMNS * 3) * 2).min(first + CAPACITY);
        // Sixteen bytes are read of each row for every twelve.
        let inside = ((length + COLUMNS * 3).saturating_sub(16) / (COLUMNS * 3) * 2).clamp(next, self.end);
        let (whole, ends) = self.transposed[next - first..self.end - first].split_at_mut(inside - next);
        transpose_columns(&self.rows, next * 6, whole);
        for (to, pair) in ends.chunks_mut(2).zip((inside..).step_by(2)) {
            transpose_columns(
                &padded_ends(&self.rows, pair * 6).each_ref().map(<[u8; 16]>::as_slice),
                0,
                to,
            );
        }
    }
}

/// The sums of samples times weights for the three channels.
#[target_feature(enable = "avx2")]
fn convolve(samples: &[ColumnPair], upper: &[[i16; 2]], lower: &[[i16; 2]]) -> [__m256i; 3] {
    let (mut red, mut green, mut blue) = (Sums::new(), Sums::new(), Sums::new());
    for ((samples, upper), lower) in samples.iter().zip(upper).zip(lower) {
        let weights = Pair::new(*upper, *lower);
        red.add(samples[0], weights);
        green.add(samples[1], weights);
        blue.add(samples[2], weights);
    }
    [red.total(), green.total(), blue.total()]
}

/// Fours of columns from byte `at` of the rows on. Beyond the last column that is transposed, there are four bytes
/// more.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_columns(rows: &[&[u8]; ROWS], at: usize, transposed: &mut [ColumnPair]) {
    // Of each channel the bytes of the first, third, second and fourth pixel.
    let order = _mm256_setr_epi8(
        0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11, -1, -1, -1, -1, 0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11, -1, -1, -1, -1,
    );
    let first = _mm256_set1_epi16(0xff);
    let (fours, _) = transposed.as_chunks_mut::<2>();
    let end = at + fours.len() * COLUMNS * 3 + 4;
    assert!(
        fours.is_empty() || rows.iter().all(|row| end <= row.len()),
        "rows are too short to be transposed"
    );
    let rows = rows.each_ref().map(|row| row.as_ptr());
    for (to, at) in fours.iter_mut().zip((at..).step_by(COLUMNS * 3)) {
        let row = |index: usize| {
            #[allow(unsafe_code)]
            // SAFETY: the row has the 16 bytes that are read, since those of the last four columns end at `end`,
            // checked above; they need no alignment.
            unsafe {
                _mm_loadu_si128(rows[index].add(at).cast())
            }
        };
        let two_rows = |index| {
            let low = _mm256_castsi128_si256(row(index));
            _mm256_shuffle_epi8(_mm256_inserti128_si256::<1>(low, row(index + 4)), order)
        };
        let [red, green, blue, _] = transpose([two_rows(0), two_rows(1), two_rows(2), two_rows(3)]);
        to[0] = [
            _mm256_and_si256(red, first),
            _mm256_and_si256(green, first),
            _mm256_and_si256(blue, first),
        ];
        to[1] = [
            _mm256_srli_epi16::<8>(red),
            _mm256_srli_epi16::<8>(green),
            _mm256_srli_epi16::<8>(blue),
        ];
    }
}

/// The rows of four columns that `Strip::convolve` gave, from top to bottom.
#[target_feature(enable = "avx2")]
pub(crate) fn transpose_back(columns: [__m256i; COLUMNS]) -> [[u8; COLUMNS * 3]; ROWS] {
    let by_row = _mm256_setr_epi8(
        0, 4, 8, -1, 1, 5, 9, -1, 2, 6, 10, -1, 3, 7, 11, -1, 0, 4, 8, -1, 1, 5, 9, -1, 2, 6, 10, -1, 3, 7, 11, -1,
    );
    let packed = _mm256_setr_epi8(
        0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, 0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1,
    );
    let mut rows = [[0; COLUMNS * 3]; ROWS];
    let [a, b, c, d] = columns;
    let two_rows = transpose([
        _mm256_shuffle_epi8(a, by_row),
        _mm256_shuffle_epi8(b, by_row),
        _mm256_shuffle_epi8(c, by_row),
        _mm256_shuffle_epi8(d, by_row),
    ]);
    for (index, two_rows) in two_rows.into_iter().enumerate() {
        let bytes = bytes_of(_mm256_shuffle_epi8(two_rows, packed));
        rows[index].copy_from_slice(&bytes[..12]);
        rows[index + 4].copy_from_slice(&bytes[16..28]);
    }
    rows
}

/// Transposes four times four numbers of 32 bits in either half.
#[target_feature(enable = "avx2")]
fn transpose([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
    let (ab_high, cd_high) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
    [
        _mm256_unpacklo_epi64(ab, cd),
        _mm256_unpackhi_epi64(ab, cd),
        _mm256_unpacklo_epi64(ab_high, cd_high),
        _mm256_unpackhi_epi64(ab_high, cd_high),
    ]
}
