//! RGB of luma and chroma, with the numbers that libavif gets in Pillow: most images go through libyuv's integers, of
//! which those of its code for x86 count, and what libyuv cannot do through libavif's own arithmetic.

use super::alpha::{divide, narrowed, Alpha};
use super::float;
use super::planes::Planes;
use super::shape::{Coding, Layout, Shape};
use crate::error::ImageError;
use crate::image::RgbImage;

/// The numbers of `struct YuvConstants` (libyuv's `row_common.cc`): 64ths, those of luma with 16 bits.
struct Matrix {
    luma: u32,
    bias: i32,
    blue_of_u: i32,
    green_of_u: i32,
    green_of_v: i32,
    red_of_v: i32,
}

impl Matrix {
    /// `None` for what libyuv has no numbers of, by libavif's `getLibYUVConstants`.
    fn of(coding: Coding, layout: Layout) -> Option<Self> {
        let (full, bt_601, bt_709, bt_2020) = (coding.full_range, 6, 1, 9);
        let standard = match (coding.matrix, coding.primaries) {
            (0, _) if layout == Layout::Grey => bt_601,
            (2 | 5 | 6, _) | (12, 5 | 6) => bt_601,
            (1, _) | (12, 1 | 2) => bt_709,
            (9, _) | (12, 9) => bt_2020,
            _ => return None,
        };
        let [blue_of_u, green_of_u, green_of_v, red_of_v] = match (standard, full) {
            (6, true) => [113, 22, 46, 90],
            (6, false) => [128, 25, 52, 102],
            (1, true) => [119, 12, 30, 101],
            (1, false) => [128, 14, 34, 115],
            (_, true) => [120, 11, 37, 94],
            (_, false) => [128, 12, 42, 107],
        };
        let (luma, bias) = match (standard, full) {
            (_, true) => (16_320, 32),
            (9, false) => (19_003, -1160),
            (_, false) => (18_997, -1160),
        };
        Some(Self {
            luma,
            bias,
            blue_of_u,
            green_of_u,
            green_of_v,
            red_of_v,
        })
    }

    /// Of a luma of 16 bits and chroma of 8.
    fn rgb(&self, luma: u32, u: u16, v: u16) -> [u8; 3] {
        let luma = ((luma * self.luma) >> 16).cast_signed() + self.bias;
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        #[expect(clippy::cast_sign_loss, reason = "it is between 0 and 255")]
        let channel = |value: i32| (value >> 6).clamp(0, 255) as u8;
        [
            channel(luma + v * self.red_of_v),
            channel(luma - (u * self.green_of_u + v * self.green_of_v)),
            channel(luma + u * self.blue_of_u),
        ]
    }
}

/// How libyuv takes samples of more than 8 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// They become 8 bits first.
    Narrowed,
    /// Chroma becomes 8 bits after it has been interpolated, luma counts with all its bits.
    Kept,
    /// As before, but chroma is not interpolated.
    KeptNearest,
}

impl Depth {
    /// Which of its functions libavif chooses (`getLibYUVConversionFunction`).
    fn of(shape: Shape, alpha: &Alpha<'_>) -> Self {
        match (alpha, shape.depth, shape.layout) {
            (Alpha::None, ..) | (_, _, Layout::Grey) => Self::Narrowed,
            (_, 10, _) => Self::Kept,
            (_, 12, Layout::Quarter) => Self::KeptNearest,
            _ => Self::Narrowed,
        }
    }
}

/// Converts into `image`.
pub(crate) fn convert(
    planes: &Planes<'_>,
    coding: Coding,
    alpha: &Alpha<'_>,
    image: &mut RgbImage,
) -> Result<(), ImageError> {
    let shape = planes.shape();
    image.reset(shape.width, shape.height)?;
    let matrix = Matrix::of(coding, shape.layout);
    // To libavif a grey image without alpha has no colours, which libyuv has no function for.
    let grey = shape.layout == Layout::Grey && matches!(alpha, Alpha::None);
    let Some(matrix) = matrix.filter(|_| !grey) else {
        return float::convert(planes, coding, alpha, image);
    };
    let depth = Depth::of(shape, alpha);
    integers(planes, &matrix, depth, image);
    if let Alpha::Multiplied(alpha) = alpha {
        let rounded = shape.layout == Layout::Grey || depth == Depth::KeptNearest;
        divide(image, alpha, rounded)?;
    }
    Ok(())
}

