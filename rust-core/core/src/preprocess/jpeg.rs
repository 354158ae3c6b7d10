//! JPEG through libjpeg-turbo, byte for byte as Pillow decodes it.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, CStr};
use std::ptr;

// Only linked: jpeg.c calls libjpeg's own API, which this library holds beside TurboJPEG's.
use turbojpeg_sys as _;

use super::color::cmyk_to_rgb;
use super::decode::{check_memory, check_size, grow, RgbImage};
use super::options::ImageLimits;
use crate::error::ImageError;

/// The first bytes of every JPEG.
pub(super) const MAGIC: &[u8] = &[0xFF, 0xD8, 0xFF];

const FORMAT: &str = "JPEG";
/// libjpeg's `JMSG_LENGTH_MAX`.
const MESSAGE_LENGTH: usize = 200;
const STATUS_OK: c_int = 0;
const STATUS_TRUNCATED: c_int = 2;

/// Mirrors `struct classify_jpeg_header` in jpeg.c.
#[repr(C)]
#[derive(Default)]
struct Header {
    width: c_uint,
    height: c_uint,
    components: c_int,
    precision: c_int,
    subsampled: c_int,
    reducible: c_int,
    color: Color,
    reduction: c_uint,
    /// The bytes that libjpeg takes at most.
    memory: u64,
}

/// What the channels are taken for: mirrors `enum color` in jpeg.c.
#[repr(C)]
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    /// What the file's markers tell; grey, RGB or CMYK come out.
    #[default]
    ByMarkers = 0,
    /// YCbCr, of which RGB is made.
    YCbCr = 1,
    /// Whatever they are, unchanged.
    Unknown = 2,
}

extern "C" {
    fn classify_jpeg(
        data: *const u8,
        length: usize,
        header: *mut Header,
        pixels: *mut u8,
        message: *mut c_char,
    ) -> c_int;
}

/// Decodes into `image`. Where `target` gives a size for that of the
/// image, the image may come out smaller, but no less than twice as large as that. Returns the full width and height.
pub(super) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    target: &dyn Fn(usize, usize) -> Option<(usize, usize)>,
    image: &mut RgbImage,
) -> Result<(usize, usize), ImageError> {
    let mut header = Header::default();
    call(bytes, &mut header, None)?;
    check_size(u64::from(header.width), u64::from(header.height), limits)?;
    let full = (header.width as usize, header.height as usize);
    if header.precision != 8 {
        return Err(unsupported(format!(
            "{} bits a channel, only 8 are supported",
            header.precision
        )));
    }
    header.reduction = target(full.0, full.1)
        .filter(|_| header.reducible != 0)
        .map_or(1, |target| reduction(full, target));
    header.width = header.width.div_ceil(header.reduction);
    header.height = header.height.div_ceil(header.reduction);
    let (width, height) = (header.width as usize, header.height as usize);
    let channels = match header.components {
        1 | 3 | 4 => header.components.unsigned_abs() as usize,
        other => return Err(unsupported(format!("{other} channels, only 1, 3 and 4 are supported"))),
    };
    check_memory((width * height * channels.max(3)) as u64 + header.memory, limits)?;
    let pixels = image.reset_channels(width, height, channels)?;
    call(bytes, &mut header, Some(pixels))?;
    match channels {
        // Asked for grey, as by Pillow: there is no other way to read a lossless one.
        1 => image.made_rgb(|[grey]| [grey; 3]),
        // Pillow takes every such file as inverted, as Adobe writes them.
        4 => image.made_rgb(|inks: [u8; 4]| cmyk_to_rgb(inks.map(|ink| 255 - ink))),
        _ => image.pixels.truncate(width * height * 3),
    }
    Ok(full)
}

