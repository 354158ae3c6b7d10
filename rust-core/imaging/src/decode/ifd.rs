//! The tags of a TIFF's first image. Nothing is read, and no memory taken, beyond what the file holds.

use std::fmt;

/// The first bytes of a TIFF, also with its number in the wrong byte order, as Pillow takes it, and of a `BigTIFF`.
pub(crate) const MAGICS: [&[u8]; 6] = [b"II*\0", b"MM\0*", b"II\0*", b"MM*\0", b"II+\0", b"MM\0+"];

/// Where the file's header points to, and how its numbers are stored.
pub(crate) struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    big_tiff: bool,
    entries: &'a [u8],
}

pub(crate) const IMAGE_WIDTH: u16 = 256;
pub(crate) const IMAGE_LENGTH: u16 = 257;
pub(crate) const BITS_PER_SAMPLE: u16 = 258;
pub(crate) const COMPRESSION: u16 = 259;
pub(crate) const PHOTOMETRIC: u16 = 262;
pub(crate) const FILL_ORDER: u16 = 266;
pub(crate) const STRIP_OFFSETS: u16 = 273;
pub(crate) const ORIENTATION: u16 = 274;
pub(crate) const SAMPLES_PER_PIXEL: u16 = 277;
pub(crate) const ROWS_PER_STRIP: u16 = 278;
pub(crate) const STRIP_BYTE_COUNTS: u16 = 279;
pub(crate) const PLANAR_CONFIGURATION: u16 = 284;
pub(crate) const T4_OPTIONS: u16 = 292;
pub(crate) const PREDICTOR: u16 = 317;
pub(crate) const COLOR_MAP: u16 = 320;
pub(crate) const TILE_WIDTH: u16 = 322;
pub(crate) const TILE_LENGTH: u16 = 323;
pub(crate) const TILE_OFFSETS: u16 = 324;
pub(crate) const TILE_BYTE_COUNTS: u16 = 325;
pub(crate) const EXTRA_SAMPLES: u16 = 338;
pub(crate) const SAMPLE_FORMAT: u16 = 339;
pub(crate) const JPEG_TABLES: u16 = 347;
pub(crate) const XMP: u16 = 700;

/// How the numbers of a value are stored (TIFF 6.0, section 2).
const BYTE: u64 = 1;
const ASCII: u64 = 2;
const SHORT: u64 = 3;
const LONG: u64 = 4;
const RATIONAL: u64 = 5;
const SIGNED_BYTE: u64 = 6;
const UNDEFINED: u64 = 7;
const SIGNED_SHORT: u64 = 8;
const SIGNED_LONG: u64 = 9;
const SIGNED_RATIONAL: u64 = 10;
const FLOAT: u64 = 11;
const DOUBLE: u64 = 12;
const IFD: u64 = 13;
const LONG_8: u64 = 16;

/// A value of any kind.
pub(crate) struct Tag<'a> {
    kind: u64,
    big_endian: bool,
    /// As it is stored.
    pub(crate) value: &'a [u8],
}

impl Tag<'_> {
    /// Whether the value is neither text nor numbers.
    pub(crate) fn is_bytes(&self) -> bool {
        matches!(self.kind, BYTE | UNDEFINED)
    }

    /// The first number, as Python would compare it; bytes and text are none.
    pub(crate) fn first_number(&self) -> Option<f64> {
        let long = |at| {
            let value = self.value.get(at..at + 4)?;
            u32::try_from(number_in(value, self.big_endian)).ok()
        };
        let whole = |size| self.value.get(..size).map(|value| number_in(value, self.big_endian));
        Some(match self.kind {
            // Of a negative number a large one is made, which is as far from what is asked for.
            SIGNED_BYTE => whole(1)? as f64,
            SHORT | SIGNED_SHORT => whole(2)? as f64,
            LONG | SIGNED_LONG | IFD => whole(4)? as f64,
            LONG_8 => whole(8)? as f64,
            RATIONAL => f64::from(long(0)?) / f64::from(long(4)?),
            SIGNED_RATIONAL => f64::from(long(0)?.cast_signed()) / f64::from(long(4)?.cast_signed()),
            FLOAT => f64::from(f32::from_bits(long(0)?)),
            DOUBLE => f64::from_bits(whole(8)?),
            _ => return None,
        })
    }
}

