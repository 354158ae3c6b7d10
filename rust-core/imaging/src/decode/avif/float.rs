//! Colours by libavif's own arithmetic (reformat.c), whose roundings single precision must repeat step by step.

use super::alpha::{divide, mismatch, read_alpha, to_8_bits, Alpha};
use super::boxes::FAILURE;
use super::planes::Planes;
use super::shape::{Coding, Layout, Shape};
use crate::error::ImageError;
use crate::image::RgbImage;

/// What the three planes mean (ISO/IEC 23091-2, 8.3).
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    /// Green, blue and red.
    Identity,
    YCgCo,
    /// `YCgCo` that loses nothing, with two more bits than RGB.
    YCgCoRe,
    /// Luma with these shares of red, green and blue.
    Shares([f32; 3]),
}

impl Mode {
    fn of(coding: Coding, shape: Shape) -> Result<Self, ImageError> {
        let shares = |red: f32, blue: f32| Self::Shares([red, 1.0 - red - blue, blue]);
        Ok(match coding.matrix {
            0 if matches!(shape.layout, Layout::Full | Layout::Grey) => Self::Identity,
            8 if coding.full_range => Self::YCgCo,
            16 if coding.full_range && shape.depth == 10 => Self::YCgCoRe,
            1 => shares(0.2126, 0.0722),
            4 => shares(0.30, 0.11),
            7 => shares(0.212, 0.087),
            9 => shares(0.2627, 0.0593),
            12 => {
                let [red, blue] = shares_by_primaries(coding.primaries);
                shares(red, blue)
            }
            2 | 5 | 6 | 15 => shares(0.299, 0.114),
            matrix => {
                return Err(FAILURE.unsupported(format!(
                    "colours by the matrix {matrix} of ISO/IEC 23091-2 with these planes"
                )))
            }
        })
    }
}

/// Where red, green, blue and white lie, by the number of the primaries.
fn places(primaries: u32) -> [f32; 8] {
    match primaries {
        4 => [0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316],
        5 => [0.64, 0.33, 0.29, 0.60, 0.15, 0.06, 0.3127, 0.3290],
        6 | 7 => [0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290],
        8 => [0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316],
        9 => [0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290],
        10 => [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.3333, 0.3333],
        11 => [0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351],
        12 => [0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290],
        22 => [0.630, 0.340, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.3290],
        _ => [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329],
    }
}

/// The shares of red and blue in luma that follow from the primaries (ISO/IEC 23091-2, equations 32 to 37).
fn shares_by_primaries(primaries: u32) -> [f32; 2] {
    let [rx, ry, gx, gy, bx, by, wx, wy] = places(primaries);
    let [rz, gz, bz, wz] = [[rx, ry], [gx, gy], [bx, by], [wx, wy]].map(|[x, y]| 1.0 - (x + y));
    let all = wy * (rx * (gy * bz - by * gz) + gx * (by * rz - ry * bz) + bx * (ry * gz - gy * rz));
    let red = ry * (wx * (gy * bz - by * gz) + wy * (bx * gz - gx * bz) + wz * (gx * by - bx * gy));
    let blue = by * (wx * (ry * gz - gy * rz) + wy * (gx * rz - rx * gz) + wz * (rx * gy - gx * ry));
    [red / all, blue / all]
}

/// What samples are worth, 0 to 1, and those of chroma about 0.
struct Scale {
    top: u16,
    luma: [f32; 2],
    chroma: [f32; 2],
}

impl Scale {
    fn of(coding: Coding, shape: Shape, mode: Mode) -> Self {
        let excess = shape.depth - 8;
        let top = (256_u16 << excess) - 1;
        let (black, luma, chroma) = if coding.full_range {
            (0_u16, top, top)
        } else {
            (16 << excess, 219 << excess, 224 << excess)
        };
        let luma = [f32::from(black), f32::from(luma)];
        Self {
            top,
            luma,
            chroma: match mode {
                Mode::Identity => luma,
                _ => [f32::from(128_u16 << excess), f32::from(chroma)],
            },
        }
    }

    fn luma(&self, sample: u16) -> f32 {
        (f32::from(sample.min(self.top)) - self.luma[0]) / self.luma[1]
    }

    fn chroma(&self, sample: u16) -> f32 {
        (f32::from(sample.min(self.top)) - self.chroma[0]) / self.chroma[1]
    }
}

