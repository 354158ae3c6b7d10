//! Eight rows of an image transposed so that a convolution along the rows needs no shuffling.
//!
//! Vectors hold four columns of one channel of a row side by side, and so eight of these: of eight rows there are three
//! vectors. Which row and channel stands where is of no matter until the results are put back into rows, since all have
//! the same weights. A window's samples are transposed once, whatever the number of windows they are in, and no more
//! than a few thousand bytes ahead, which stay in the first-level cache.
//!
//! ```text
//! in the image                           in the strip: three vectors, each place with four columns
//! row 0   R0 G0 B0 R1 G1 B1 R2 ...       R row 0   G row 0   B row 0   R row 3   and the same of rows 4 to 7
//! row 1   R0 G0 B0 R1 G1 B1 R2 ...  -->  R row 1   G row 1   G row 3   B row 1
//! ...                                    R row 2   B row 3   G row 2   B row 2
//! ```

use std::arch::x86_64::{
    __m256i, _mm256_add_epi16, _mm256_add_epi32, _mm256_and_si256, _mm256_blend_epi32, _mm256_broadcastsi128_si256,
    _mm256_castsi128_si256, _mm256_inserti128_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_packs_epi32,
    _mm256_packus_epi16, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8,
    _mm256_srli_epi16, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64, _mm256_unpacklo_epi32, _mm256_unpacklo_epi64,
    _mm_loadu_si128, _mm_setr_epi8,
};

use super::vectors::{bytes_everywhere, bytes_of, everywhere, total};
use crate::resize::ends::padded_ends;
use crate::resize::split::{Four, Window};
use crate::resize::weights::LONGEST_RUN_OF_FOURS;

/// Rows of a strip: as many as three vectors have places for their channels.
pub(crate) const ROWS: usize = 8;

/// Columns that are transposed at once.
pub(crate) const COLUMNS: usize = 4;

/// Fours of columns that are kept.
const CAPACITY: usize = LONGEST_RUN_OF_FOURS;

/// Four columns of eight rows.
type Columns = [__m256i; 3];

/// A sum in each place of these.
type Sums = [__m256i; 3];

pub(crate) struct Strip<'a> {
    rows: [&'a [u8]; ROWS],
    /// The four columns that `transposed` begins with, and those after the last that are there.
    start: usize,
    end: usize,
    transposed: &'a mut [Columns; CAPACITY],
}

impl<'a> Strip<'a> {
    /// Where a strip keeps columns.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn room() -> [Columns; CAPACITY] {
        [[_mm256_setzero_si256(); 3]; CAPACITY]
    }

    pub(crate) fn new(room: &'a mut [Columns; CAPACITY]) -> Self {
        Self {
            rows: [&[]; ROWS],
            start: 0,
            end: 0,
            transposed: room,
        }
    }

    /// Begins with other rows, of the same length.
    pub(crate) fn reset(&mut self, rows: [&'a [u8]; ROWS]) {
        self.rows = rows;
        (self.start, self.end) = (0, 0);
    }

    /// One column of the output, for `transpose_back`: the samples of the three vectors, and four bytes of no meaning,
    /// in either half.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(crate) fn convolve(&mut self, window: Window<'_, Four>) -> __m256i {
        let (first, fours) = window.first_run();
        let columns = self.transposed(first, fours.len());
        let mut upper = [_mm256_set1_epi32(window.upper_start()); 3];
        let lower = add(&mut upper, [everywhere(window.lower_start()); 3], columns, fours);
        if window.more_runs().len() > 0 {
            return self.convolve_more(window, upper, lower);
        }
        samples(window, upper, lower)
    }

    /// The same for windows of several runs, whose first one has been added up. On its own, so that no sums have to be
    /// saved for others.
    #[cold]
    #[inline(never)]
    #[target_feature(enable = "avx2")]
    fn convolve_more(&mut self, window: Window<'_, Four>, mut upper: Sums, mut lower: Sums) -> __m256i {
        for (first, fours) in window.more_runs() {
            let columns = self.transposed(first, fours.len());
            let more = add(&mut upper, [_mm256_setzero_si256(); 3], columns, fours);
            lower = [
                _mm256_add_epi32(lower[0], more[0]),
                _mm256_add_epi32(lower[1], more[1]),
                _mm256_add_epi32(lower[2], more[2]),
            ];
        }
        samples(window, upper, lower)
    }

    /// `count` fours of columns from the one `first` on, no more than `CAPACITY`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn transposed(&mut self, first: usize, count: usize) -> &[Columns] {
        if first < self.start || first + count > self.end {
            self.transpose_from(first);
        }
        &self.transposed[first - self.start..][..count]
    }

    /// Keeps the fours of columns from the one `first` on, and transposes as many more as there is room for, or up to
    /// the end of the rows.
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
        self.end = length.div_ceil(COLUMNS * 3).min(first + CAPACITY);
        // Sixteen bytes are read of each row for every twelve.
        let inside = ((length + COLUMNS * 3).saturating_sub(16) / (COLUMNS * 3)).clamp(next, self.end);
        let (whole, ends) = self.transposed[next - first..self.end - first].split_at_mut(inside - next);
        transpose_columns(&self.rows, next * COLUMNS * 3, whole);
        for (to, four) in ends.chunks_mut(1).zip(inside..) {
            let ends = padded_ends(&self.rows, four * COLUMNS * 3);
            transpose_columns(&ends.each_ref().map(<[u8; 16]>::as_slice), 0, to);
        }
    }
}

