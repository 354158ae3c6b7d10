//! Resizing against a plain reading of Pillow's description of it, for random sizes, filters and crops.
//!
//! The reference computes every output sample on its own, with exact integers and no buffers; it shares nothing with
//! the crate but the list of filters.

use std::f64::consts::PI;
use std::io::Cursor;
use std::iter::successors;

use crate::preprocessing::samples;
use proptest::prelude::{any, prop_assert_eq, proptest, ProptestConfig, Strategy};
use proptest::test_runner::FileFailurePersistence;
use spark_classify_imaging::ImageLimits;
use spark_classify_testing::Random;

/// The number in `preprocessor_config.json`, the radius, and the function.
type Filter = (u32, f64, fn(f64) -> f64);

/// Number 0 takes the nearest pixel and has no function.
const NEAREST: Filter = (0, 0.0, |_| 0.0);

const FILTERS: [Filter; 6] = [
    NEAREST,
    (1, 3.0, |x| if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }),
    (2, 1.0, |x| (1.0 - x.abs()).max(0.0)),
    (3, 2.0, |x| {
        let x = x.abs();
        match x {
            ..1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            ..2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
            _ => 0.0,
        }
    }),
    (4, 0.5, |x| f64::from(u8::from(-0.5 < x && x <= 0.5))),
    (5, 1.0, |x| {
        if x.abs() < 1.0 {
            sinc(x) * (f64::from(0.54_f32) + f64::from(0.46_f32) * (x * PI).cos())
        } else {
            0.0
        }
    }),
];

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        1.0
    } else {
        (x * PI).sin() / (x * PI)
    }
}

/// An image as rows of columns of RGB.
type Pixels = Vec<Vec<[u8; 3]>>;

/// Resizes each row. An output sample is the mean of the input within the filter's radius, which grows with the
/// reduction; weights are rounded to 22 binary places, and the mean to an integer.
fn resize_rows(image: &Pixels, width: usize, (_, radius, function): Filter) -> Pixels {
    let source = image[0].len();
    if source == width {
        return image.clone();
    }
    let scale = source as f64 / width as f64;
    if radius == 0.0 {
        // Pillow adds up the positions.
        let next = |at: &f64| Some(at + scale);
        let positions: Vec<_> = successors(Some(scale * 0.5), next).take(width).collect();
        let pick = |row: &Vec<[u8; 3]>| positions.iter().map(|at| row[*at as usize]).collect();
        return image.iter().map(pick).collect();
    }
    let stretch = scale.max(1.0);
    let columns: Vec<(usize, Vec<i64>)> = (0..width)
        .map(|column| {
            let center = (column as f64 + 0.5) * scale;
            let first = (center - radius * stretch + 0.5).max(0.0) as usize;
            let last = ((center + radius * stretch + 0.5) as usize).min(source);
            let weights: Vec<f64> = (first..last)
                .map(|input| function((input as f64 - center + 0.5) * (1.0 / stretch)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = weights
                .iter()
                .map(|weight| (weight / sum * f64::from(1 << 22)).round() as i64);
            (first, fixed.collect())
        })
        .collect();
    let mean = |row: &Vec<[u8; 3]>, (first, weights): &(usize, Vec<i64>)| {
        [0, 1, 2].map(|channel| {
            let products = weights
                .iter()
                .zip(&row[*first..])
                .map(|(weight, pixel)| weight * i64::from(pixel[channel]));
            ((products.sum::<i64>() + (1 << 21)) >> 22).clamp(0, 255) as u8
        })
    };
    image
        .iter()
        .map(|row| columns.iter().map(|column| mean(row, column)).collect())
        .collect()
}

fn transposed(image: &Pixels) -> Pixels {
    (0..image[0].len())
        .map(|x| image.iter().map(|row| row[x]).collect())
        .collect()
}

/// Rows come first unless the height shrinks by more than twice as many pixels as the width (Pillow 13).
fn resize(image: &Pixels, width: usize, height: usize, filter: Filter) -> Pixels {
    let rows = |image: &Pixels| resize_rows(image, width, filter);
    let columns = |image: &Pixels| transposed(&resize_rows(&transposed(image), height, filter));
    let shrinks = |from: usize, to: usize| from as i64 - to as i64;
    let (down, across) = (shrinks(image.len(), height), shrinks(image[0].len(), width));
    if down > 0 && down > 2 * across {
        rows(&columns(image))
    } else {
        columns(&rows(image))
    }
}

/// The middle of the image, with black around it where it is too small.
fn center_crop(image: &Pixels, width: usize, height: usize) -> Pixels {
    let from = |size: usize, wanted: usize| {
        let offset = if wanted <= size {
            (size - wanted) / 2
        } else {
            (wanted - size).div_ceil(2)
        };
        move |position: usize| {
            if wanted <= size {
                Some(position + offset)
            } else {
                position.checked_sub(offset).filter(|position| *position < size)
            }
        }
    };
    let (row_of, column_of) = (from(image.len(), height), from(image[0].len(), width));
    (0..height)
        .map(|y| {
            let pixel = |x| Some(image[row_of(y)?][column_of(x)?]);
            (0..width).map(|x| pixel(x).unwrap_or([0; 3])).collect()
        })
        .collect()
}

/// Noise, or black and white, which makes filters overshoot.
fn image() -> impl Strategy<Value = Pixels> {
    (1..70_usize, 1..70_usize, any::<u64>(), any::<bool>()).prop_map(|(width, height, seed, hard)| {
        let mut random = Random::new(seed);
        let mut sample = || if hard { random.extreme() } else { random.byte() };
        (0..height)
            .map(|_| (0..width).map(|_| [sample(), sample(), sample()]).collect())
            .collect()
    })
}

fn png(image: &Pixels) -> Vec<u8> {
    let pixels = image.iter().flatten().flatten().copied().collect();
    let image = image::RgbImage::from_raw(image[0].len() as u32, image.len() as u32, pixels).unwrap();
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, image::ImageFormat::Png).unwrap();
    file.into_inner()
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::with_cases(500)
    })]

    #[test]
    fn resizing_and_cropping_is_what_pillow_describes(
        image in image(),
        (width, height) in (1..90_usize, 1..90_usize),
        crop in (1..100_usize, 1..100_usize),
        filter in 0..FILTERS.len(),
    ) {
        let filter = FILTERS[filter];
        let fields = format!(
            r#""size": {{"height": {height}, "width": {width}}}, "resample": {}, "do_center_crop": true,
            "crop_size": {{"height": {}, "width": {}}}"#,
            filter.0, crop.1, crop.0
        );
        let actual = samples(&fields, ImageLimits::default(), &png(&image)).unwrap();
        let expected = center_crop(&resize(&image, width, height, filter), crop.0, crop.1);
        let expected: Vec<u8> = expected.into_iter().flatten().flatten().collect();
        prop_assert_eq!(actual, expected);
    }
}