/// Decodes a strip or a tile of a TIFF, with the rules of libtiff: it has `columns` and at least the rows that `pixels`
/// has room for; the last strip may have any number more. `bytes` are the TIFF's tables and the strip, a JPEG each; what
/// is `taken` for the TIFF counts against the limit, too.
pub(super) fn decode_part(
    bytes: &[u8],
    (limits, taken): (ImageLimits, u64),
    color: Color,
    (columns, channels): (usize, usize),
    last_strip: bool,
    pixels: &mut [u8],
) -> Result<(), ImageError> {
    let mut header = Header::default();
    call(bytes, &mut header, None)?;
    check_size(u64::from(header.width), u64::from(header.height), limits)?;
    let length = header.height as usize * columns * channels;
    let long_enough = length == pixels.len() || last_strip && length > pixels.len();
    let fits = header.width as usize == columns && header.components as usize == channels;
    if !fits || !long_enough || header.precision != 8 {
        return Err(broken("a part is not what the TIFF around it tells".to_owned()));
    }
    if header.subsampled != 0 && color == Color::Unknown {
        return Err(unsupported(
            "colours of several sizes in a TIFF that are not YCbCr".to_owned(),
        ));
    }
    header.color = color;
    header.reduction = 1;
    let surplus = if length == pixels.len() { 0 } else { length };
    check_memory(taken + header.memory + surplus as u64, limits)?;
    if length == pixels.len() {
        return call(bytes, &mut header, Some(pixels));
    }
    let mut part = Vec::new();
    let part = grow(&mut part, length)?;
    call(bytes, &mut header, Some(part))?;
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

/// The contents of the APP1 segments, which hold EXIF and XMP, up to the first scan. As in Pillow, stray bytes between
/// segments are skipped.
pub(super) fn app1(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    std::iter::from_fn(move || loop {
        let start = rest.iter().position(|byte| *byte == 0xFF)?;
        let (marker, after) = rest[start + 1..].split_first()?;
        match marker {
            0xFF => rest = &rest[start + 1..],
            // These have no content.
            0 | 0xC8 | 0xD0..=0xD9 | 0xF0..=0xFD => rest = after,
            0x01..=0xBF | 0xDA => return None,
            _ => {
                let length = usize::from(u16::from_be_bytes(*after.first_chunk()?)).max(2);
                rest = after.get(length..)?;
                if *marker == 0xE1 {
                    return after.get(2..length);
                }
            }
        }
    })
}

/// Reads the header, or the pixels when there is a buffer for them.
fn call(bytes: &[u8], header: &mut Header, pixels: Option<&mut [u8]>) -> Result<(), ImageError> {
    let mut message: [c_char; MESSAGE_LENGTH] = [0; MESSAGE_LENGTH];
    let pixels = match pixels {
        Some(pixels) => {
            let channels = header.components as usize;
            assert_eq!(pixels.len(), header.width as usize * header.height as usize * channels);
            pixels.as_mut_ptr()
        }
        None => ptr::null_mut(),
    };
    // SAFETY: `bytes` is readable for its length. `header` is a valid struct of the layout that jpeg.c declares.
    // `pixels` is null or has width * height * components bytes, asserted above, and jpeg.c writes only after it has
    // compared the image with these numbers. `message` has the JMSG_LENGTH_MAX bytes libjpeg may write. Nothing is
    // kept after the call, and jpeg.c's longjmp does not leave it.
    let status = unsafe {
        classify_jpeg(
            bytes.as_ptr(),
            bytes.len(),
            ptr::from_mut(header),
            pixels,
            message.as_mut_ptr(),
        )
    };
    match status {
        STATUS_OK => Ok(()),
        STATUS_TRUNCATED => Err(broken("the file is truncated".to_owned())),
        _ => {
            message[MESSAGE_LENGTH - 1] = 0;
            // SAFETY: the array is alive and its last element, just set, is the terminator at the latest.
            let message = unsafe { CStr::from_ptr(message.as_ptr()) };
            Err(broken(message.to_string_lossy().into_owned()))
        }
    }
}

fn broken(reason: String) -> ImageError {
    ImageError::Broken { format: FORMAT, reason }
}

fn unsupported(reason: String) -> ImageError {
    ImageError::Unsupported { format: FORMAT, reason }
}
