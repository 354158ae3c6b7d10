//! Class names, from the `id2label` of `config.json`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::json::Object;
use crate::error::Result;

const FIELD: &str = "id2label";

/// The class names of a model, in class-id order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
}

impl Labels {
    /// Takes `id2label`, whose ids must be 0 to n-1, each once.
    pub(super) fn take(config: &mut Object) -> Result<Self> {
        let Pairs(pairs) = config.require(
            FIELD,
            "write the class names as {\"0\": \"first\", \"1\": \"second\", ...}",
        )?;
        let mut names = vec![None; pairs.len()];
        for (id, name) in pairs {
            let slot = id.parse::<usize>().ok().and_then(|id| names.get_mut(id));
            match slot {
                Some(slot @ None) => *slot = Some(name),
                Some(Some(_)) => return Err(config.error(FIELD, format!("id `{id}` stands there twice"))),
                None => {
                    let last = names.len() - 1;
                    return Err(config.error(
                        FIELD,
                        format!("id `{id}` is not one of 0 to {last}: ids must have no holes"),
                    ));
                }
            }
        }
        // As many ids as slots, none twice and none outside: every slot is filled.
        let names: Vec<String> = names.into_iter().flatten().collect();
        if names.is_empty() {
            return Err(config.error(FIELD, "names no class"));
        }
        Ok(Self { names })
    }

    /// The number of classes, at least 1.
    #[must_use]
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The name of a class.
    ///
    /// # Panics
    /// If `class_id` is not below [`len`](Self::len).
    #[must_use]
    pub fn name(&self, class_id: usize) -> &str {
        &self.names[class_id]
    }

    /// All names, in class-id order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// A JSON object of strings.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of class ids and names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn labels(text: &str) -> Result<Labels> {
        Labels::take(&mut Object::parse(Path::new("config.json"), text)?)
    }

    fn error(text: &str) -> String {
        labels(text).unwrap_err().to_string()
    }

    #[test]
    fn names_are_in_class_id_order() {
        let labels = labels(r#"{"id2label": {"2": "c", "0": "a", "1": "b"}, "model_type": "cnn"}"#).unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((labels.len(), labels.name(2)), (3, "c"));
    }

    #[test]
    fn different_classes_may_share_a_name() {
        let labels = labels(r#"{"id2label": {"0": "crane", "1": "crane"}}"#).unwrap();
        assert_eq!(labels.iter().collect::<Vec<_>>(), ["crane", "crane"]);
    }

    #[test]
    fn ids_must_be_0_to_n_minus_1_each_once() {
        assert!(
            error(r#"{"id2label": {"0": "a", "2": "b"}}"#).contains("field `id2label`: id `2` is not one of 0 to 1")
        );
        assert!(error(r#"{"id2label": {"0": "a", "0": "b"}}"#).contains("field `id2label.0`: stands there twice"));
        assert!(error(r#"{"id2label": {"0": "a", "00": "b"}}"#).contains("id `00` stands there twice"));
        assert!(error(r#"{"id2label": {"first": "a"}}"#).contains("id `first` is not one of 0 to 0"));
        assert!(error(r#"{"id2label": {"-1": "a"}}"#).contains("id `-1`"));
    }

    #[test]
    fn a_missing_empty_or_wrongly_typed_field_is_named() {
        assert!(error("{}").contains("config.json: field `id2label`: is missing; write the class names as"));
        assert!(error(r#"{"id2label": null}"#).contains("is missing"));
        assert!(error(r#"{"id2label": {}}"#).contains("names no class"));
        assert!(error(r#"{"id2label": ["a"]}"#).contains("expected an object of class ids and names"));
        assert!(error(r#"{"id2label": {"0": 7}}"#).contains("field `id2label`: invalid type: integer `7`"));
    }
}
