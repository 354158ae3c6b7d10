//! Which pixels of an image the model sees: resize, then centre crop, worked out one axis at a time.

use std::ops::Range;

use crate::model::{PreprocessorConfig, Size};

/// One axis of the way from an image to the model's input, all in pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    /// The image.
    pub(super) source: usize,
    /// The image after resizing.
    pub(super) resized: usize,
    /// What the crop keeps of it.
    pub(super) window: Range<usize>,
    /// Where the window begins in the output. Beyond the window the output is padded with zeros.
    pub(super) offset: usize,
    /// The output.
    pub(super) output: usize,
}

impl Axis {
    /// Hugging Face's `center_crop`: an odd pixel is cut off at the end, or padded at the beginning.
    fn new(source: usize, resized: usize, crop: Option<usize>) -> Self {
        let output = crop.unwrap_or(resized);
        let (window, offset) = if output <= resized {
            let first = (resized - output) / 2;
            (first..first + output, 0)
        } else {
            (0..resized, (output - resized).div_ceil(2))
        };
        Self {
            source,
            resized,
            window,
            offset,
            output,
        }
    }
}

/// The vertical and the horizontal axis for an image of this size.
pub(super) fn axes(config: &PreprocessorConfig, height: usize, width: usize) -> (Axis, Axis) {
    let (resized_height, resized_width) = match config.resize.map(|resize| resize.size) {
        None => (height, width),
        Some(Size::Exact { height, width }) => (height, width),
        Some(Size::ShortestEdge(edge)) => {
            // The longer side is cut to an integer, as Python's int() does.
            if width <= height {
                (edge * height / width, edge)
            } else {
                (edge, edge * width / height)
            }
        }
    };
    (
        Axis::new(height, resized_height, config.crop.map(|(height, _)| height)),
        Axis::new(width, resized_width, config.crop.map(|(_, width)| width)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Resampling, Resize};

    fn config(size: Option<Size>, crop: Option<(usize, usize)>) -> PreprocessorConfig {
        PreprocessorConfig {
            resize: size.map(|size| Resize {
                size,
                resampling: Resampling::Bilinear,
            }),
            crop,
            rescale: None,
            normalize: None,
            input_size: (0, 0),
        }
    }

    fn shape(axis: &Axis) -> (usize, Range<usize>, usize, usize) {
        (axis.resized, axis.window.clone(), axis.offset, axis.output)
    }

    #[test]
    fn exact_size_ignores_the_aspect_ratio() {
        let (y, x) = axes(&config(Some(Size::Exact { height: 30, width: 20 }), None), 375, 600);
        assert_eq!((y.source, x.source), (375, 600));
        assert_eq!(shape(&y), (30, 0..30, 0, 30));
        assert_eq!(shape(&x), (20, 0..20, 0, 20));
    }

    #[test]
    fn shortest_edge_keeps_the_aspect_ratio_and_cuts_the_fraction() {
        let config = config(Some(Size::ShortestEdge(224)), Some((224, 224)));
        let (y, x) = axes(&config, 375, 601);
        assert_eq!(shape(&y), (224, 0..224, 0, 224));
        // 224 * 601 / 375 = 358.99; (358 - 224) / 2 = 67
        assert_eq!(shape(&x), (358, 67..291, 0, 224));
        let (y, x) = axes(&config, 601, 375);
        assert_eq!((y.resized, x.resized), (358, 224));
    }

    #[test]
    fn crop_drops_the_odd_pixel_at_the_end_and_pads_it_at_the_beginning() {
        let (y, x) = axes(&config(None, Some((4, 8))), 7, 5);
        assert_eq!(shape(&y), (7, 1..5, 0, 4));
        assert_eq!(shape(&x), (5, 0..5, 2, 8));
    }
}
