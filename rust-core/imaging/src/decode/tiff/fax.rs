//! The compression of faxes: group 3 (ITU-T T.4), in one and in two dimensions, group 4 (T.6), and the runs of a fax
//! without the marks between its rows. The tables of codes are the `fax` crate's; its decoder of group 4 is not used,
//! since it takes time by the square of a row's runs, which may have no length and be as many as the file holds.

use std::convert::Infallible;

use fax::maps::{black, mode, white, Mode};
use fax::{BitReader, ByteReader};

use crate::decode::failure::Failure;
use crate::error::ImageError;

const FAILURE: Failure = Failure("TIFF");

/// The mark before a row, and its length in bits.
const END_OF_LINE: u16 = 1;
const END_OF_LINE_BITS: u8 = 12;
/// Runs of at least this length go on in the next code.
const MAKE_UP: u16 = 64;

/// What is known of rows beside their codes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Each begins in a byte of its own (compression 2).
    Aligned,
    /// Each has a mark before it.
    Marked,
    /// A bit after the mark says whether the row is coded by the one above it.
    TwoDimensional,
    /// All are coded by the one above them, the first one by a white one (group 4).
    Unmarked,
}

/// Unpacks rows of `width` pixels, a bit each, 1 for black, padded to bytes.
pub(crate) fn unpack(stored: &[u8], rows: Rows, width: usize, chunk: &mut [u8]) -> Result<(), ImageError> {
    // The longest code can be looked for at the very end.
    let padded = stored.iter().copied().chain([0; 2]).map(Ok::<u8, Infallible>);
    let Ok(mut reader) = ByteReader::new(padded);
    // Where the colour changes, beginning with white.
    let (mut above, mut changes) = (Vec::new(), Vec::new());
    chunk.fill(0);
    for row in chunk.chunks_exact_mut(width.div_ceil(8)) {
        let one_dimensional = match rows {
            Rows::Aligned => true,
            Rows::Unmarked => false,
            Rows::Marked | Rows::TwoDimensional => {
                find_mark(&mut reader)?;
                rows == Rows::Marked || bits(&mut reader, 1)? == 1
            }
        };
        changes.clear();
        if one_dimensional {
            let mut at = 0;
            while at < width {
                check_count(&changes, width)?;
                at += run(&mut reader, changes.len() % 2 == 1)?;
                changes.push(at.min(width));
            }
        } else {
            two_dimensional(&mut reader, &above, width, &mut changes)?;
        }
        if rows == Rows::Aligned {
            let rest = reader.bits_to_byte_boundary();
            bits(&mut reader, rest)?;
        }
        for black in changes.chunks(2) {
            for x in black[0]..black.get(1).copied().unwrap_or(width) {
                row[x / 8] |= 128 >> (x % 8);
            }
        }
        std::mem::swap(&mut above, &mut changes);
    }
    Ok(())
}

/// A row that is told by the changes of the one above it (T.4, 4.2).
fn two_dimensional(
    reader: &mut impl BitReader,
    above: &[usize],
    width: usize,
    changes: &mut Vec<usize>,
) -> Result<(), ImageError> {
    let (mut at, mut passed) = (0, 0);
    let mut begun = false;
    while at < width {
        check_count(changes, width)?;
        while begun && above.get(passed).is_some_and(|change| *change <= at) {
            passed += 1;
        }
        // The next change above to the other colour, and the one after it.
        let opposite = passed + usize::from(passed % 2 != changes.len() % 2);
        let change = |index: usize| above.get(index).copied().unwrap_or(width);
        match mode::decode(reader).ok_or_else(unknown_code)? {
            Mode::Pass => at = change(opposite + 1),
            Mode::Vertical(by) => {
                let to = change(opposite).checked_add_signed(isize::from(by));
                at = to.filter(|to| *to >= at && *to <= width).ok_or_else(unknown_code)?;
                changes.push(at);
            }
            Mode::Horizontal => {
                for _ in 0..2 {
                    at = (at + run(reader, changes.len() % 2 == 1)?).min(width);
                    changes.push(at);
                }
            }
            Mode::EOF => return Err(FAILURE.truncated()),
            Mode::Extension => return Err(unknown_code()),
        }
        begun = true;
    }
    Ok(())
}

/// Runs of no length must not add up to more memory than a row can need.
fn check_count(changes: &[usize], width: usize) -> Result<(), ImageError> {
    if changes.len() > 2 * width {
        return Err(FAILURE.broken("its fax has a row of more runs than columns"));
    }
    Ok(())
}

/// The length of a run of one colour.
fn run(reader: &mut impl BitReader, is_black: bool) -> Result<usize, ImageError> {
    let mut length = 0;
    loop {
        let code = if is_black {
            black::decode(reader)
        } else {
            white::decode(reader)
        };
        let part = code.ok_or_else(unknown_code)?;
        length += usize::from(part);
        if part < MAKE_UP {
            return Ok(length);
        }
    }
}

/// Goes after the next mark.
fn find_mark(reader: &mut impl BitReader) -> Result<(), ImageError> {
    while reader.peek(END_OF_LINE_BITS).ok_or_else(|| FAILURE.truncated())? != END_OF_LINE {
        bits(reader, 1)?;
    }
    bits(reader, END_OF_LINE_BITS).map(|_| ())
}

fn bits(reader: &mut impl BitReader, count: u8) -> Result<u16, ImageError> {
    if count == 0 {
        return Ok(0);
    }
    let value = reader.peek(count).ok_or_else(|| FAILURE.truncated())?;
    reader.consume(count).map_err(|_| FAILURE.truncated())?;
    Ok(value)
}

fn unknown_code() -> ImageError {
    FAILURE.broken("its fax has a code that is unknown, or ends too early")
}