/// Adds a run's samples times the upper parts of its weights to `upper`, and returns the sums with the lower ones, of
/// which `narrow` are the first.
#[inline]
#[target_feature(enable = "avx2")]
fn add(upper: &mut Sums, mut narrow: Sums, columns: &[Columns], fours: &[Four]) -> Sums {
    let low_bytes = _mm256_set1_epi16(0xff);
    for (columns, four) in columns.iter().zip(fours) {
        let (even_weights, odd_weights) = (everywhere(four.even), everywhere(four.odd));
        let lower_weights = bytes_everywhere(four.lower);
        for (vector, samples) in columns.iter().enumerate() {
            let even = _mm256_madd_epi16(_mm256_and_si256(*samples, low_bytes), even_weights);
            let odd = _mm256_madd_epi16(_mm256_srli_epi16::<8>(*samples), odd_weights);
            upper[vector] = _mm256_add_epi32(upper[vector], _mm256_add_epi32(even, odd));
            let products = _mm256_maddubs_epi16(*samples, lower_weights);
            narrow[vector] = _mm256_add_epi16(narrow[vector], products);
        }
    }
    narrow.map(|narrow| _mm256_madd_epi16(narrow, _mm256_set1_epi16(1)))
}

/// A column of the output.
#[inline]
#[target_feature(enable = "avx2")]
fn samples(window: Window<'_, Four>, upper: Sums, lower: Sums) -> __m256i {
    let factor = _mm256_set1_epi32(window.factor());
    let last = total(upper[2], factor, lower[2]);
    _mm256_packus_epi16(
        _mm256_packs_epi32(total(upper[0], factor, lower[0]), total(upper[1], factor, lower[1])),
        _mm256_packs_epi32(last, last),
    )
}

/// Fours of columns from byte `at` of the rows on. Beyond the last column that is transposed, there are four bytes
/// more.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose_columns(rows: &[&[u8]; ROWS], at: usize, transposed: &mut [Columns]) {
    // Four bytes of each channel, and a gap, elsewhere in each of the first three; the fourth fills these gaps.
    let orders = [
        _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1),
        _mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, -1, -1, -1, -1, 2, 5, 8, 11),
        _mm_setr_epi8(0, 3, 6, 9, -1, -1, -1, -1, 1, 4, 7, 10, 2, 5, 8, 11),
        _mm_setr_epi8(-1, -1, -1, -1, 2, 5, 8, 11, 1, 4, 7, 10, 0, 3, 6, 9),
    ]
    .map(|order| _mm256_broadcastsi128_si256(order));
    let end = at + transposed.len() * COLUMNS * 3 + 4;
    assert!(
        transposed.is_empty() || rows.iter().all(|row| end <= row.len()),
        "rows are too short to be transposed"
    );
    let rows = rows.each_ref().map(|row| row.as_ptr());
    for (to, at) in transposed.iter_mut().zip((at..).step_by(COLUMNS * 3)) {
        let row = |index: usize| {
            #[allow(unsafe_code)]
            // SAFETY: the row has the 16 bytes that are read, since those of the last four columns end at `end`,
            // checked above; they need no alignment.
            unsafe {
                _mm_loadu_si128(rows[index].add(at).cast())
            }
        };
        let two_rows = |index: usize| {
            let low = _mm256_castsi128_si256(row(index));
            _mm256_shuffle_epi8(_mm256_inserti128_si256::<1>(low, row(index + 4)), orders[index])
        };
        let rest = two_rows(3);
        *to = [
            _mm256_blend_epi32::<0b1000_1000>(two_rows(0), rest),
            _mm256_blend_epi32::<0b0100_0100>(two_rows(1), rest),
            _mm256_blend_epi32::<0b0010_0010>(two_rows(2), rest),
        ];
    }
}

/// The rows of four columns that `Strip::convolve` gave, from top to bottom: 12 bytes and four of no meaning each.
#[inline]
#[target_feature(enable = "avx2")]
pub(crate) fn transpose_back(columns: [__m256i; COLUMNS]) -> [[u8; 16]; ROWS] {
    let by_row = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, -1, 4, 5, 7, -1, 8, 10, 11, -1, 3, 6, 9, -1));
    let packed = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1));
    let mut rows = [[0; 16]; ROWS];
    let two_rows = transpose(columns.map(|column| _mm256_shuffle_epi8(column, by_row)));
    for (index, two_rows) in two_rows.into_iter().enumerate() {
        let bytes = bytes_of(_mm256_shuffle_epi8(two_rows, packed));
        rows[index].copy_from_slice(&bytes[..16]);
        rows[index + 4].copy_from_slice(&bytes[16..]);
    }
    rows
}

/// Transposes four times four numbers of 32 bits in either half.
#[inline]
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
