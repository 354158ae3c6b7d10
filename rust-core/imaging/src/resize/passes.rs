//! The two passes of a resize over an image whose rows come in strips, from the top.
//!
//! Pillow turns an image upright, then makes the first pass over all of it, then the second one. Here each strip goes
//! through the passes as it comes. The pass along the rows needs no more than a row. That down the columns needs the
//! rows of a filter's window, which are held until the last row of the result that needs them is made. An image that
//! is stored on its side is not turned before: what Pillow does with its rows is done with the columns, as they are
//! stored, and in Pillow's order, for each pass rounds to 8 bits. Only the result is turned.

use std::ops::Range;

use super::convolve::resize_height;
use super::instructions::InstructionSet;
use super::view::View;
use super::way::Way;
use crate::error::ImageError;
use crate::image::grow;
use crate::orientation::{swaps_axes, turn, turns};

/// Rows that the pass along the rows takes at once at least, where another pass comes before it: as many as the vector
/// code works on side by side.
const BATCH: usize = 16;
/// Bytes of a strip, which stays in a core's second-level cache.
const STRIP: usize = 256 << 10;

/// Rows of a strip of an image with so many columns: a multiple of 16, of which JPEGs and vectors are made.
pub(crate) fn strip_rows(columns: usize) -> usize {
    (STRIP / (columns * 3) / BATCH * BATCH).clamp(BATCH, STRIP / 1024)
}

/// The buffers.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    held: Vec<u8>,
    between: Vec<u8>,
    output: Vec<u8>,
    turned: Vec<u8>,
}

impl Buffers {
    pub(crate) fn all(&mut self) -> [&mut Vec<u8>; 4] {
        [&mut self.held, &mut self.between, &mut self.output, &mut self.turned]
    }
}

/// What the sizes of the buffers follow from; all of the image as it is stored, in pixels.
pub(crate) struct Plan {
    /// Columns of the image.
    pub(crate) columns: usize,
    /// Columns of the result.
    pub(crate) row_outputs: usize,
    /// Pixels of the result.
    pub(crate) outputs: usize,
    /// The most rows that a row of the result is a weighted sum of.
    pub(crate) widest: usize,
    pub(crate) columns_first: bool,
    pub(crate) orientation: u8,
}

impl Plan {
    /// The bytes of the buffers.
    pub(crate) fn memory(&self) -> u64 {
        let held_row = if self.columns_first {
            self.row_outputs
        } else {
            self.columns
        };
        let between = if self.columns_first { 0 } else { BATCH * self.columns };
        let results = if turns(self.orientation) { 2 } else { 1 };
        let pixels = self.held_rows() * held_row + between + self.outputs * results;
        pixels as u64 * 3
    }

    /// Rows that are held. There is room for two windows, so that rows are not moved to the front with every strip.
    fn held_rows(&self) -> usize {
        if self.widest == 0 {
            return 0;
        }
        2 * self.widest + strip_rows(self.columns)
    }
}

/// A resize under way.
pub(crate) struct Passes<'a> {
    down: Way,
    across: Way,
    columns_first: bool,
    orientation: u8,
    instructions: InstructionSet,
    /// The rows and the columns that are needed.
    rows: Range<usize>,
    columns: Range<usize>,
    /// The rows of a strip at most.
    strip_rows: usize,
    /// The number of the next row that comes.
    next: usize,
    /// The rows that are held, by their numbers, and the bytes of each.
    held: Range<usize>,
    held_row: usize,
    /// Rows of the result whose weighted sums have been made, and those of them that wait for the other pass.
    made: usize,
    waiting: usize,
    room: Room<'a>,
}

/// The buffers in use.
struct Room<'a> {
    held: &'a mut [u8],
    between: &'a mut [u8],
    output: &'a mut [u8],
    turned: &'a mut [u8],
}

impl<'a> Passes<'a> {
    /// Makes room for an image of so many rows and columns.
    pub(crate) fn new(
        down: Way,
        across: Way,
        columns_first: bool,
        (image_rows, image_columns): (usize, usize),
        orientation: u8,
        instructions: InstructionSet,
        buffers: &'a mut Buffers,
    ) -> Result<Self, ImageError> {
        // Rows that are only cut come through either order the same.
        let columns_first = columns_first || !matches!(across, Way::Weigh(_));
        let (rows, columns) = (down.inputs(), across.inputs());
        let plan = Plan {
            columns: image_columns,
            row_outputs: across.outputs(),
            outputs: down.outputs() * across.outputs(),
            widest: match &down {
                Way::Weigh(weights) => weights.widest(),
                _ => 0,
            },
            columns_first,
            orientation,
        };
        let held_row = if columns_first { across.outputs() } else { columns.len() } * 3;
        let held = plan.held_rows().min(image_rows) * held_row;
        let between = if columns_first || plan.widest == 0 {
            0
        } else {
            BATCH * held_row
        };
        let turned = if turns(orientation) { plan.outputs * 3 } else { 0 };
        Ok(Self {
            columns_first,
            orientation,
            instructions,
            strip_rows: strip_rows(image_columns),
            next: 0,
            held: rows.start..rows.start,
            held_row,
            made: 0,
            waiting: 0,
            room: Room {
                held: grow(&mut buffers.held, held)?,
                between: grow(&mut buffers.between, between)?,
                output: grow(&mut buffers.output, plan.outputs * 3)?,
                turned: grow(&mut buffers.turned, turned)?,
            },
            rows,
            columns,
            down,
            across,
        })
    }

