//! How much memory the prefix codes of a lossless image take in `image_webp`, which has a table for each of them and up
//! to 327,680 of them. It stands among the compressed data (RFC 9649, section 3), so those are read up to
//! where the codes of the image end.

/// The code of its lengths, in the order in which they are stored.
const LENGTHS: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// The symbols of the five codes of a group: green with lengths of copies, red, blue, alpha, distances.
const ALPHABETS: [usize; 5] = [256 + 24, 256, 256, 256, 40];
const FIRST_LENGTH: usize = 256;
const FIRST_CACHED: usize = 256 + 24;
/// Longer codes have nodes of a tree beside their table.
const TABLE_BITS: usize = 10;
const MAX_LENGTH: usize = 15;

/// What a group takes beside its tables, in a list that doubles when it is full and is moved then.
const GROUP: u64 = 5 * 56 * 3;
/// An entry of a table, and the two nodes that a longer code may need.
const ENTRY: u64 = 4;
const NODES: u64 = 2 * 16;
/// What an allocation takes beside its content; a code has two.
const ALLOCATION: u64 = 32;

/// The bytes that the codes of an image of this size take; `data` begins with its transforms. Where the data is broken,
/// so is the image for `image_webp`, and no more is taken than was seen until there.
pub(super) fn memory(data: &[u8], (width, height): (u32, u32)) -> u64 {
    let mut reader = Reader { data, at: 0 };
    let mut bytes = 0;
    // How far it came does not matter.
    let _ = reader.read_codes(width, height, &mut bytes);
    bytes
}

/// A code by which symbols are stored.
struct Code {
    /// How many symbols have codes of each length; one alone has none.
    counts: [usize; MAX_LENGTH + 1],
    /// In the order of their codes.
    symbols: Vec<usize>,
}

impl Code {
    /// `None` where the lengths are not those of a code.
    fn new(lengths: &[usize]) -> Option<Self> {
        let mut counts = [0; MAX_LENGTH + 1];
        let mut symbols: Vec<_> = (0..lengths.len()).filter(|symbol| lengths[*symbol] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        if let [_] = symbols[..] {
            return Some(Self { counts, symbols });
        }
        for symbol in &symbols {
            counts[lengths[*symbol]] += 1;
        }
        let used: usize = (1..=MAX_LENGTH)
            .map(|length| counts[length] << (MAX_LENGTH - length))
            .sum();
        (used == 1 << MAX_LENGTH).then_some(Self { counts, symbols })
    }

    fn memory(&self) -> u64 {
        let Some(longest) = self.counts.iter().rposition(|count| *count > 0) else {
            return 0;
        };
        let beyond: usize = self.counts.iter().skip(TABLE_BITS + 1).sum();
        (ENTRY << longest.min(TABLE_BITS)) + NODES * (beyond as u64 + 1) + 2 * ALLOCATION
    }
}

/// Reads bits, the lowest of a byte first. `None` stands for what is broken or ends too early.
struct Reader<'a> {
    data: &'a [u8],
    /// In bits.
    at: usize,
}

