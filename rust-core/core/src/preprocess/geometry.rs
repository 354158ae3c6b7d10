//! Which pixels of an image the model sees: resize, then centre crop, worked out one axis at a time.

use spark_classify_imaging::Axis;

use crate::model::{CropConvention, PreprocessorConfig, Size};

/// One axis of the way from an image to the model's input, all in pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Side {
    /// The resize, of which the crop keeps the window.
    pub(super) axis: Axis,
    /// Where the window begins in the output. Beyond the window the output is padded with zeros.
    pub(super) offset: usize,
    /// The output.
    pub(super) output: usize,
}

impl Side {
    fn new(source: usize, resized: usize, crop: Option<(usize, CropConvention)>) -> Self {
        let (output, convention) = crop.unwrap_or((resized, CropConvention::HuggingFace));
        let (window, offset) = if output <= resized {
            let first = match convention {
                CropConvention::HuggingFace => (resized - output) / 2,
                CropConvention::Torchvision => half_to_even(resized - output),
            };
            (first..first + output, 0)
        } else {
            let offset = match convention {
                CropConvention::HuggingFace => (output - resized).div_ceil(2),
                CropConvention::Torchvision => (output - resized) / 2,
            };
            (0..resized, offset)
        };
        let axis = Axis {
            source,
            resized,
            window,
        };
        Self { axis, offset, output }
    }
}

/// Half of `number`, rounded as Python's `round` does: a half goes to the even neighbour.
fn half_to_even(number: usize) -> usize {
    (number as f64 / 2.0).round_ties_even() as usize
}

/// The vertical and the horizontal axis for an image of this size.
pub(super) fn sides(config: &PreprocessorConfig, height: usize, width: usize) -> (Side, Side) {
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
        Some(Size::BoundedEdge { shortest, longest }) => bounded(height, width, shortest, longest),
        Some(Size::Within {
            height: most_rows,
            width: most_columns,
        }) => within(height, width, most_rows, most_columns),
        Some(Size::Fitting {
            height: rows,
            width: columns,
        }) => scaled(height, width, rows, columns, f64::max),
        Some(Size::Covering {
            height: rows,
            width: columns,
        }) => scaled(height, width, rows, columns, f64::min),
    };
    let crop = config.crop;
    (
        Side::new(height, resized_height, crop.map(|crop| (crop.height, crop.convention))),
        Side::new(width, resized_width, crop.map(|crop| (crop.width, crop.convention))),
    )
}

/// transformers' `get_size_with_aspect_ratio`: the shorter side is rounded, the longer one computed from its exact
/// length and cut. One pixel remains of a side so short that there would be none, where transformers fails.
fn bounded(height: usize, width: usize, shortest: usize, longest: usize) -> (usize, usize) {
    let (short, long) = (height.min(width), height.max(width));
    let mut edge = shortest;
    let mut exact_edge = shortest as f64;
    if long as f64 / short as f64 * shortest as f64 > longest as f64 {
        exact_edge = (longest * short) as f64 / long as f64;
        edge = exact_edge.round_ties_even() as usize;
    }
    if short == edge {
        return (height, width);
    }
    let other = (exact_edge * long as f64 / short as f64) as usize;
    let (edge, other) = (edge.max(1), other.max(1));
    if width < height {
        (other, edge)
    } else {
        (edge, other)
    }
}

/// transformers' `get_image_size_for_max_height_width`. One pixel remains of a side so short that there would be none,
/// where transformers fails.
fn within(height: usize, width: usize, most_rows: usize, most_columns: usize) -> (usize, usize) {
    let scale = (most_rows as f64 / height as f64).min(most_columns as f64 / width as f64);
    let cut = |side: usize| ((side as f64 * scale) as usize).max(1);
    (cut(height), cut(width))
}

