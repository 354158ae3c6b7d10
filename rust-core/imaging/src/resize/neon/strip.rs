//! Eight rows of an image transposed so that a convolution along the rows needs no shuffling.
//!
//! A vector holds one channel of a column of eight rows, as numbers of 16 bits. A window's samples are transposed once,
//! whatever the number of windows they are in, and no more than a few thousand bytes ahead, which stay in the
//! first-level cache.

use std::arch::aarch64::{uint16x8_t, uint8x8_t, uint8x8x3_t, vdup_n_u8, vdupq_n_u16, vld3_u8, vmovl_u8};
use std::array;

use super::vectors::{transpose, Sums};
use crate::resize::ends::padded_ends;
use crate::resize::split::{Pair, Window};
use crate::resize::weights::LONGEST_RUN_OF_PAIRS;

/// Rows of a strip: as many as a vector has numbers.
pub(crate) const ROWS: usize = 8;

/// Columns that are transposed at once.
pub(crate) const COLUMNS: usize = 8;

/// Eights of columns that are kept: a run has to fit wherever it begins among eight.
const CAPACITY: usize = (2 * LONGEST_RUN_OF_PAIRS).div_ceil(COLUMNS) + 1;

/// The three channels of a column.
type Column = [uint16x8_t; 3];

pub(crate) struct Strip<'a> {
    rows: [&'a [u8]; ROWS],
    /// The eight columns that `transposed` begins with, and those after the last that are there.
    start: usize,
    end: usize,
    transposed: &'a mut [[Column; COLUMNS]; CAPACITY],
}

impl<'a> Strip<'a> {
    /// Where a strip keeps columns.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn room() -> [[Column; COLUMNS]; CAPACITY] {
        [[[vdupq_n_u16(0); 3]; COLUMNS]; CAPACITY]
    }

    pub(crate) fn new(room: &'a mut [[Column; COLUMNS]; CAPACITY]) -> Self {
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

    /// The three channels of one column of the output.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(crate) fn convolve(&mut self, window: Window<'_, Pair>) -> [uint8x8_t; 3] {
        let mut sums = [Sums::new(&window); 3];
        for (first, pairs) in window.runs() {
            let columns = self.transposed(first, 2 * pairs.len()).as_chunks::<2>().0;
            for (columns, pair) in columns.iter().zip(pairs) {
                for (column, (upper, lower)) in columns.iter().zip(pair.upper.into_iter().zip(pair.lower)) {
                    for (sums, samples) in sums.iter_mut().zip(column) {
                        sums.add(*samples, upper, lower);
                    }
                }
            }
            for sums in &mut sums {
                sums.widen();
            }
        }
        sums.map(|sums| sums.samples(&window))
    }

    /// `count` columns from the column `first` on, no more than two for each pair of the longest run.
    #[inline]
    #[target_feature(enable = "neon")]
    fn transposed(&mut self, first: usize, count: usize) -> &[Column] {
        if first / COLUMNS < self.start || first + count > self.end * COLUMNS {
            self.transpose_from(first / COLUMNS);
        }
        &self.transposed.as_flattened()[first - self.start * COLUMNS..][..count]
    }

    /// Keeps the eights of columns from the one `first` on, and transposes as many more as there is room for, or up to
    /// the end of the rows. There is a column after their last one, for the second weight of a pair, which is zero.
    #[inline(never)]
    #[target_feature(enable = "neon")]
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
        self.end = (length / 3 + 1).div_ceil(COLUMNS).min(first + CAPACITY);
        for eight in next..self.end {
            let at = eight * COLUMNS * 3;
            let to = &mut self.transposed[eight - first];
            if at + COLUMNS * 3 <= length {
                *to = transposed_columns(self.rows.map(|row| &row[at..]));
            } else {
                let ends = padded_ends::<{ COLUMNS * 3 }, ROWS>(&self.rows, at);
                *to = transposed_columns(ends.each_ref().map(<[u8; COLUMNS * 3]>::as_slice));
            }
        }
    }
}

/// The first eight columns of the rows.
#[inline]
#[target_feature(enable = "neon")]
fn transposed_columns(rows: [&[u8]; ROWS]) -> [Column; COLUMNS] {
    let mut channels = [[vdup_n_u8(0); ROWS]; 3];
    for (index, row) in rows.into_iter().enumerate() {
        let pixels = &row[..COLUMNS * 3];
        #[allow(unsafe_code)]
        // SAFETY: the slice has the 24 bytes that are read, and they need no alignment.
        let uint8x8x3_t(red, green, blue) = unsafe { vld3_u8(pixels.as_ptr()) };
        (channels[0][index], channels[1][index], channels[2][index]) = (red, green, blue);
    }
    let [red, green, blue] = channels.map(|rows| transpose(rows));
    array::from_fn(|column| [red[column], green[column], blue[column]].map(|samples| vmovl_u8(samples)))
}