impl Reader<'_> {
    fn bit(&mut self) -> Option<usize> {
        let byte = self.data.get(self.at / 8)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Some(usize::from(bit))
    }

    fn number(&mut self, bits: usize) -> Option<usize> {
        (0..bits).try_fold(0, |number, shift| Some(number | self.bit()? << shift))
    }

    /// Adds up what the codes of the image itself take. Those of other images are few, and gone by then.
    fn read_codes(&mut self, mut width: u32, height: u32, bytes: &mut u64) -> Option<()> {
        let mut seen = [false; 4];
        while self.bit()? == 1 {
            let transform = self.number(2)?;
            if std::mem::replace(&mut seen[transform], true) {
                return None;
            }
            match transform {
                0 | 1 => {
                    let shift = self.number(3)? + 2;
                    self.skip_image(blocks(width, shift), blocks(height, shift))?;
                }
                2 => {}
                _ => {
                    let colors = self.number(8)? + 1;
                    self.skip_image(colors, 1)?;
                    // Several pixels share a byte.
                    let shift = match colors {
                        ..=2 => 3,
                        3 | 4 => 2,
                        5..=16 => 1,
                        _ => 0,
                    };
                    width = u32::try_from(blocks(width, shift)).ok()?;
                }
            }
        }
        let cached = self.cached_colors()?;
        let mut groups = 1;
        if self.bit()? == 1 {
            let shift = self.number(3)? + 2;
            groups = self.skip_image(blocks(width, shift), blocks(height, shift))? + 1;
        }
        for _ in 0..groups {
            *bytes += GROUP;
            for index in 0..ALPHABETS.len() {
                *bytes += self.code(alphabet(index, cached))?.memory();
            }
        }
        Some(())
    }

    /// Reads an image with one group of codes; returns the largest of the numbers that its red and green stand for.
    /// Copies and cached colours are of what was there before.
    fn skip_image(&mut self, width: usize, height: usize) -> Option<usize> {
        let cached = self.cached_colors()?;
        let mut codes = Vec::new();
        for index in 0..ALPHABETS.len() {
            codes.push(self.code(alphabet(index, cached))?);
        }
        let (mut left, mut largest) = (width * height, 0);
        while left > 0 {
            let green = self.symbol(&codes[0])?;
            let mut count = 1;
            if green < FIRST_LENGTH {
                let red = self.symbol(&codes[1])?;
                self.symbol(&codes[2])?;
                self.symbol(&codes[3])?;
                largest = largest.max(red << 8 | green);
            } else if green < FIRST_CACHED {
                count = self.distance(green - FIRST_LENGTH)?;
                let distance = self.symbol(&codes[4])?;
                self.distance(distance)?;
            }
            left = left.checked_sub(count)?;
        }
        Some(largest)
    }

    /// How many colours the cache holds.
    fn cached_colors(&mut self) -> Option<usize> {
        if self.bit()? == 0 {
            return Some(0);
        }
        let bits = self.number(4)?;
        (1..=11).contains(&bits).then_some(1 << bits)
    }

    /// What a symbol of a length or distance stands for.
    fn distance(&mut self, symbol: usize) -> Option<usize> {
        if symbol < 4 {
            return Some(symbol + 1);
        }
        let extra = (symbol - 2) >> 1;
        Some(((2 + (symbol & 1)) << extra) + self.number(extra)? + 1)
    }

    fn symbol(&mut self, code: &Code) -> Option<usize> {
        if let [only] = code.symbols[..] {
            return Some(only);
        }
        // The codes of a length follow each other, and begin after those of the shorter ones.
        let (mut value, mut first, mut before) = (0, 0, 0);
        for count in &code.counts[1..] {
            value = value << 1 | self.bit()?;
            first <<= 1;
            if value < first + count {
                return code.symbols.get(before + value - first).copied();
            }
            first += count;
            before += count;
        }
        None
    }

    fn code(&mut self, alphabet: usize) -> Option<Code> {
        if self.bit()? == 1 {
            let two = self.bit()? == 1;
            let bits = if self.bit()? == 1 { 8 } else { 1 };
            let mut symbols = vec![self.number(bits)?];
            let mut counts = [0; MAX_LENGTH + 1];
            if two {
                symbols.push(self.number(8)?);
                counts[1] = 2;
            }
            let known = symbols.iter().all(|symbol| *symbol < alphabet);
            return known.then_some(Code { counts, symbols });
        }
        let mut lengths = [0; LENGTHS.len()];
        let stored = self.number(4)? + 4;
        for place in LENGTHS.get(..stored)? {
            lengths[*place] = self.number(3)?;
        }
        Code::new(&self.lengths(&Code::new(&lengths)?, alphabet)?)
    }

    /// The lengths of a code's symbols, which are stored by another `code`.
    fn lengths(&mut self, code: &Code, alphabet: usize) -> Option<Vec<usize>> {
        let mut left = alphabet;
        if self.bit()? == 1 {
            let bits = self.number(3)? * 2 + 2;
            left = self.number(bits)? + 2;
            if left > alphabet {
                return None;
            }
        }
        let mut lengths = Vec::with_capacity(alphabet);
        let mut previous = 8;
        while lengths.len() < alphabet && left > 0 {
            left -= 1;
            let symbol = self.symbol(code)?;
            let (length, repeat) = match symbol {
                0..=15 => (symbol, 1),
                16 => (previous, self.number(2)? + 3),
                17 => (0, self.number(3)? + 3),
                _ => (0, self.number(7)? + 11),
            };
            if length != 0 {
                previous = length;
            }
            lengths.resize(lengths.len() + repeat, length);
            if lengths.len() > alphabet {
                return None;
            }
        }
        lengths.resize(alphabet, 0);
        Some(lengths)
    }
}

fn alphabet(index: usize, cached: usize) -> usize {
    ALPHABETS[index] + if index == 0 { cached } else { 0 }
}

/// How many blocks of so many pixels to a side there are, given as a power of two.
fn blocks(pixels: u32, shift: usize) -> usize {
    (pixels as usize).div_ceil(1 << shift)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::{fs, path::Path};

    use super::super::{canvas, chunks};
    use super::*;

    #[test]
    fn the_codes_of_sound_images_are_read_to_their_end() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/images");
        for name in ["lossless.webp", "lossless_alpha.webp", "lossy_alpha.webp"] {
            let file = fs::read(folder.join(name)).unwrap();
            let size = canvas(&file).unwrap();
            let mut images = chunks(&file).filter_map(|chunk| chunk.lossless_data());
            let data = images.next().unwrap();
            let (mut reader, mut bytes) = (Reader { data, at: 0 }, 0);
            assert!(
                reader.read_codes(size.width, size.height, &mut bytes).is_some(),
                "{name}"
            );
            assert!((GROUP..1 << 20).contains(&bytes), "{name}: {bytes} bytes");
        }
    }
}
