//! 8-bit samples to the model's floating-point input.

use spark_classify_imaging::View;

use super::geometry::Side;
use crate::model::PreprocessorConfig;

/// What becomes of each 8-bit sample in the planes of the input tensor, for engines that normalise pixels themselves:
/// 3 x 256 values, by plane and sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleTable(pub [[f32; 256]; 3]);

impl SampleTable {
    /// The table of this configuration.
    #[must_use]
    pub fn new(config: &PreprocessorConfig) -> Self {
        let Normalizer { values, channels, .. } = Normalizer::new(config);
        Self(channels.map(|channel| values[channel]))
    }
}

/// The value of every sample of every channel, computed once: 3 x 256.
///
/// The arithmetic is that of Hugging Face's image processors: the product with `rescale_factor` in double precision,
/// rounded to single; then minus the mean, over the standard deviation, in single precision. With a factor of 1/255
/// torchvision's `ToTensor` and `Normalize` give the same bits.
#[derive(Debug, Clone)]
pub(super) struct Normalizer {
    /// By the channel of the image.
    values: Box<[[f32; 256]; 3]>,
    /// The channel of the image that each plane of the tensor holds.
    channels: [usize; 3],
    /// The samples, by the channel of the image, where the crop reaches beyond it.
    fill: [u8; 3],
}

impl Normalizer {
    pub(super) fn new(config: &PreprocessorConfig) -> Self {
        let mut values = Box::new([[0.0; 256]; 3]);
        for (channel, values) in values.iter_mut().enumerate() {
            for (sample, value) in (0_u8..=255).zip(values) {
                *value = match config.rescale {
                    Some(rescale) => (f64::from(sample) * rescale.factor) as f32 - rescale.offset,
                    None => f32::from(sample),
                };
                for normalize in &config.normalize {
                    *value = (*value - normalize.mean[channel] as f32) / normalize.std[channel] as f32;
                }
            }
        }
        let channels = if config.bgr { [2, 1, 0] } else { [0, 1, 2] };
        let fill = config.crop.map_or([0; 3], |crop| crop.fill);
        Self { values, channels, fill }
    }

    /// Writes interleaved samples as three planes into `chw`, without normalising them: a [`SampleTable`] does that.
    pub(super) fn write_samples(&self, view: View<'_>, y: &Side, x: &Side, chw: &mut [u8]) {
        let padded = x.axis.window.len() < x.output || y.axis.window.len() < y.output;
        for (plane, channel) in chw.chunks_exact_mut(y.output * x.output).zip(self.channels) {
            if padded {
                plane.fill(self.fill[channel]);
            }
            let rows = plane.chunks_exact_mut(x.output).skip(y.offset);
            for (row, from) in rows.zip(view.rows()) {
                let to = &mut row[x.offset..x.offset + x.axis.window.len()];
                for (sample, pixel) in to.iter_mut().zip(from.chunks_exact(3)) {
                    *sample = pixel[channel];
                }
            }
        }
    }

    /// Writes interleaved samples as three planes into `chw`. Where the crop reaches beyond the image, the sample is
    /// that of the padding before normalisation.
    pub(super) fn write(&self, view: View<'_>, y: &Side, x: &Side, chw: &mut [f32]) {
        let padded = x.axis.window.len() < x.output || y.axis.window.len() < y.output;
        for (plane, channel) in chw.chunks_exact_mut(y.output * x.output).zip(self.channels) {
            let values = &self.values[channel];
            if padded {
                plane.fill(values[usize::from(self.fill[channel])]);
            }
            let rows = plane.chunks_exact_mut(x.output).skip(y.offset);
            for (row, from) in rows.zip(view.rows()) {
                let to = &mut row[x.offset..x.offset + x.axis.window.len()];
                for (value, pixel) in to.iter_mut().zip(from.chunks_exact(3)) {
                    *value = values[usize::from(pixel[channel])];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Normalize, Rescale};

    fn config(factor: Option<f64>, normalize: Option<Normalize>) -> PreprocessorConfig {
        PreprocessorConfig {
            resize: None,
            crop: None,
            rescale: factor.map(|factor| Rescale { factor, offset: 0.0 }),
            normalize: normalize.into_iter().collect(),
            bgr: false,
            data_format: None,
            input_size: (0, 0),
        }
    }

    #[test]
    fn values_are_those_of_torchvision() {
        let normalize = Normalize {
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        };
        let normalizer = Normalizer::new(&config(Some(0.003_921_568_627_450_98), Some(normalize)));
        // T.Normalize(mean, std)(T.ToTensor()(image)) for four samples of each channel.
        let expected: [(usize, [f32; 3]); 4] = [
            (0, [-2.117_904, -2.035_714, -1.804_444_4]),
            (1, [-2.100_779_3, -2.018_207_3, -1.787_015_2]),
            (100, [-0.405_428_6, -0.285_013_97, -0.061_524_976]),
            (255, [2.248_908_3, 2.428_571_5, 2.64]),
        ];
        for (sample, values) in expected {
            for (channel, value) in values.into_iter().enumerate() {
                let actual = normalizer.values[channel][sample];
                assert!(
                    (actual - value).abs() <= 1e-6,
                    "{sample} in {channel}: {actual} is not {value}"
                );
            }
        }
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn steps_that_are_off_leave_the_samples_alone() {
        let normalizer = Normalizer::new(&config(None, None));
        assert_eq!((normalizer.values[0][7], normalizer.values[2][255]), (7.0, 255.0));
        let normalizer = Normalizer::new(&config(Some(0.5), None));
        assert_eq!(normalizer.values[1][7], 3.5);
    }
}