/// Converts into `image`, which has the size.
pub(crate) fn convert(
    planes: &Planes<'_>,
    coding: Coding,
    alpha: &Alpha<'_>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let shape = planes.shape();
    let mode = Mode::of(coding, shape)?;
    let scale = Scale::of(coding, shape, mode);
    let multiplied = match alpha {
        Alpha::Multiplied(alpha) => Some(alpha),
        _ => None,
    };
    if multiplied.is_some_and(|alpha| {
        let other = alpha.shape();
        (other.width, other.height) != (shape.width, shape.height)
    }) {
        return Err(mismatch());
    }
    // libavif's fast functions leave the division by alpha to libyuv.
    let fast = match mode {
        Mode::Identity => shape.layout == Layout::Full && shape.depth == 8 && coding.full_range,
        Mode::Shares(_) => matches!(shape.layout, Layout::Full | Layout::Grey),
        _ => false,
    };
    let columns = shape.plane(1).0;
    let mut luma = vec![0_u16; shape.width];
    let mut opacity = vec![0_u16; shape.width];
    let mut chroma = [(); 2].map(|()| [vec![0_u16; columns], vec![0_u16; columns]]);
    for (y, row) in image.pixels.chunks_exact_mut(shape.width * 3).enumerate() {
        planes.read_row(0, y, &mut luma);
        for (plane, [near, far]) in chroma.iter_mut().enumerate() {
            let (own, other) = rows(y, shape);
            if shape.layout != Layout::Grey {
                planes.read_row(plane + 1, own, near);
                planes.read_row(plane + 1, other, far);
            }
        }
        if let Some(alpha) = multiplied.filter(|_| !fast) {
            read_alpha(alpha, y, &mut opacity);
        }
        let (pixels, _) = row.as_chunks_mut::<3>();
        for (x, pixel) in pixels.iter_mut().enumerate() {
            let mut rgb = if shape.layout == Layout::Grey {
                [scale.luma(luma[x]); 3]
            } else {
                let [cb, cr] = [0, 1].map(|plane| sample(&chroma[plane], x, shape, &scale));
                rgb(mode, luma[x], cb, cr, &scale)
            };
            rgb = rgb.map(|value| value.clamp(0.0, 1.0));
            if let Some(alpha) = multiplied.filter(|_| !fast) {
                let top = ((1 << alpha.shape().depth) - 1) as f32;
                let opacity = (f32::from(opacity[x]) / top).clamp(0.0, 1.0);
                rgb = rgb.map(|value| match opacity {
                    0.0 => 0.0,
                    1.0.. => value,
                    _ => (value / opacity).min(1.0),
                });
            }
            *pixel = rgb.map(to_8_bits);
        }
    }
    match multiplied {
        Some(alpha) if fast => divide(image, alpha, true),
        _ => Ok(()),
    }
}

/// The row of chroma of a row of luma, and that on its other side.
fn rows(y: usize, shape: Shape) -> (usize, usize) {
    if shape.layout != Layout::Quarter {
        return (y, y);
    }
    let own = y / 2;
    let edge = y == 0 || y == shape.height - 1 && !y.is_multiple_of(2);
    match y % 2 {
        _ if edge => (own, own),
        0 => (own, own - 1),
        _ => (own, own + 1),
    }
}

/// The chroma of a pixel, from two rows of it.
fn sample([near, far]: &[Vec<u16>; 2], x: usize, shape: Shape, scale: &Scale) -> f32 {
    if shape.layout == Layout::Full {
        return scale.chroma(near[x]);
    }
    let own = x / 2;
    let edge = x == 0 || x == shape.width - 1 && !x.is_multiple_of(2);
    let other = match x % 2 {
        _ if edge => own,
        0 => own - 1,
        _ => own + 1,
    };
    scale.chroma(near[own]) * (9.0 / 16.0)
        + scale.chroma(near[other]) * (3.0 / 16.0)
        + scale.chroma(far[own]) * (3.0 / 16.0)
        + scale.chroma(far[other]) * (1.0 / 16.0)
}

fn rgb(mode: Mode, luma: u16, cb: f32, cr: f32, scale: &Scale) -> [f32; 3] {
    let y = scale.luma(luma);
    match mode {
        Mode::Identity => [cr, y, cb],
        Mode::YCgCo => {
            let rest = y - cb;
            [rest + cr, y + cb, rest - cr]
        }
        Mode::YCgCoRe => {
            #[expect(clippy::cast_possible_truncation, reason = "about as large as a sample")]
            let whole = |chroma: f32| (chroma * f32::from(scale.top) + 0.5).floor() as i32;
            let (cg, co) = (whole(cb), whole(cr));
            let rest = i32::from(luma.min(scale.top)) - (cg >> 1);
            let green = (rest + cg).clamp(0, 255);
            let blue = (rest - (co >> 1)).clamp(0, 255);
            let red = (blue + co).clamp(0, 255);
            [red, green, blue].map(|value| value as f32 / 255.0)
        }
        Mode::Shares([kr, kg, kb]) => [
            y + (2.0 * (1.0 - kr)) * cr,
            y - ((2.0 * ((kr * (1.0 - kr) * cr) + (kb * (1.0 - kb) * cb))) / kg),
            y + (2.0 * (1.0 - kb)) * cb,
        ],
    }
}
