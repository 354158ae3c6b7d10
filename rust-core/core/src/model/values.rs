//! The forms in which configuration files write sizes, filters and numbers for each channel.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use spark_classify_imaging::Resampling;

use super::json::Object;
use crate::error::Result;

/// The largest side of a model's input, in pixels.
pub(super) const MAX_SIDE: usize = 16_384;

/// Filters in the words of configuration files.
const FILTERS: &str = "0 or nearest, 1 lanczos, 2 bilinear, 3 bicubic, 4 box, 5 hamming, 6 mks2013, 7 mks2021";

/// A whole number, also where it is written as floating point or as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole(pub(super) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WholeVisitor;

        impl Visitor<'_> for WholeVisitor {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_u64<E>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Whole, E> {
                // Below 2^53 every whole number has a floating-point number of its own.
                if value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value) {
                    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                    return Ok(Whole(value as u64));
                }
                Err(E::invalid_value(de::Unexpected::Float(value), &self))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Whole, E> {
                match (text.trim().parse(), text.trim().parse()) {
                    (Ok(whole), _) => Ok(Whole(whole)),
                    (_, Ok(number)) => self.visit_f64(number),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(WholeVisitor)
    }
}

/// A filter: one of Pillow's numbers, or a name, alone or after that of its enumeration (`PILImageResampling.BICUBIC`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filter(pub(super) Resampling);

impl Filter {
    /// The filter of this name or number.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let name = text.trim().rsplit('.').next().unwrap_or_default();
        let number = match name.to_ascii_lowercase().as_str() {
            "nearest" => 0,
            "lanczos" => 1,
            "bilinear" => 2,
            "bicubic" => 3,
            "box" => 4,
            "hamming" => 5,
            "mks2013" => 6,
            "mks2021" => 7,
            _ => text.trim().parse().ok()?,
        };
        Resampling::of_number(number).map(Self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(u64),
            Text(String),
        }

        let filter = match Form::deserialize(deserializer) {
            Ok(Form::Number(number)) => Resampling::of_number(number).map(Self),
            Ok(Form::Text(text)) => Self::of_text(&text),
            Err(_) => None,
        };
        filter.ok_or_else(|| de::Error::custom(format!("write {FILTERS}")))
    }
}

impl Filter {
    /// What to write where a filter is missing.
    pub(super) fn way_out() -> String {
        format!("write {FILTERS}")
    }
}

/// `size` and `crop_size` in all their forms.
#[derive(serde::Deserialize)]
#[serde(
    untagged,
    expecting = "write a whole number of pixels, [height, width], or an object of `height` and `width`, of \
                 `shortest_edge`, also with `longest_edge`, or of `max_height` and `max_width`"
)]
pub(super) enum Extent {
    Number(Whole),
    /// Height and width.
    Pair([Whole; 2]),
    Fields(ExtentFields),
}

/// Read as a map: serde would make a structure of a list, too.
#[derive(Default, serde::Deserialize)]
#[serde(try_from = "BTreeMap<String, Option<Whole>>")]
pub(super) struct ExtentFields {
    pub(super) height: Option<Whole>,
    pub(super) width: Option<Whole>,
    pub(super) shortest_edge: Option<Whole>,
    pub(super) longest_edge: Option<Whole>,
    pub(super) max_height: Option<Whole>,
    pub(super) max_width: Option<Whole>,
}

impl TryFrom<BTreeMap<String, Option<Whole>>> for ExtentFields {
    type Error = String;

    fn try_from(map: BTreeMap<String, Option<Whole>>) -> Result<Self, String> {
        let mut fields = Self::default();
        for (name, value) in map {
            let field = match name.as_str() {
                "height" => &mut fields.height,
                "width" => &mut fields.width,
                "shortest_edge" => &mut fields.shortest_edge,
                "longest_edge" => &mut fields.longest_edge,
                "max_height" => &mut fields.max_height,
                "max_width" => &mut fields.max_width,
                _ => return Err(name),
            };
            *field = value;
        }
        Ok(fields)
    }
}

impl ExtentFields {
    /// The names of the fields that are there, for an error.
    pub(super) fn names(&self) -> String {
        let fields = [
            ("height", self.height),
            ("width", self.width),
            ("shortest_edge", self.shortest_edge),
            ("longest_edge", self.longest_edge),
            ("max_height", self.max_height),
            ("max_width", self.max_width),
        ];
        let names: Vec<_> = fields
            .iter()
            .filter(|(_, value)| value.is_some())
            .map(|(name, _)| *name)
            .collect();
        if names.is_empty() {
            "nothing".to_owned()
        } else {
            names.join(" and ")
        }
    }
}

/// Means and standard deviations: one number for each channel, or one for all.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(untagged, expecting = "write three numbers, or one for all channels")]
pub(super) enum PerChannel {
    Each([f64; 3]),
    One([f64; 1]),
    All(f64),
}

impl PerChannel {
    pub(super) fn each(self) -> [f64; 3] {
        match self {
            Self::Each(values) => values,
            Self::One([value]) | Self::All(value) => [value; 3],
        }
    }
}

/// Checks a side of an image.
pub(super) fn side(file: &Object, field: &str, Whole(pixels): Whole) -> Result<usize> {
    let usable = usize::try_from(pixels)
        .ok()
        .filter(|side| (1..=MAX_SIDE).contains(side));
    usable.ok_or_else(|| {
        file.error(
            field,
            format!("must be a whole number of pixels from 1 to {MAX_SIDE}, not {pixels}"),
        )
    })
}

/// Whether all standard deviations can be divided by.
pub(super) fn usable_deviations(std: [f64; 3]) -> bool {
    // What they become in the arithmetic of float32.
    #[allow(clippy::cast_possible_truncation)]
    std.into_iter().all(|std| std as f32 > 0.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn whole_numbers_may_be_text_or_floating_point() {
        for value in [json!(32), json!(32.0), json!("32"), json!(" 32 "), json!("32.0")] {
            assert_eq!(from_value::<Whole>(value.clone()).unwrap(), Whole(32), "{value}");
        }
        for value in [
            json!(-1),
            json!(32.5),
            json!(1e300),
            json!("32px"),
            json!(""),
            json!("nan"),
            json!(true),
            json!([32]),
            json!({}),
        ] {
            assert!(from_value::<Whole>(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn filters_have_numbers_and_names() {
        for (value, expected) in [
            (json!(0), Resampling::Nearest),
            (json!("2"), Resampling::Bilinear),
            (json!("bilinear"), Resampling::Bilinear),
            (json!("BICUBIC"), Resampling::Bicubic),
            (json!("PILImageResampling.LANCZOS"), Resampling::Lanczos),
            (json!("Box"), Resampling::Box),
            (json!("hamming"), Resampling::Hamming),
            (json!("MKS2021"), Resampling::Mks2021),
        ] {
            assert_eq!(from_value::<Filter>(value.clone()).unwrap().0, expected, "{value}");
        }
        for value in [
            json!(8),
            json!(-1),
            json!("8"),
            json!("random"),
            json!(""),
            json!(true),
            json!([2]),
        ] {
            let message = from_value::<Filter>(value.clone()).unwrap_err().to_string();
            assert!(message.contains("write 0 or nearest, 1 lanczos"), "{value}: {message}");
        }
    }
}
