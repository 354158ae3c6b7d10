//! JPEG through libjpeg-turbo, byte for byte as Pillow decodes it.
#![allow(unsafe_code)]

mod app1;

use std::ffi::{c_char, c_int, c_uint, CStr};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr;

// Only linked: jpeg.c calls libjpeg's own API, which this library holds beside TurboJPEG's.
use turbojpeg_sys as _;

pub(crate) use self::app1::metadata;
use crate::decode::color::cmyk_to_rgb;
use crate::decode::failure::Failure;
use crate::decode::reader::RowReader;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, grow, RgbImage};
use crate::options::ImageLimits;

/// The name of the format.
pub(crate) const NAME: &str = "JPEG";

const FAILURE: Failure = Failure(NAME);
const STATUS_OK: c_int = 0;
const STATUS_TRUNCATED: c_int = 2;

/// Mirrors `struct classify_jpeg_header` in jpeg.h.
#[repr(C)]
#[derive(Default)]
struct Header {
    width: c_uint,
    height: c_uint,
    components: c_int,
    precision: c_int,
    subsampled: c_int,
    reducible: c_int,
    several_scans: c_int,
    /// The bytes that libjpeg takes at most.
    memory: u64,
}

/// What the channels are taken for: mirrors `enum color` in jpeg.h.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Color {
    /// What the file's markers tell; grey, RGB or CMYK come out.
    ByMarkers = 0,
    /// YCbCr, of which RGB is made.
    YCbCr = 1,
    /// Whatever they are, unchanged.
    Unknown = 2,
}

/// `struct decoder` of jpeg.h.
enum Decoder {}

extern "C" {
    fn classify_jpeg_open(data: *const u8, length: usize, opened: *mut *mut Decoder, header: *mut Header) -> c_int;
    fn classify_jpeg_start(decoder: *mut Decoder, color: Color, reduction: c_uint) -> c_int;
    fn classify_jpeg_crop(decoder: *mut Decoder, first: *mut c_uint, columns: *mut c_uint) -> c_int;
    fn classify_jpeg_skip(decoder: *mut Decoder, rows: c_uint) -> c_int;
    fn classify_jpeg_read(decoder: *mut Decoder, pixels: *mut u8, row_length: usize, rows: c_uint) -> c_int;
    fn classify_jpeg_finish(decoder: *mut Decoder) -> c_int;
    fn classify_jpeg_message(decoder: *const Decoder) -> *const c_char;
    fn classify_jpeg_close(decoder: *mut Decoder);
}

/// Whether the first bytes are those of a JPEG.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xFF, 0xD8, 0xFF])
}

/// Decodes into `image`.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    _raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    Jpeg::open_image(bytes, limits)?.decode(limits, image)
}

/// Opens a file for its rows.
pub(crate) fn rows(bytes: &[u8], limits: ImageLimits) -> Result<Option<Box<dyn RowReader + '_>>, ImageError> {
    Ok(Some(Box::new(Jpeg::open_image(bytes, limits)?)))
}

/// Rows that are converted to RGB at once.
const CONVERTED_ROWS: usize = 16;
/// Columns beside those that are wanted. Upsampling looks at the neighbours of a sample, and the smoothing of a file
/// that lacks its last scans at two blocks: 2 blocks of 8 pixels, whose samples are up to 4 pixels wide.
const MARGIN: usize = 64;

