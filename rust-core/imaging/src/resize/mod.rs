//! Resizing with the bytes of Pillow's `Image.resize`, or of torchvision's `resize` of 8-bit tensors.
//!
//! Pillow convolves in two passes with weights in fixed point, and rounds to 8 bits after each. A pass whose size does
//! not change is left out. The order of the passes shows in the result: Pillow goes along the rows first unless the
//! height shrinks by more than twice as many pixels as the width, a rule it has since version 13. Nearest neighbour is
//! no convolution but goes Pillow's other way, its affine transform. Only the rows and columns that the crop keeps are
//! computed.
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
#[cfg(target_arch = "x86_64")]
mod split;
pub(crate) mod view;
mod weights;

use self::axis::Axis;
use self::convolve::{resize_height, resize_width};
use self::filter::Resampling;
use self::instructions::InstructionSet;
use self::nearest::nearest;
use self::view::View;
use self::weights::WeightsCache;
use crate::error::ImageError;
use crate::image::RgbImage;

/// Buffers for resizing.
#[derive(Debug, Default)]
pub(crate) struct Resizer {
    pub(crate) instructions: InstructionSet,
    weights: WeightsCache,
    first_pass: Vec<u8>,
    second_pass: Vec<u8>,
}

impl Resizer {
    /// The bytes that [`resize`](Self::resize) takes at most for these axes: the first pass keeps one side of the
    /// image, the second has the size of the window, and both have weights.
    pub(crate) fn memory(resampling: Resampling, y: &Axis, x: &Axis) -> u64 {
        let (window_y, window_x) = (y.window.len() as u64, x.window.len() as u64);
        let first = (y.source as u64 * window_x).max(window_y * x.source as u64);
        let weights = WeightsCache::memory(resampling, y) + WeightsCache::memory(resampling, x);
        (first + window_y * window_x) * 3 + weights
    }

    /// Resizes `image` and keeps the windows of both axes.
    pub(crate) fn resize<'a>(
        &'a mut self,
        image: &'a RgbImage,
        resampling: Resampling,
        y: &Axis,
        x: &Axis,
    ) -> Result<View<'a>, ImageError> {
        let same_size = (y.source, x.source) == (y.resized, x.resized);
        if matches!(resampling, Resampling::Nearest | Resampling::TorchNearest) && !same_size {
            return nearest(image, resampling, y, x, &mut self.first_pass);
        }
        let vertical = self.weights.get(resampling, y);
        let horizontal = self.weights.get(resampling, x);
        let rows = vertical.as_ref().map_or(y.window.clone(), |weights| weights.inputs());
        let columns = horizontal.as_ref().map_or(x.window.clone(), |weights| weights.inputs());
        let mut view = View::of(image).crop(&rows, &columns);
        if vertical_first(y, x) && !resampling.is_torch() {
            if let Some(weights) = &vertical {
                view = resize_height(view, weights, self.instructions, &mut self.first_pass)?;
            }
            if let Some(weights) = &horizontal {
                view = resize_width(view, weights, self.instructions, &mut self.second_pass)?;
            }
        } else {
            if let Some(weights) = &horizontal {
                view = resize_width(view, weights, self.instructions, &mut self.first_pass)?;
            }
            if let Some(weights) = &vertical {
                view = resize_height(view, weights, self.instructions, &mut self.second_pass)?;
            }
        }
        Ok(view)
    }

    /// The buffers, which may be emptied between two images.
    pub(crate) fn buffers(&mut self) -> [&mut Vec<u8>; 2] {
        [&mut self.first_pass, &mut self.second_pass]
    }
}

/// The rule of Pillow 13 for the order of the passes.
fn vertical_first(y: &Axis, x: &Axis) -> bool {
    let shrunk = |axis: &Axis| axis.source as i64 - axis.resized as i64;
    shrunk(y) > 0 && shrunk(y) > 2 * shrunk(x)
}