/// timm's `ResizeKeepRatio`: the image over the larger of the two ratios, or over the smaller. One pixel remains here,
/// too.
fn scaled(height: usize, width: usize, rows: usize, columns: usize, choose: fn(f64, f64) -> f64) -> (usize, usize) {
    let ratio = choose(height as f64 / rows as f64, width as f64 / columns as f64);
    let rounded = |side: usize| ((side as f64 / ratio).round_ties_even() as usize).max(1);
    (rounded(height), rounded(width))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use spark_classify_imaging::Resampling;

    use super::*;
    use crate::model::{Crop, Resize};

    fn config(size: Option<Size>, crop: Option<(usize, usize)>) -> PreprocessorConfig {
        PreprocessorConfig {
            resize: size.map(|size| Resize {
                size,
                resampling: Resampling::Bilinear,
            }),
            crop: crop.map(|(height, width)| Crop {
                height,
                width,
                convention: CropConvention::HuggingFace,
                fill: [0; 3],
            }),
            rescale: None,
            normalize: Vec::new(),
            bgr: false,
            data_format: None,
            input_size: (0, 0),
        }
    }

    fn shape(side: &Side) -> (usize, Range<usize>, usize, usize) {
        (side.axis.resized, side.axis.window.clone(), side.offset, side.output)
    }

    #[test]
    fn exact_size_ignores_the_aspect_ratio() {
        let (y, x) = sides(&config(Some(Size::Exact { height: 30, width: 20 }), None), 375, 600);
        assert_eq!((y.axis.source, x.axis.source), (375, 600));
        assert_eq!(shape(&y), (30, 0..30, 0, 30));
        assert_eq!(shape(&x), (20, 0..20, 0, 20));
    }

    #[test]
    fn shortest_edge_keeps_the_aspect_ratio_and_cuts_the_fraction() {
        let config = config(Some(Size::ShortestEdge(224)), Some((224, 224)));
        let (y, x) = sides(&config, 375, 601);
        assert_eq!(shape(&y), (224, 0..224, 0, 224));
        // 224 * 601 / 375 = 358.99; (358 - 224) / 2 = 67
        assert_eq!(shape(&x), (358, 67..291, 0, 224));
        let (y, x) = sides(&config, 601, 375);
        assert_eq!((y.axis.resized, x.axis.resized), (358, 224));
    }

    #[test]
    fn crop_drops_the_odd_pixel_at_the_end_and_pads_it_at_the_beginning() {
        let (y, x) = sides(&config(None, Some((4, 8))), 7, 5);
        assert_eq!(shape(&y), (7, 1..5, 0, 4));
        assert_eq!(shape(&x), (5, 0..5, 2, 8));
    }

    #[test]
    fn torchvision_rounds_the_margin_to_even_and_pads_the_odd_pixel_at_the_end() {
        let window = |resized| {
            Side::new(resized, resized, Some((4, CropConvention::Torchvision)))
                .axis
                .window
        };
        // Margins of 0.5, 1.5, 2.5 and 2.
        assert_eq!([window(5), window(7), window(9), window(8)], [0..4, 2..6, 2..6, 2..6]);
        let padded = Side::new(5, 5, Some((8, CropConvention::Torchvision)));
        assert_eq!((padded.axis.window, padded.offset), (0..5, 1));
    }

    #[test]
    fn sizes_within_a_frame_agree_with_transformers() {
        // get_image_size_for_max_height_width((height, width), 50, 80)
        for ((height, width), expected) in [
            ((100, 200), (40, 80)),
            ((60, 45), (50, 37)),
            ((10, 7), (50, 35)),
            ((1, 1000), (1, 80)),
        ] {
            assert_eq!(within(height, width, 50, 80), expected, "{height} x {width}");
        }
    }

    #[test]
    fn sizes_about_a_frame_agree_with_timm() {
        // ResizeKeepRatio.get_params(image, (33, 44), longest) of images of this height and width
        for ((height, width), fitting, covering) in [
            ((60, 90), (29, 44), (33, 50)),
            ((90, 60), (33, 22), (66, 44)),
            ((5, 5), (33, 33), (44, 44)),
            ((1, 1000), (1, 44), (33, 33_000)),
        ] {
            assert_eq!(scaled(height, width, 33, 44, f64::max), fitting, "{height} x {width}");
            assert_eq!(scaled(height, width, 33, 44, f64::min), covering, "{height} x {width}");
        }
    }

    #[test]
    fn a_bounded_edge_agrees_with_transformers() {
        // get_size_with_aspect_ratio((height, width), 800, 1333) of transformers 5.23
        for ((height, width), expected) in [
            ((480, 640), (800, 1066)),
            ((640, 480), (1066, 800)),
            ((480, 1000), (640, 1333)),
            ((1000, 479), (1333, 639)),
            ((800, 900), (800, 900)),
            ((427, 640), (800, 1199)),
            ((3, 10_000), (1, 1333)),
        ] {
            assert_eq!(bounded(height, width, 800, 1333), expected, "{height} x {width}");
        }
    }
}
