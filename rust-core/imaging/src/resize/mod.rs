//! Resizing with the bytes of Pillow's `Image.resize`, or of torchvision's `resize` of 8-bit tensors.
//!
//! Pillow convolves in two passes with weights in fixed point, and rounds to 8 bits after each. A pass whose size does
//! not change is left out. The order of the passes shows in the result: Pillow goes along the rows first unless the
//! height shrinks by more than twice as many pixels as the width, a rule it has since version 13. Nearest neighbour is
//! no convolution but goes Pillow's other way, its affine transform. Only the rows and columns that the crop keeps are
//! computed, and the image's rows may come in strips, so that it never has to be in memory as a whole (`passes`).
//!
//! torch does the same with other weights, goes along the rows first always, and has a nearest neighbour of its own.
//! Its bytes are those of its kernels for AVX2 and AVX-512: elsewhere torchvision resizes in floating point, which
//! gives others.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod axis;
#[cfg(target_arch = "x86_64")]
mod bytes;
mod convolve;
#[cfg(target_arch = "x86_64")]
mod ends;
pub(crate) mod filter;
mod fixed;
pub(crate) mod instructions;
mod nearest;
mod passes;
#[cfg(target_arch = "x86_64")]
mod split;
pub(crate) mod view;
mod way;
mod weights;

use self::axis::Axis;
use self::filter::Resampling;
use self::instructions::InstructionSet;
pub(crate) use self::passes::{strip_rows, Passes};
use self::passes::{Buffers, Plan};
use self::view::View;
use self::way::Way;
use self::weights::WeightsCache;
use crate::error::ImageError;
use crate::image::RgbImage;
use crate::orientation::{reverses_columns, reverses_rows, swaps_axes};

/// Buffers for resizing.
#[derive(Debug, Default)]
pub(crate) struct Resizer {
    pub(crate) instructions: InstructionSet,
    weights: WeightsCache,
    buffers: Buffers,
}

impl Resizer {
    /// The bytes that resizing takes at most for these axes of the upright image, beyond the image or its strips.
    pub(crate) fn memory(resampling: Resampling, y: &Axis, x: &Axis, orientation: u8) -> u64 {
        let (rows, columns) = if swaps_axes(orientation) { (x, y) } else { (y, x) };
        let same_columns = columns.source == columns.resized;
        let plan = Plan {
            columns: columns.source,
            row_outputs: columns.window.len(),
            outputs: rows.window.len() * columns.window.len(),
            widest: WeightsCache::widest(resampling, rows),
            columns_first: same_columns || columns_first(resampling, y, x, orientation),
            orientation,
        };
        let picked = (y.window.len() + x.window.len()) * size_of::<usize>();
        let weights = WeightsCache::memory(resampling, y) + WeightsCache::memory(resampling, x);
        plan.memory() + weights + picked as u64
    }

    /// Begins to resize an image that is stored with this orientation. The axes are those of the upright image, of
    /// which their windows are kept.
    pub(crate) fn begin(
        &mut self,
        resampling: Resampling,
        y: &Axis,
        x: &Axis,
        orientation: u8,
    ) -> Result<Passes<'_>, ImageError> {
        let same_size = (y.source, x.source) == (y.resized, x.resized);
        let nearest = matches!(resampling, Resampling::Nearest | Resampling::TorchNearest) && !same_size;
        let mut way = |axis: &Axis, mirrored| {
            if nearest {
                let inputs = nearest::inputs(resampling, axis, y.resized + x.resized);
                Way::pick(inputs, axis.source, mirrored)
            } else {
                let weights = self.weights.get(resampling, axis, mirrored);
                weights.map_or_else(|| Way::keep(axis, mirrored), Way::Weigh)
            }
        };
        let (rows, columns) = if swaps_axes(orientation) { (x, y) } else { (y, x) };
        let down = way(rows, reverses_rows(orientation));
        let across = way(columns, reverses_columns(orientation));
        let columns_first = columns_first(resampling, y, x, orientation);
        Passes::new(
            down,
            across,
            columns_first,
            (rows.source, columns.source),
            orientation,
            self.instructions,
            &mut self.buffers,
        )
    }

    /// Resizes an `image` that is stored with this orientation. The axes are those of the upright image, of which their
    /// windows are kept.
    pub(crate) fn resize(
        &mut self,
        image: &RgbImage,
        orientation: u8,
        resampling: Resampling,
        y: &Axis,
        x: &Axis,
    ) -> Result<View<'_>, ImageError> {
        let mut passes = self.begin(resampling, y, x, orientation)?;
        passes.push_all(View::of(image));
        Ok(passes.finish())
    }

    /// The buffers, which may be emptied between two images.
    pub(crate) fn buffers(&mut self) -> [&mut Vec<u8>; 4] {
        self.buffers.all()
    }
}

/// Whether the pass that combines columns, as they are stored, comes before the one that combines rows.
fn columns_first(resampling: Resampling, y: &Axis, x: &Axis, orientation: u8) -> bool {
    let rows_of_upright_first = vertical_first(y, x) && !resampling.is_torch();
    rows_of_upright_first == swaps_axes(orientation)
}

/// The rule of Pillow 13 for the order of the passes.
fn vertical_first(y: &Axis, x: &Axis) -> bool {
    let shrunk = |axis: &Axis| axis.source as i64 - axis.resized as i64;
    shrunk(y) > 0 && shrunk(y) > 2 * shrunk(x)
}
