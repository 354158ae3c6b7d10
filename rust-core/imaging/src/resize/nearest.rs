//! Nearest neighbour, which is not a convolution.

use super::axis::Axis;
use super::filter::Resampling;

/// The input samples of the window's output samples: `ImagingScaleAffine` in Pillow's Geometry.c, or torch's
/// `nearest-exact`, to which the `sides` of the whole output matter, its rows and columns together.
pub(crate) fn inputs(resampling: Resampling, axis: &Axis, sides: usize) -> Vec<usize> {
    if resampling.is_torch() {
        torch_inputs(axis, sides <= TORCH_SMALL)
    } else {
        pillow_inputs(axis)
    }
}

/// The input sample for every output sample of the window. The position is stepped, not multiplied, so that its
/// rounding errors are Pillow's too.
fn pillow_inputs(axis: &Axis) -> Vec<usize> {
    let step = axis.source as f64 / axis.resized as f64;
    let mut position = step * 0.5;
    let mut inputs = Vec::with_capacity(axis.window.len());
    for output in 0..axis.window.end {
        if output >= axis.window.start {
            inputs.push((position as usize).min(axis.source - 1));
        }
        position += step;
    }
    inputs
}

/// The height and width of an output that torch takes for small, together: `_use_vectorized_kernel_cond_2d` in its
/// UpSampleKernel.cpp.
const TORCH_SMALL: usize = 128;

/// The same with torch's rounding errors, which are those of single precision. Its kernel for small outputs multiplies
/// by the scale; the other one takes half a sample off and adds it again, and is compiled to fused multiplications and
/// additions.
fn torch_inputs(axis: &Axis, small: bool) -> Vec<usize> {
    let scale = axis.source as f32 / axis.resized as f32;
    let input = |output: usize| {
        let center = output as f32 + 0.5;
        let position = if small {
            center * scale
        } else {
            center.mul_add(scale, -0.5) + 0.5
        };
        (position as usize).min(axis.source - 1)
    };
    axis.window.clone().map(input).collect()
}
