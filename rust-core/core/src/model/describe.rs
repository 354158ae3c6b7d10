//! What a model directory says, in words for people.

use std::fmt;

use spark_classify_imaging::Resampling;

use super::directory::ModelDirectory;
use super::output_kind::OutputKind;
use super::preprocessor_config::{Crop, DataFormat, Normalize, PreprocessorConfig, Rescale, Resize, Size};

/// How many class names are shown.
const SHOWN_LABELS: usize = 5;

/// What is done to an image, and which classes there are.
impl fmt::Display for ModelDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "An image becomes the model's input:")?;
        for (number, step) in (1..).zip(self.preprocessor().steps()) {
            writeln!(f, "  {number}. {step}")?;
        }
        match self.labels() {
            Ok(labels) => {
                // Debug shows what would control a terminal.
                let shown: Vec<_> = labels
                    .iter()
                    .take(SHOWN_LABELS)
                    .map(|label| format!("{label:?}"))
                    .collect();
                let more = if labels.len() > SHOWN_LABELS { ", ..." } else { "" };
                writeln!(f, "Classes: {}: {}{more}", labels.len(), shown.join(", "))?;
            }
            Err(error) => writeln!(f, "Classes: none: {error}")?,
        }
        for note in self.notes() {
            writeln!(f, "Note: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for OutputKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logits => "logits, of which softmax makes probabilities",
            Self::IndependentLogits => {
                "logits of classes of which an image may have any number: sigmoid makes a probability of each"
            }
            Self::Probabilities | Self::IndependentProbabilities => "probabilities already; nothing is applied to them",
        })
    }
}

impl PreprocessorConfig {
    /// The steps from an image file to the model's input, in their order, a sentence each.
    #[must_use]
    pub fn steps(&self) -> Vec<String> {
        let mut steps = vec!["decode to RGB: alpha is dropped, a colour profile is not applied".to_owned()];
        steps.extend(self.resize.map(|resize| resize.to_string()));
        steps.extend(self.crop.map(|crop| crop.to_string()));
        steps.push(self.rescale.map_or_else(
            || "leave the samples at 0 to 255".to_owned(),
            |rescale| rescale.to_string(),
        ));
        steps.extend(self.normalize.iter().map(Normalize::to_string));
        if self.bgr {
            steps.push("swap the channels: blue, green, red".to_owned());
        }
        let (height, width) = self.input_size();
        let first = format!("[batch, 3, {height}, {width}]");
        let last = format!("[batch, {height}, {width}, 3]");
        steps.push(match self.data_format {
            Some(DataFormat::ChannelsFirst) => format!("lay out as {first}, unless the model's input says otherwise"),
            Some(DataFormat::ChannelsLast) => format!("lay out as {last}, unless the model's input says otherwise"),
            None => format!("lay out as {first}, or as {last} where the model's input says so"),
        });
        steps
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = match self.resampling {
            Resampling::TorchNearest => "torch's filter nearest-exact".to_owned(),
            Resampling::TorchBilinear => "torch's filter bilinear, antialiased".to_owned(),
            Resampling::TorchBicubic => "torch's filter bicubic, antialiased".to_owned(),
            of_pillow => format!("Pillow's filter {}", format!("{of_pillow:?}").to_lowercase()),
        };
        match self.size {
            Size::Within { height, width } | Size::Fitting { height, width } => {
                write!(f, "resize so that it fits into {height} x {width} pixels (height x width)")
            }
            Size::Covering { height, width } => {
                write!(f, "resize so that it covers {height} x {width} pixels (height x width)")
            }
            Size::Exact { height, width } => {
                write!(f, "resize to {height} x {width} pixels (height x width), whatever the aspect ratio")
            }
            Size::ShortestEdge(edge) => write!(f, "resize so that the shorter side has {edge} pixels"),
            Size::BoundedEdge { shortest, longest } => write!(
                f,
                "resize so that the shorter side has {shortest} pixels, and fewer where the longer would exceed {longest}"
            ),
        }?;
        write!(f, ", with {filter}")
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            height, width, fill, ..
        } = self;
        write!(
            f,
            "cut {height} x {width} pixels (height x width) from the centre, with "
        )?;
        match fill {
            [0, 0, 0] => f.write_str("black")?,
            [red, green, blue] => write!(f, "the colour {red}, {green}, {blue}")?,
        }
        f.write_str(" around a smaller image")
    }
}

impl fmt::Display for Rescale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[allow(clippy::float_cmp)] // what Python writes for 1 / 255 is read as the same number
        if self.factor == 1.0 / 255.0 {
            f.write_str("divide the samples (0 to 255) by 255")?;
        } else {
            write!(f, "multiply the samples (0 to 255) by {}", self.factor)?;
        }
        if self.offset > 0.0 {
            write!(f, " and subtract {}", self.offset)?;
        }
        Ok(())
    }
}

impl fmt::Display for Normalize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([r, g, b], [over_r, over_g, over_b]) = (self.mean, self.std);
        write!(
            f,
            "normalise red, green, blue: minus {r}, {g}, {b}, over {over_r}, {over_g}, {over_b}"
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::super::json::Object;
    use super::super::processors::Surroundings;
    use super::*;

    fn steps(text: &str) -> Vec<String> {
        let mut file = Object::parse(Path::new("preprocessor_config.json"), text).unwrap();
        PreprocessorConfig::take(&mut file, &Surroundings::default(), &mut Vec::new())
            .unwrap()
            .steps()
    }

    #[test]
    fn every_step_is_told_with_its_numbers() {
        let clip = r#"{"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 256}}"#;
        assert_eq!(
            steps(clip),
            [
                "decode to RGB: alpha is dropped, a colour profile is not applied",
                "resize so that the shorter side has 256 pixels, with Pillow's filter bicubic",
                "cut 224 x 224 pixels (height x width) from the centre, with black around a smaller image",
                "divide the samples (0 to 255) by 255",
                "normalise red, green, blue: minus 0.48145466, 0.4578275, 0.40821073, over 0.26862954, 0.26130258, \
                 0.27577711",
                "lay out as [batch, 3, 224, 224], or as [batch, 224, 224, 3] where the model's input says so",
            ]
        );
    }

    #[test]
    fn what_is_switched_off_is_not_told() {
        let plain = r#"{"size": [4, 6], "resample": 0, "do_rescale": false, "do_normalize": false,
                        "data_format": "channels_last"}"#;
        assert_eq!(
            steps(plain)[1..],
            [
                "resize to 4 x 6 pixels (height x width), whatever the aspect ratio, with Pillow's filter nearest",
                "leave the samples at 0 to 255",
                "lay out as [batch, 4, 6, 3], unless the model's input says otherwise",
            ]
        );
        let offset = r#"{"image_processor_type": "EfficientNetImageProcessor", "size": 8, "resample": 3,
                         "rescale_offset": true, "rescale_factor": 0.01, "include_top": false}"#;
        let told = steps(offset);
        assert!(
            told.contains(&"multiply the samples (0 to 255) by 0.01 and subtract 1".to_owned()),
            "{told:?}"
        );
        let swapped = r#"{"image_processor_type": "MobileViTImageProcessor", "resample": 2}"#;
        let told = steps(swapped);
        assert!(
            told.contains(&"swap the channels: blue, green, red".to_owned()),
            "{told:?}"
        );
    }
}