/// A JPEG whose header has been read.
pub(crate) struct Jpeg<'a> {
    decoder: *mut Decoder,
    header: Header,
    /// By how much columns and rows are fewer: 1, 2, 4 or 8.
    reduction: c_uint,
    /// The columns that are read, and the next row.
    columns: Range<usize>,
    row: usize,
    /// Rows before they are RGB.
    raw: Vec<u8>,
    /// What the decoder reads.
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> Jpeg<'a> {
    /// Reads the header and checks the size.
    fn open(bytes: &'a [u8], limits: ImageLimits) -> Result<Self, ImageError> {
        let mut jpeg = Self {
            decoder: ptr::null_mut(),
            header: Header::default(),
            reduction: 1,
            columns: 0..0,
            row: 0,
            raw: Vec::new(),
            bytes: PhantomData,
        };
        // SAFETY: `bytes` is readable for its length, as long as `jpeg` lives. The header has the layout that jpeg.c
        // declares. jpeg.c's longjmp does not leave it.
        let status =
            unsafe { classify_jpeg_open(bytes.as_ptr(), bytes.len(), &raw mut jpeg.decoder, &raw mut jpeg.header) };
        jpeg.check(status)?;
        let header = &jpeg.header;
        check_size(u64::from(header.width), u64::from(header.height), limits)?;
        jpeg.columns = 0..header.width as usize;
        Ok(jpeg)
    }

    /// The same for a file of its own, whose kind is checked, too.
    pub(crate) fn open_image(bytes: &'a [u8], limits: ImageLimits) -> Result<Self, ImageError> {
        let jpeg = Self::open(bytes, limits)?;
        let Header {
            precision, components, ..
        } = jpeg.header;
        if precision != 8 {
            return Err(FAILURE.unsupported(format!("{precision} bits a channel, only 8 are supported")));
        }
        if ![1, 3, 4].contains(&components) {
            return Err(FAILURE.unsupported(format!("{components} channels, only 1, 3 and 4 are supported")));
        }
        Ok(jpeg)
    }

    /// Whether it can be decoded at a fraction of its size, which a lossless one cannot.
    pub(crate) fn reducible(&self) -> bool {
        self.header.reducible != 0
    }

    /// Makes a reducible one come out smaller than it is, but no less than twice as large as the width and height of
    /// the `target`.
    pub(crate) fn reduced_for(mut self, target: (usize, usize)) -> Self {
        self.reduction = reduction(self.size(), target);
        let (width, _) = self.size();
        self.columns = 0..width;
        self
    }

    /// Decodes all of it.
    pub(crate) fn decode(mut self, limits: ImageLimits, image: &mut RgbImage) -> Result<(), ImageError> {
        let (width, height) = self.size();
        check_memory((width * height * 3) as u64 + self.memory(), limits)?;
        image.reset(width, height)?;
        self.start(Color::ByMarkers)?;
        self.read(&mut image.pixels)?;
        self.finish()
    }

    fn channels(&self) -> usize {
        self.header.components.unsigned_abs() as usize
    }

    fn start(&mut self, color: Color) -> Result<(), ImageError> {
        // SAFETY: the decoder is open, since `open` has succeeded, and what it reads is alive. jpeg.c's longjmp does
        // not leave it. If this is not the first call, libjpeg makes an error of it.
        let status = unsafe { classify_jpeg_start(self.decoder, color, self.reduction) };
        self.check(status)
    }

    /// Fills `rows` as the file has them.
    fn read_stored(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let row_length = self.columns.len() * self.channels();
        let count = rows.len() / row_length;
        // SAFETY: the decoder is open, and what it reads is alive; before `start`, libjpeg makes an error of it. jpeg.c
        // writes `count` rows at most, after it has compared `row_length` with that of libjpeg's rows, and does not
        // keep the pointer. Its longjmp does not leave it.
        let status = unsafe { classify_jpeg_read(self.decoder, rows.as_mut_ptr(), row_length, number(count)) };
        self.check(status)?;
        self.row += count;
        Ok(())
    }

    /// Reads rows for nothing but their errors.
    fn discard(&mut self, count: usize) -> Result<(), ImageError> {
        let mut raw = std::mem::take(&mut self.raw);
        let row = grow(&mut raw, self.columns.len() * self.channels())?;
        let read = (0..count).try_for_each(|_| self.read_stored(row));
        self.raw = raw;
        read
    }

    /// What a status of jpeg.c means.
    fn check(&self, status: c_int) -> Result<(), ImageError> {
        match status {
            STATUS_OK => Ok(()),
            STATUS_TRUNCATED => Err(FAILURE.truncated()),
            _ if self.decoder.is_null() => Err(ImageError::OutOfMemory { bytes: 0 }),
            _ => {
                // SAFETY: the decoder is open, and its message ends in a zero: libjpeg's and jpeg.c's own do, and it is
                // all zeros before.
                let message = unsafe { CStr::from_ptr(classify_jpeg_message(self.decoder)) };
                Err(FAILURE.broken(message.to_string_lossy()))
            }
        }
    }
}

