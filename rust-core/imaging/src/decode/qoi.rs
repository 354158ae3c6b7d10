//! QOI, as Pillow's plugin reads it (`QoiImagePlugin.py`): the end marker is not looked for, nor what comes after the
//! pixels.

use super::failure::Failure;
use crate::error::ImageError;
use crate::image::{check_memory, check_size, RgbImage};
use crate::options::ImageLimits;

/// The first bytes of every QOI.
const MAGIC: &[u8] = b"qoif";

const FAILURE: Failure = Failure("QOI");
const HEADER: usize = 14;
/// More pixels than this do not come out of a byte, so that a short file takes no memory.
const LONGEST_RUN: usize = 62;

/// Whether the first bytes are those of a QOI image.
pub(crate) fn accepts(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Decodes into `image`, which is all the memory that is taken.
pub(crate) fn decode(
    bytes: &[u8],
    limits: ImageLimits,
    _raw: &mut Vec<u8>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let mut header = FAILURE.read_at(bytes, MAGIC.len());
    let (width, height) = (header.be_u32()?, header.be_u32()?);
    let mut data = FAILURE.read(bytes.get(HEADER..).ok_or_else(|| FAILURE.truncated())?);
    if width == 0 || height == 0 {
        return Err(FAILURE.broken("it has no pixels"));
    }
    check_size(u64::from(width), u64::from(height), limits)?;
    let (width, height) = (width as usize, height as usize);
    if width * height > data.rest().len().saturating_mul(LONGEST_RUN + 2) {
        return Err(FAILURE.truncated());
    }
    check_memory((width * height * 3) as u64, limits)?;
    image.reset(width, height)?;
    let mut seen = [[0_u8; 4]; 64];
    let mut pixel = [0, 0, 0, 255];
    let mut rest = image.pixels.as_chunks_mut::<3>().0;
    while !rest.is_empty() {
        let operation = data.u8()?;
        let argument = operation & 63;
        let mut run = 1;
        match (operation, operation >> 6) {
            (254, _) => {
                let [red, green, blue] = data.array()?;
                pixel = [red, green, blue, pixel[3]];
            }
            (255, _) => pixel = data.array()?,
            (_, 0) => pixel = seen[usize::from(argument)],
            (_, 1) => {
                for (channel, shift) in pixel.iter_mut().zip([4, 2, 0]) {
                    *channel = channel.wrapping_add(argument >> shift & 3).wrapping_sub(2);
                }
            }
            (_, 2) => {
                let of_green = data.u8()?;
                let green = argument.wrapping_sub(32);
                let others = [(of_green >> 4).wrapping_sub(8), 0, (of_green & 15).wrapping_sub(8)];
                for (channel, other) in pixel.iter_mut().zip(others) {
                    *channel = channel.wrapping_add(green).wrapping_add(other);
                }
            }
            _ => run = usize::from(argument) + 1,
        }
        if !(0xC0..254).contains(&operation) {
            let [red, green, blue, alpha] = pixel.map(usize::from);
            seen[(red * 3 + green * 5 + blue * 7 + alpha * 11) % 64] = pixel;
        }
        let (painted, after) = rest.split_at_mut(run.min(rest.len()));
        painted.fill([pixel[0], pixel[1], pixel[2]]);
        rest = after;
    }
    Ok(())
}