fn integers(planes: &Planes<'_>, matrix: &Matrix, depth: Depth, image: &mut RgbImage) {
    let shape = planes.shape();
    let excess = shape.depth - 8;
    let narrow = |samples: &mut [u16], wanted: bool| {
        if wanted && excess > 0 {
            for sample in samples {
                *sample = narrowed(*sample, excess);
            }
        }
    };
    let first = depth == Depth::Narrowed;
    let mut luma = vec![0_u16; shape.width];
    let mut chroma = [vec![128_u16; shape.width], vec![128_u16; shape.width]];
    let columns = shape.plane(1).0;
    let (mut near, mut far) = (vec![0_u16; columns], vec![0_u16; columns]);
    for (y, row) in image.pixels.chunks_exact_mut(shape.width * 3).enumerate() {
        planes.read_row(0, y, &mut luma);
        narrow(&mut luma, first);
        for (index, chroma) in chroma.iter_mut().enumerate() {
            let plane = index + 1;
            match shape.layout {
                Layout::Grey => continue,
                Layout::Full => {
                    planes.read_row(plane, y, chroma);
                    narrow(chroma, first);
                }
                Layout::Half => {
                    planes.read_row(plane, y, &mut near);
                    narrow(&mut near, first);
                    widen(&near, &near, chroma);
                }
                Layout::Quarter if depth == Depth::KeptNearest => {
                    planes.read_row(plane, y / 2, &mut near);
                    for (x, sample) in chroma.iter_mut().enumerate() {
                        *sample = near[x / 2];
                    }
                }
                Layout::Quarter => {
                    planes.read_row(plane, y / 2, &mut near);
                    planes.read_row(plane, neighbour(y, shape), &mut far);
                    narrow(&mut near, first);
                    narrow(&mut far, first);
                    widen(&near, &far, chroma);
                }
            }
            narrow(chroma, !first);
        }
        let [u, v] = &chroma;
        let samples = luma.iter().zip(u.iter().zip(v));
        let (pixels, _) = row.as_chunks_mut::<3>();
        for (pixel, (luma, (u, v))) in pixels.iter_mut().zip(samples) {
            let luma = u32::from(*luma);
            let luma = match (first, shape.depth) {
                (true, _) | (_, 8) => luma * 0x0101,
                (_, 10) => luma << 6 | luma >> 4,
                _ => luma << 4 | luma >> 8,
            };
            *pixel = matrix.rgb(luma, *u, *v);
        }
    }
}

/// The row of chroma that lies on the other side of this row of luma than its own one, or its own one at an edge.
fn neighbour(y: usize, shape: Shape) -> usize {
    let last = shape.plane(1).1 - 1;
    match y % 2 {
        0 => (y / 2).saturating_sub(1),
        _ => (y / 2 + 1).min(last),
    }
}

/// Twice as many samples, interpolated between two rows, of which the first is nearer, and within them (libyuv's
/// `ScaleRowUp2_Bilinear`; of one row, its `ScaleRowUp2_Linear`).
fn widen(near: &[u16], far: &[u16], wide: &mut [u16]) {
    // 16 times a sample of 12 bits has 16 bits.
    let column = |x: usize| near[x] * 3 + far[x];
    let edge = |x: usize| (column(x) + 2) >> 2;
    let last = wide.len() - 1;
    wide[0] = edge(0);
    for (x, pair) in wide[1..].chunks_exact_mut(2).enumerate() {
        // At the right edge of an even number of samples there is nothing to go on to.
        let (left, right) = (column(x), column(x + 1));
        pair[0] = (left * 3 + right + 8) >> 4;
        pair[1] = (left + right * 3 + 8) >> 4;
    }
    wide[last] = edge(last / 2);
}