/// The numbers of a tag, as the file has them: there may be as many as it has bytes.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    value: &'a [u8],
    /// Of each in bytes, not 0.
    size: usize,
    big_endian: bool,
}

impl Numbers<'_> {
    /// What a tag that is not there stands for.
    pub(crate) const ONE: Self = Self::of_bytes(&[1]);
    pub(crate) const NONE: Self = Self::of_bytes(&[]);
    /// What an error shows of them.
    const SHOWN: usize = 8;

    const fn of_bytes(value: &'static [u8]) -> Self {
        Self {
            value,
            size: 1,
            big_endian: false,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.value.len() / self.size
    }

    pub(crate) fn get(&self, index: usize) -> Option<u64> {
        let number = self.value.get(index.checked_mul(self.size)?..)?.get(..self.size)?;
        Some(number_in(number, self.big_endian))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.value
            .chunks_exact(self.size)
            .map(|number| number_in(number, self.big_endian))
    }
}

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.iter().take(Self::SHOWN).map(|number| number.to_string()).collect();
        let more = if self.len() > Self::SHOWN { ", …" } else { "" };
        write!(to, "[{}{more}]", shown.join(", "))
    }
}

impl<'a> Directory<'a> {
    /// `None` where the file ends too early.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = bytes.starts_with(b"MM");
        let mut directory = Self {
            bytes,
            big_endian,
            big_tiff: false,
            entries: &[],
        };
        directory.big_tiff = directory.number_at(2, 2)? == 43;
        let (count_size, offset_at) = if directory.big_tiff { (8, 8) } else { (2, 4) };
        let offset = usize::try_from(directory.number_at(offset_at, directory.word())?).ok()?;
        let count = usize::try_from(directory.number_at(offset, count_size)?).ok()?;
        let entries = bytes.get(offset + count_size..)?;
        directory.entries = entries.get(..count.checked_mul(directory.entry_size())?)?;
        let mut needed = directory.entries().filter(|entry| {
            let tag = directory.number_in(&entry[..2]);
            (u64::from(IMAGE_WIDTH)..=u64::from(SAMPLE_FORMAT)).contains(&tag)
        });
        needed
            .all(|entry| directory.value(entry).is_some())
            .then_some(directory)
    }

    /// The tags of EXIF data, as far as they are there. `None` where the data does not begin as Pillow wants it.
    pub(crate) fn of_exif(bytes: &'a [u8]) -> Option<Self> {
        if bytes.get(2) == Some(&43) || !MAGICS.iter().any(|magic| bytes.starts_with(magic)) {
            return None;
        }
        let mut directory = Self {
            bytes,
            big_endian: bytes.starts_with(b"MM"),
            big_tiff: false,
            entries: &[],
        };
        let offset = usize::try_from(directory.number_at(4, 4)?).ok()?;
        let count = usize::try_from(directory.number_at(offset, 2)?).ok()?;
        let entries = &bytes[offset + 2..];
        directory.entries = &entries[..entries.len().min(count * directory.entry_size())];
        Some(directory)
    }

    /// A tag as Pillow finds it (`ImageFileDirectory_v2.load`): of two entries the first with a value counts, kinds
    /// that are not known are passed over, and the tags after a value that reaches beyond the end are lost.
    pub(crate) fn tag(&self, tag: u16) -> Option<Tag<'a>> {
        let word = self.word();
        let mut stored_elsewhere = 0_u64;
        for entry in self.entries() {
            let kind = self.number_in(&entry[2..4]);
            let size = match kind {
                BYTE | ASCII | SIGNED_BYTE | UNDEFINED => 1,
                SHORT | SIGNED_SHORT => 2,
                LONG | SIGNED_LONG | FLOAT | IFD => 4,
                RATIONAL | SIGNED_RATIONAL | DOUBLE | LONG_8 => 8,
                _ => continue,
            };
            let length = self.number_in(&entry[4..4 + word]).saturating_mul(size);
            let mut value = &entry[4 + word..];
            let bytes = usize::try_from(length).ok()?;
            if length > word as u64 {
                let offset = self.number_in(value);
                stored_elsewhere = stored_elsewhere.saturating_add(length);
                if offset >= 1 << 63 || stored_elsewhere > self.bytes.len() as u64 {
                    continue;
                }
                value = self.bytes.get(usize::try_from(offset).ok()?..)?.get(..bytes)?;
            } else {
                value = &value[..bytes];
            }
            if self.number_in(&entry[..2]) == u64::from(tag) && !value.is_empty() {
                return Some(Tag {
                    kind,
                    big_endian: self.big_endian,
                    value,
                });
            }
        }
        None
    }

    fn entries(&self) -> impl Iterator<Item = &'a [u8]> {
        self.entries.chunks_exact(self.entry_size())
    }

    pub(crate) fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// The first number of a tag.
    pub(crate) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag)?.get(0)
    }

    /// All numbers of a tag: bytes, shorts, longs.
    pub(crate) fn numbers(&self, tag: u16) -> Option<Numbers<'a>> {
        let (value, size) = self.first_value(tag)?;
        (size > 0).then_some(Numbers {
            value,
            size,
            big_endian: self.big_endian,
        })
    }

    /// The content of a tag that holds bytes.
    pub(crate) fn content(&self, tag: u16) -> Option<&'a [u8]> {
        let (value, size) = self.first_value(tag)?;
        (size == 1).then_some(value)
    }

    /// Of two entries for a tag the first counts, in Pillow as in libtiff.
    fn first_value(&self, tag: u16) -> Option<(&'a [u8], usize)> {
        let mut entries = self.entries();
        let entry = entries.find(|entry| self.number_in(&entry[..2]) == u64::from(tag))?;
        self.value(entry)
    }

    /// The bytes of an entry's value and of one number in it, 0 for other kinds of values. `None` where the file ends
    /// too early.
    fn value(&self, entry: &'a [u8]) -> Option<(&'a [u8], usize)> {
        let size = match self.number_in(&entry[2..4]) {
            BYTE | UNDEFINED => 1,
            SHORT => 2,
            LONG => 4,
            LONG_8 => 8,
            _ => 0,
        };
        let word = self.word();
        let length = usize::try_from(self.number_in(&entry[4..4 + word]))
            .ok()?
            .checked_mul(size)?;
        let value = &entry[4 + word..];
        if length <= word {
            return Some((&value[..length], size));
        }
        // A long value is stored elsewhere.
        let offset = usize::try_from(self.number_in(value)).ok()?;
        Some((self.bytes.get(offset..)?.get(..length)?, size))
    }

    /// The size of an offset, and of a count in an entry.
    fn word(&self) -> usize {
        if self.big_tiff {
            8
        } else {
            4
        }
    }

    fn entry_size(&self) -> usize {
        4 + 2 * self.word()
    }

    fn number_at(&self, at: usize, size: usize) -> Option<u64> {
        self.bytes.get(at..)?.get(..size).map(|bytes| self.number_in(bytes))
    }

    fn number_in(&self, bytes: &[u8]) -> u64 {
        number_in(bytes, self.big_endian)
    }
}

fn number_in(bytes: &[u8], big_endian: bool) -> u64 {
    let append = |number, byte: &u8| number << 8 | u64::from(*byte);
    if big_endian {
        bytes.iter().fold(0, append)
    } else {
        bytes.iter().rev().fold(0, append)
    }
}
