//! The tags of a TIFF's first image. Nothing is read, and no memory taken, beyond what the file holds.

/// Where the file's header points to, and how its numbers are stored.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    big_tiff: bool,
    entries: &'a [u8],
}

pub(super) const IMAGE_WIDTH: u16 = 256;
pub(super) const IMAGE_LENGTH: u16 = 257;
pub(super) const BITS_PER_SAMPLE: u16 = 258;
pub(super) const COMPRESSION: u16 = 259;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const FILL_ORDER: u16 = 266;
pub(super) const STRIP_OFFSETS: u16 = 273;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const SAMPLES_PER_PIXEL: u16 = 277;
pub(super) const ROWS_PER_STRIP: u16 = 278;
pub(super) const STRIP_BYTE_COUNTS: u16 = 279;
pub(super) const PLANAR_CONFIGURATION: u16 = 284;
pub(super) const PREDICTOR: u16 = 317;
pub(super) const COLOR_MAP: u16 = 320;
pub(super) const TILE_WIDTH: u16 = 322;
pub(super) const TILE_LENGTH: u16 = 323;
pub(super) const TILE_OFFSETS: u16 = 324;
pub(super) const TILE_BYTE_COUNTS: u16 = 325;
pub(super) const EXTRA_SAMPLES: u16 = 338;
pub(super) const SAMPLE_FORMAT: u16 = 339;
pub(super) const JPEG_TABLES: u16 = 347;

impl<'a> Directory<'a> {
    /// `None` where the file ends too early.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
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

    fn entries(&self) -> impl DoubleEndedIterator<Item = &'a [u8]> {
        self.entries.chunks_exact(self.entry_size())
    }

    pub(super) fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// The first number of a tag.
    pub(super) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag).and_then(|numbers| numbers.first().copied())
    }

    /// All numbers of a tag: bytes, shorts, longs.
    pub(super) fn numbers(&self, tag: u16) -> Option<Vec<u64>> {
        // Of two entries for a tag Pillow takes the last.
        let mut entries = self.entries().rev();
        let entry = entries.find(|entry| self.number_in(&entry[..2]) == u64::from(tag))?;
        let (value, size) = self.value(entry)?;
        (size > 0).then(|| value.chunks_exact(size).map(|number| self.number_in(number)).collect())
    }

    /// The content of a tag that holds bytes.
    pub(super) fn content(&self, tag: u16) -> Option<&'a [u8]> {
        let mut entries = self.entries().rev();
        let entry = entries.find(|entry| self.number_in(&entry[..2]) == u64::from(tag))?;
        let (value, size) = self.value(entry)?;
        (size == 1).then_some(value)
    }

    /// The bytes of an entry's value and of one number in it, 0 for other kinds of values. `None` where the file ends
    /// too early.
    fn value(&self, entry: &'a [u8]) -> Option<(&'a [u8], usize)> {
        let size = match self.number_in(&entry[2..4]) {
            1 | 7 => 1,
            3 => 2,
            4 => 4,
            16 => 8,
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
        let append = |number, byte: &u8| number << 8 | u64::from(*byte);
        if self.big_endian {
            bytes.iter().fold(0, append)
        } else {
            bytes.iter().rev().fold(0, append)
        }
    }
}
