//! GIF's variant of LZW, as strict as Pillow's decoder (`GifDecode.c`).

use crate::decode::failure::Failure;
use crate::error::ImageError;

pub(crate) const FAILURE: Failure = Failure("GIF");

/// Codes have up to 12 bits.
const MAX_BITS: u32 = 12;
const MAX_CODES: usize = 1 << MAX_BITS;

/// The strings that codes stand for, each one the string of another code and a last byte.
struct Table {
    prefix: [u16; MAX_CODES],
    last: [u8; MAX_CODES],
    length: [u16; MAX_CODES],
}

/// Fills `indices` from blocks of codes, of which `code_size` says how large the smallest is. Whatever comes after the
/// last index is not looked at.
pub(crate) fn unpack(blocks: &[u8], code_size: u8, indices: &mut [u8]) -> Result<(), ImageError> {
    let first_bits = u32::from(code_size) + 1;
    if first_bits > MAX_BITS + 1 {
        return Err(FAILURE.broken("its codes have more than 12 bits"));
    }
    let clear = 1_usize << code_size;
    let end = clear + 1;
    let mut codes = Codes::new(blocks);
    let mut table = Table {
        prefix: [0; MAX_CODES],
        last: [0; MAX_CODES],
        length: [1; MAX_CODES],
    };
    // Of codes of more than 8 bits the lower 8 are the index.
    for (value, last) in (0..=u8::MAX).cycle().zip(&mut table.last).take(clear) {
        *last = value;
    }
    let (mut bits, mut next) = (first_bits, clear + 2);
    // The code before this one since the table was cleared, and the first byte of its string.
    let mut previous: Option<(usize, u8)> = None;
    let mut written = 0;
    while written < indices.len() {
        let code = codes.next(bits).ok_or_else(|| FAILURE.truncated())?;
        if code == clear {
            (bits, next, previous) = (first_bits, clear + 2, None);
            continue;
        }
        if code == end {
            return Err(FAILURE.truncated());
        }
        let Some((before, first_before)) = previous else {
            if code > clear {
                return Err(FAILURE.broken("a code that stands for nothing"));
            }
            let index = table.last[code];
            indices[written] = index;
            written += 1;
            previous = Some((code, index));
            continue;
        };
        // The code that is about to be added stands for the last string with its own first byte once more.
        let repeats = code == next;
        let known = if repeats { before } else { code };
        if code > next || known >= MAX_CODES {
            return Err(FAILURE.broken("a code that stands for nothing"));
        }
        let length = usize::from(table.length[known]);
        let first = table.write(known, &mut indices[written..]);
        written += length;
        if repeats {
            if let Some(index) = indices.get_mut(written) {
                *index = first_before;
            }
            written += 1;
        }
        if next < MAX_CODES {
            #[expect(clippy::cast_possible_truncation, reason = "a code has 12 bits")]
            let prefix = before as u16;
            table.prefix[next] = prefix;
            table.last[next] = first;
            table.length[next] = table.length[before] + 1;
            next += 1;
            if next == 1 << bits && bits < MAX_BITS {
                bits += 1;
            }
        }
        previous = Some((code, first));
    }
    Ok(())
}

impl Table {
    /// Writes the string of `code`, as much of it as there is room for. Returns its first byte.
    fn write(&self, mut code: usize, to: &mut [u8]) -> u8 {
        for place in (0..usize::from(self.length[code])).rev() {
            if let Some(index) = to.get_mut(place) {
                *index = self.last[code];
            }
            if place > 0 {
                code = usize::from(self.prefix[code]);
            }
        }
        self.last[code]
    }
}

/// Codes of changing size, the first in the lowest bits, from blocks that begin with their lengths.
struct Codes<'a> {
    rest: &'a [u8],
    block: &'a [u8],
    buffer: u32,
    buffered: u32,
}

impl<'a> Codes<'a> {
    fn new(blocks: &'a [u8]) -> Self {
        Self {
            rest: blocks,
            block: &[],
            buffer: 0,
            buffered: 0,
        }
    }

    /// `None` at the end of the file, and where it ends within the next block. Empty blocks are skipped.
    fn next(&mut self, bits: u32) -> Option<usize> {
        while self.buffered < bits {
            if let Some((byte, rest)) = self.block.split_first() {
                self.buffer |= u32::from(*byte) << self.buffered;
                self.buffered += 8;
                self.block = rest;
            } else {
                let (length, rest) = self.rest.split_first()?;
                (self.block, self.rest) = rest.split_at_checked(usize::from(*length))?;
            }
        }
        let code = self.buffer & ((1 << bits) - 1);
        self.buffer >>= bits;
        self.buffered -= bits;
        Some(code as usize)
    }
}
