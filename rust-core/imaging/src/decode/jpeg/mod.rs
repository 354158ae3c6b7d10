//! JPEG through libjpeg-turbo, byte for byte as Pillow decodes it.
#![allow(unsafe_code)]

mod app1;

use std::ffi::{c_char, c_int, c_uint, CStr};
use std::marker::PhantomData;
use std::ptr;

// Only linked: jpeg.c calls libjpeg's own API, which this library holds beside TurboJPEG's.
use turbojpeg_sys as _;

pub(crate) use self::app1::metadata;
use crate::decode::color::cmyk_to_rgb;
use crate::decode::failure::Failure;
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
    fn classify_jpeg_decode(
        decoder: *mut Decoder,
        color: Color,
        reduction: c_uint,
        pixels: *mut u8,
        length: usize,
    ) -> c_int;
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
    Jpeg::open(bytes, limits)?.decode(1, limits, image)
}

/// A JPEG whose header has been read.
pub(crate) struct Jpeg<'a> {
    decoder: *mut Decoder,
    header: Header,
    /// What the decoder reads.
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> Jpeg<'a> {
    /// Reads the header and checks the size.
    pub(crate) fn open(bytes: &'a [u8], limits: ImageLimits) -> Result<Self, ImageError> {
        let mut jpeg = Self {
            decoder: ptr::null_mut(),
            header: Header::default(),
            bytes: PhantomData,
        };
        // SAFETY: `bytes` is readable for its length, as long as `jpeg` lives. The header has the layout that jpeg.c
        // declares. jpeg.c's longjmp does not leave it.
        let status =
            unsafe { classify_jpeg_open(bytes.as_ptr(), bytes.len(), &raw mut jpeg.decoder, &raw mut jpeg.header) };
        jpeg.check(status)?;
        let header = &jpeg.header;
        check_size(u64::from(header.width), u64::from(header.height), limits)?;
        Ok(jpeg)
    }

    /// Whether it can be decoded at a fraction of its size, which a lossless one cannot.
    pub(crate) fn reducible(&self) -> bool {
        self.header.reducible != 0
    }

    /// Its width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.header.width as usize, self.header.height as usize)
    }

    /// Decodes a reducible one into `image`, which may come out smaller than it is, but no less than twice as large as
    /// the width and height of the `target`.
    pub(crate) fn decode_for(
        self,
        target: (usize, usize),
        limits: ImageLimits,
        image: &mut RgbImage,
    ) -> Result<(), ImageError> {
        let reduction = reduction(self.size(), target);
        self.decode(reduction, limits, image)
    }

    fn decode(self, reduction: c_uint, limits: ImageLimits, image: &mut RgbImage) -> Result<(), ImageError> {
        let header = &self.header;
        if header.precision != 8 {
            return Err(FAILURE.unsupported(format!("{} bits a channel, only 8 are supported", header.precision)));
        }
        let channels = match header.components {
            1 | 3 | 4 => header.components.unsigned_abs() as usize,
            other => return Err(FAILURE.unsupported(format!("{other} channels, only 1, 3 and 4 are supported"))),
        };
        let width = header.width.div_ceil(reduction) as usize;
        let height = header.height.div_ceil(reduction) as usize;
        check_memory((width * height * channels.max(3)) as u64 + header.memory, limits)?;
        self.read(
            Color::ByMarkers,
            reduction,
            image.reset_channels(width, height, channels)?,
        )?;
        match channels {
            // Asked for grey, as by Pillow: there is no other way to read a lossless one.
            1 => image.made_rgb(|[grey]| [grey; 3]),
            // Pillow takes every such file as inverted, as Adobe writes them.
            4 => image.made_rgb(|inks: [u8; 4]| cmyk_to_rgb(inks.map(|ink| 255 - ink))),
            _ => image.pixels.truncate(width * height * 3),
        }
        Ok(())
    }

    /// Fills `pixels`, which jpeg.c compares with the size of the image.
    fn read(self, color: Color, reduction: c_uint, pixels: &mut [u8]) -> Result<(), ImageError> {
        // SAFETY: the decoder is open, since `open` has succeeded, and this is its first decoding, since it takes
        // `self`; what it reads is alive. jpeg.c writes into `pixels` only after it has compared their length with the
        // image's, and does not keep them. Its longjmp does not leave it.
        let status = unsafe { classify_jpeg_decode(self.decoder, color, reduction, pixels.as_mut_ptr(), pixels.len()) };
        self.check(status)
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
    let jpeg = Jpeg::open(bytes, limits)?;
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
    let surplus = if length == pixels.len() { 0 } else { length };
    check_memory(taken + header.memory + surplus as u64, limits)?;
    if length == pixels.len() {
        return jpeg.read(color, 1, pixels);
    }
    let mut part = Vec::new();
    let part = grow(&mut part, length)?;
    jpeg.read(color, 1, part)?;
    pixels.copy_from_slice(&part[..pixels.len()]);
    Ok(())
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
