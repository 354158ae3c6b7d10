//! JPEG through libjpeg-turbo, byte for byte as Pillow decodes it.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int, c_uint, CStr};
use std::ptr;

// Only linked: jpeg.c calls libjpeg's own API, which this library holds beside TurboJPEG's.
use turbojpeg_sys as _;

use super::decode::{check_size, grow, RgbImage};
use super::ImageLimits;
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

/// Decodes into `image`; `cmyk` is a buffer for images with four channels.
pub(super) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    cmyk: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let mut header = Header::default();
    call(bytes, &mut header, None)?;
    check_size(u64::from(header.width), u64::from(header.height), limits)?;
    let (width, height) = (header.width as usize, header.height as usize);
    if header.precision != 8 {
        return Err(unsupported(format!(
            "{} bits a channel, only 8 are supported",
            header.precision
        )));
    }
    image.reset(width, height)?;
    match header.components {
        1 | 3 => call(bytes, &mut header, Some(&mut image.pixels)),
        4 => {
            let cmyk = grow(cmyk, width * height * 4)?;
            call(bytes, &mut header, Some(cmyk))?;
            cmyk_to_rgb(cmyk, &mut image.pixels);
            Ok(())
        }
        other => Err(unsupported(format!("{other} channels, only 1, 3 and 4 are supported"))),
    }
}

/// Reads the header, or the pixels when there is a buffer for them.
fn call(bytes: &[u8], header: &mut Header, pixels: Option<&mut [u8]>) -> Result<(), ImageError> {
    let mut message: [c_char; MESSAGE_LENGTH] = [0; MESSAGE_LENGTH];
    let pixels = match pixels {
        Some(pixels) => {
            let channels = if header.components == 4 { 4 } else { 3 };
            assert_eq!(pixels.len(), header.width as usize * header.height as usize * channels);
            pixels.as_mut_ptr()
        }
        None => ptr::null_mut(),
    };
    // SAFETY: `bytes` is readable for its length. `header` is a valid struct of the layout that jpeg.c declares.
    // `pixels` is null or has width * height * channels bytes, asserted above, and jpeg.c writes only after it has
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

/// Pillow's way from a CMYK JPEG to RGB: it takes every such file as inverted, as Adobe writes them, and then
/// multiplies with its rounding division by 255 (`cmyk2rgb` in Convert.c).
fn cmyk_to_rgb(cmyk: &[u8], rgb: &mut [u8]) {
    for (from, to) in cmyk.chunks_exact(4).zip(rgb.chunks_exact_mut(3)) {
        // Stored inverted: the byte of K is 255 - K already.
        let white = u32::from(from[3]);
        for (ink, channel) in from.iter().zip(to) {
            let product = (255 - u32::from(*ink)) * white + 128;
            let scaled = ((product >> 8) + product) >> 8;
            *channel = white.saturating_sub(scaled) as u8;
        }
    }
}

fn broken(reason: String) -> ImageError {
    ImageError::Broken { format: FORMAT, reason }
}

fn unsupported(reason: String) -> ImageError {
    ImageError::Unsupported { format: FORMAT, reason }
}