impl RowReader for Jpeg<'_> {
    fn size(&self) -> (usize, usize) {
        let side = |full: c_uint| full.div_ceil(self.reduction) as usize;
        (side(self.header.width), side(self.header.height))
    }

    fn memory(&self) -> u64 {
        let raw = self.size().0 * self.channels() * CONVERTED_ROWS;
        self.header.memory + raw as u64
    }

    fn begin(&mut self, wanted: Range<usize>) -> Result<Range<usize>, ImageError> {
        self.start(Color::ByMarkers)?;
        let (width, _) = self.size();
        let kept = wanted.start.saturating_sub(MARGIN)..(wanted.end + MARGIN).min(width);
        if self.reducible() && self.reduction == 1 && kept.len() < width {
            let (mut first, mut columns) = (number(kept.start), number(kept.len()));
            // SAFETY: the decoder has been started, and both places are valid. jpeg.c's longjmp does not leave it.
            let status = unsafe { classify_jpeg_crop(self.decoder, &raw mut first, &raw mut columns) };
            self.check(status)?;
            self.columns = first as usize..(first + columns) as usize;
        }
        Ok(self.columns.clone())
    }

    fn read(&mut self, rows: &mut [u8]) -> Result<(), ImageError> {
        let channels = self.channels();
        if channels == 3 {
            return self.read_stored(rows);
        }
        let mut raw = std::mem::take(&mut self.raw);
        for rows in rows.chunks_mut(self.columns.len() * 3 * CONVERTED_ROWS) {
            let raw = grow(&mut raw, rows.len() / 3 * channels)?;
            self.read_stored(raw)?;
            let (to, _) = rows.as_chunks_mut();
            if channels == 1 {
                // Asked for grey, as by Pillow: there is no other way to read a lossless one.
                raw.iter().zip(to).for_each(|(grey, to)| *to = [*grey; 3]);
            } else {
                // Pillow takes every such file as inverted, as Adobe writes them.
                let inks = raw.as_chunks::<4>().0.iter();
                inks.zip(to)
                    .for_each(|(inks, to)| *to = cmyk_to_rgb(inks.map(|ink| 255 - ink)));
            }
        }
        self.raw = raw;
        Ok(())
    }

    fn skip(&mut self, count: usize) -> Result<(), ImageError> {
        if count == 0 {
            return Ok(());
        }
        if !self.reducible() {
            return self.discard(count);
        }
        // libjpeg would not read the rest of a file all of whose rows are skipped, nor see what is wrong with it. Where
        // all scans have been read before, nothing is left.
        let to_the_end = self.row + count == self.size().1;
        let last = usize::from(to_the_end && self.header.several_scans == 0);
        // SAFETY: the decoder has been started, and what it reads is alive. jpeg.c's longjmp does not leave it.
        let status = unsafe { classify_jpeg_skip(self.decoder, number(count - last)) };
        self.check(status)?;
        self.row += count - last;
        self.discard(last)
    }

    fn finish(&mut self) -> Result<(), ImageError> {
        // SAFETY: the decoder is open, and what it reads is alive. jpeg.c's longjmp does not leave it.
        let status = unsafe { classify_jpeg_finish(self.decoder) };
        self.check(status)
    }
}

/// A number of columns or rows, of which libjpeg allows 65,500.
fn number(count: usize) -> c_uint {
    c_uint::try_from(count).unwrap_or(c_uint::MAX)
}

impl Drop for Jpeg<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by `classify_jpeg_open`, or is null, and is not used after this.
        unsafe { classify_jpeg_close(self.decoder) };
    }
}

/// Decodes a strip or a tile of a TIFF, with the rules of libtiff: it has `columns` and at least the rows that `pixels`
/// has room for; the last strip may have any number more. `bytes` are the TIFF's tables and the strip, a JPEG each;
/// what is `taken` for the TIFF counts against the limit, too.
pub(crate) fn decode_part(
    bytes: &[u8],
    (limits, taken): (ImageLimits, u64),
    color: Color,
    (columns, channels): (usize, usize),
    last_strip: bool,
    pixels: &mut [u8],
) -> Result<(), ImageError> {
    let mut jpeg = Jpeg::open(bytes, limits)?;
    let header = &jpeg.header;
    let length = header.height as usize * columns * channels;
    let long_enough = length == pixels.len() || last_strip && length > pixels.len();
    let fits = header.width as usize == columns && usize::try_from(header.components) == Ok(channels);
    if !fits || !long_enough || header.precision != 8 {
        return Err(FAILURE.broken("a part is not what the TIFF around it tells"));
    }
    if header.subsampled != 0 && color == Color::Unknown {
        return Err(FAILURE.unsupported("colours of several sizes in a TIFF that are not YCbCr"));
    }
    let row_length = columns * channels;
    let surplus_rows = (length - pixels.len()) / row_length;
    check_memory(taken + header.memory + row_length as u64, limits)?;
    jpeg.start(color)?;
    jpeg.read_stored(pixels)?;
    jpeg.discard(surplus_rows)?;
    jpeg.finish()
}

/// By how much `Image.draft` reduces for a thumbnail: libjpeg can do it by 2, 4 and 8.
fn reduction(full: (usize, usize), target: (usize, usize)) -> c_uint {
    let excess = |full: usize, target: usize| full / (2 * target);
    match excess(full.0, target.0).min(excess(full.1, target.1)) {
        0 | 1 => 1,
        2 | 3 => 2,
        4..8 => 4,
        _ => 8,
    }
}