    /// The rows of the image that are needed.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// The columns of the image that are needed.
    pub(crate) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Leaves out the next rows, which are not needed.
    pub(crate) fn skip(&mut self, count: usize) {
        self.next += count;
    }

    /// Takes the rest of the image's rows, with all their columns.
    pub(crate) fn push_all(&mut self, image: View<'_>) {
        let columns = 0..image.row_length / 3;
        for start in (0..image.height).step_by(self.strip_rows) {
            let end = (start + self.strip_rows).min(image.height);
            self.push(image.crop(&(start..end), &columns), 0);
        }
    }

    /// Takes the next rows, no more than a strip, from the column `first` on.
    pub(crate) fn push(&mut self, strip: View<'_>, first: usize) {
        let top = self.next;
        self.next += strip.height;
        let needed = self.rows.start.max(top)..self.rows.end.min(self.next);
        if needed.is_empty() {
            return;
        }
        let rows = needed.start - top..needed.end - top;
        let columns = self.columns.start - first..self.columns.end - first;
        let strip = strip.crop(&rows, &columns);
        let row_length = self.across.outputs() * 3;
        match &self.down {
            Way::Keep(_) => {
                let output = &mut self.room.output[(needed.start - self.rows.start) * row_length..];
                self.across
                    .make_rows(strip, self.instructions, &mut output[..strip.height * row_length]);
            }
            Way::Pick(inputs) => {
                while let Some(input) = inputs.get(self.made).filter(|input| **input < needed.end) {
                    let at = input - needed.start;
                    let row = strip.crop(&(at..at + 1), &(0..self.columns.len()));
                    let output = &mut self.room.output[self.made * row_length..][..row_length];
                    self.across.make_rows(row, self.instructions, output);
                    self.made += 1;
                }
            }
            Way::Weigh(_) => {
                self.hold(strip);
                self.make_sums();
            }
        }
    }

    /// Holds rows for the pass down the columns, after the other pass if that comes first.
    fn hold(&mut self, strip: View<'_>) {
        if (self.held.len() + strip.height) * self.held_row > self.room.held.len() {
            self.drop_rows();
        }
        let room = &mut self.room.held[self.held.len() * self.held_row..][..strip.height * self.held_row];
        if self.columns_first {
            self.across.make_rows(strip, self.instructions, room);
        } else {
            for (from, to) in strip.rows().zip(room.chunks_exact_mut(self.held_row)) {
                to.copy_from_slice(from);
            }
        }
        self.held.end += strip.height;
    }

    /// Drops the held rows that no further row of the result needs.
    fn drop_rows(&mut self) {
        let Way::Weigh(weights) = &self.down else {
            return;
        };
        let start = if self.made < weights.outputs() {
            weights.window(self.made).start.clamp(self.held.start, self.held.end)
        } else {
            self.held.end
        };
        let dropped = (start - self.held.start) * self.held_row;
        self.room.held.copy_within(dropped..self.held.len() * self.held_row, 0);
        self.held.start = start;
    }

    /// Makes the rows of the result whose windows are held.
    fn make_sums(&mut self) {
        let Way::Weigh(weights) = &self.down else {
            return;
        };
        let row_length = self.across.outputs() * 3;
        let outputs = weights.outputs();
        let held = View::packed(self.room.held, self.held_row, self.held.len());
        let is_held = |output: &usize| weights.window(*output).end <= self.held.end;
        let ready = (self.made..outputs).take_while(is_held).count();
        let end = self.made + ready;
        if self.columns_first {
            let output = &mut self.room.output[self.made * row_length..end * row_length];
            let part = weights.part(self.made..end, self.held.start);
            resize_height(held, &part, self.instructions, output);
            self.made = end;
            return;
        }
        while self.made < end {
            let count = (end - self.made).min(BATCH - self.waiting);
            let sums = &mut self.room.between[self.waiting * self.held_row..][..count * self.held_row];
            let part = weights.part(self.made..self.made + count, self.held.start);
            resize_height(held, &part, self.instructions, sums);
            self.made += count;
            self.waiting += count;
            if self.waiting == BATCH || self.made == outputs {
                let sums = View::packed(self.room.between, self.held_row, self.waiting);
                let output = &mut self.room.output[(self.made - self.waiting) * row_length..self.made * row_length];
                self.across.make_rows(sums, self.instructions, output);
                self.waiting = 0;
            }
        }
    }

    /// The result, upright. All rows that are needed must have come.
    pub(crate) fn finish(self) -> View<'a> {
        let (width, height) = (self.across.outputs(), self.down.outputs());
        if !turns(self.orientation) {
            return View::packed(self.room.output, width * 3, height);
        }
        let turned = self.room.turned;
        turn(self.room.output, (width, height), self.orientation, turned);
        if swaps_axes(self.orientation) {
            View::packed(turned, height * 3, width)
        } else {
            View::packed(turned, width * 3, height)
        }
    }
}
