//! Class names, from `config.json`: Hugging Face's `id2label` or timm's `label_names`, and what stands in their place.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::Number;

use super::json::Object;
use super::values::Whole;
use crate::error::Result;

const ID2LABEL: &str = "id2label";
const LABEL2ID: &str = "label2id";
const NUM_LABELS: &str = "num_labels";
const LABEL_NAMES: &str = "label_names";
const NUM_CLASSES: &str = "num_classes";

/// The classes of a Hugging Face model whose files do not speak of classes.
const DEFAULT_NUM_LABELS: usize = 2;

/// More classes than a file may count; it may name as many as it likes.
const MAX_COUNTED: usize = 1 << 20;

/// The class names of a model, in class-id order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    /// The field that says how many there are.
    field: &'static str,
    /// Whether that field is not there at all.
    by_default: bool,
}

impl Labels {
    /// Takes the names, or what stands in their place; `pretrained` is the file's `pretrained_cfg`, where timm wrote
    /// it.
    ///
    /// The order is that of timm and transformers: `label_names`, then `id2label`. Where neither is there, `label2id`
    /// names the classes; else they are called by their numbers (timm) or `LABEL_0` and so on (Hugging Face).
    pub(super) fn take(config: &mut Object, pretrained: Option<&mut Object>) -> Result<Self> {
        let mut timm = pretrained;
        let is_timm = timm.is_some() || config.has("architecture") || config.text("model_type") == Some("timm_wrapper");
        let names: Option<LabelNames> = match config.take(LABEL_NAMES)? {
            None => take_from(&mut timm, LABEL_NAMES)?,
            names => names,
        };
        let classes: Option<Whole> = match config.take(NUM_CLASSES)? {
            None => take_from(&mut timm, NUM_CLASSES)?,
            classes => classes,
        };
        let classes = if is_timm { classes } else { None };
        if let Some(Whole(0)) = classes {
            let reason = "is 0: the model has no classes but gives features; export one with a classifier";
            return Err(config.error(NUM_CLASSES, reason));
        }
        if let Some(names) = names {
            let names = match names {
                LabelNames::List(names) => names.into_iter().map(String::from).collect(),
                LabelNames::ById(names) => by_id(config, LABEL_NAMES, names)?,
            };
            let labels = Self::named(config, LABEL_NAMES, names)?;
            return match classes {
                Some(Whole(classes)) if usize::try_from(classes) != Ok(labels.len()) => {
                    let reason = format!(
                        "is {classes}, but `{LABEL_NAMES}` has {}; both must come from the same training",
                        labels.len()
                    );
                    Err(config.error(NUM_CLASSES, reason))
                }
                _ => Ok(labels),
            };
        }
        if let Some(ById::Names(names)) = config.take(ID2LABEL)? {
            return Self::named(config, ID2LABEL, by_id(config, ID2LABEL, names)?);
        }
        if let Some(ByName::Ids(ids)) = config.take(LABEL2ID)? {
            let names = ids
                .into_iter()
                .map(|(name, Whole(id))| (id.to_string(), Name::Text(name)));
            return Self::named(config, LABEL2ID, by_id(config, LABEL2ID, names)?);
        }
        if is_timm && classes.is_none() && config.text("model_type").is_none() {
            let reason = "is missing; write the number of classes, or their names as `label_names`";
            return Err(config.error(NUM_CLASSES, reason));
        }
        if let Some(classes) = classes {
            return Self::counted(config, NUM_CLASSES, classes, |id| id.to_string());
        }
        let hugging_face = |id| format!("LABEL_{id}");
        if let Some(classes) = config.take(NUM_LABELS)? {
            return Self::counted(config, NUM_LABELS, classes, hugging_face);
        }
        if !is_timm && (config.has("model_type") || config.has("architectures")) {
            return Ok(Self {
                names: (0..DEFAULT_NUM_LABELS).map(hugging_face).collect(),
                field: ID2LABEL,
                by_default: true,
            });
        }
        let reason = "is missing; write the class names as {\"0\": \"first\", \"1\": \"second\", ...}";
        Err(config.error(ID2LABEL, reason))
    }

    fn named(config: &Object, field: &'static str, names: Vec<String>) -> Result<Self> {
        if names.is_empty() {
            return Err(config.error(field, "names no class"));
        }
        Ok(Self {
            names,
            field,
            by_default: false,
        })
    }

    fn counted(
        config: &Object,
        field: &'static str,
        Whole(classes): Whole,
        name: impl Fn(usize) -> String,
    ) -> Result<Self> {
        let counted = usize::try_from(classes).ok();
        let Some(classes) = counted.filter(|classes| (1..=MAX_COUNTED).contains(classes)) else {
            let reason = format!("is {classes}; write the number of classes, from 1 to {MAX_COUNTED}");
            return Err(config.error(field, reason));
        };
        Self::named(config, field, (0..classes).map(name).collect())
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

    /// The field of `config.json` that says how many classes there are.
    #[must_use]
    pub(crate) fn field(&self) -> &'static str {
        self.field
    }

    /// What that field says, as the beginning of an error.
    pub(crate) fn announcement(&self) -> String {
        let classes = self.len();
        match self.field {
            NUM_CLASSES | NUM_LABELS => format!("is {classes}"),
            _ if self.by_default => format!("is missing, which means {classes} classes in a file of Hugging Face's"),
            _ => format!("names {classes} classes"),
        }
    }

    /// Whether the classes have no names but their numbers.
    pub(super) fn are_numbers(&self) -> bool {
        self.by_default || matches!(self.field, NUM_CLASSES | NUM_LABELS)
    }
}

fn take_from<T: DeserializeOwned>(object: &mut Option<&mut Object>, field: &str) -> Result<Option<T>> {
    object.as_mut().map_or(Ok(None), |object| object.take(field))
}

/// Names in the order of their ids, which must be 0 to n-1, each once.
fn by_id(config: &Object, field: &str, pairs: impl IntoIterator<Item = (String, Name)>) -> Result<Vec<String>> {
    let pairs: Vec<_> = pairs.into_iter().collect();
    let mut names = vec![None; pairs.len()];
    for (id, name) in pairs {
        let slot = id.parse::<usize>().ok().and_then(|id| names.get_mut(id));
        match slot {
            Some(slot @ None) => *slot = Some(String::from(name)),
            Some(Some(_)) => return Err(config.error(field, format!("id `{id}` stands there twice"))),
            None => {
                let last = names.len() - 1;
                return Err(config.error(
                    field,
                    format!("id `{id}` is not one of 0 to {last}: ids must have no holes"),
                ));
            }
        }
    }
    // As many ids as slots, none twice and none outside: every slot is filled.
    Ok(names.into_iter().flatten().collect())
}

/// A class name. Some files have numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(Number),
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        match name {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        }
    }
}

/// `id2label`.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write class ids and names as {\"0\": \"first\", \"1\": \"second\", ...}"
)]
enum ById {
    Names(BTreeMap<String, Name>),
}

/// `label2id`.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "write class names and ids as {\"first\": 0, \"second\": 1, ...}"
)]
enum ByName {
    Ids(BTreeMap<String, Whole>),
}

/// `label_names`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write class names as [\"first\", \"second\", ...]")]
enum LabelNames {
    List(Vec<Name>),
    ById(BTreeMap<String, Name>),
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::path::Path;

    use super::*;

    fn labels(text: &str) -> Result<Labels> {
        let mut config = Object::parse(Path::new("config.json"), text)?;
        let mut pretrained = config.take_object("pretrained_cfg")?;
        Labels::take(&mut config, pretrained.as_mut())
    }

    fn names(text: &str) -> Vec<String> {
        labels(text).unwrap().names
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
    fn different_classes_may_share_a_name_and_have_numbers_for_names() {
        assert_eq!(
            names(r#"{"id2label": {"0": "crane", "1": "crane"}}"#),
            ["crane", "crane"]
        );
        assert_eq!(names(r#"{"id2label": {"0": 7, "1": -1.5}}"#), ["7", "-1.5"]);
    }

    #[test]
    fn what_hugging_face_leaves_out_is_filled_in() {
        assert_eq!(names(r#"{"label2id": {"dog": 1, "cat": "0"}}"#), ["cat", "dog"]);
        assert_eq!(names(r#"{"num_labels": 3}"#), ["LABEL_0", "LABEL_1", "LABEL_2"]);
        for text in [
            r#"{"model_type": "vit"}"#,
            r#"{"architectures": ["ViTForImageClassification"]}"#,
        ] {
            assert_eq!(names(text), ["LABEL_0", "LABEL_1"], "{text}");
            let announcement = labels(text).unwrap().announcement();
            assert_eq!(
                announcement,
                "is missing, which means 2 classes in a file of Hugging Face's"
            );
        }
        // What is named goes before what is counted.
        let both = r#"{"id2label": {"0": "a"}, "label2id": {"b": 0}, "num_labels": 2, "model_type": "vit"}"#;
        assert_eq!(names(both), ["a"]);
    }

    #[test]
    fn timm_has_a_list_of_names_or_none() {
        assert_eq!(
            names(r#"{"label_names": ["a", "b"], "label_descriptions": {"a": "A", "b": "B"}}"#),
            ["a", "b"]
        );
        assert_eq!(
            names(r#"{"label_names": {"1": "b", "0": "a"}, "num_classes": 2}"#),
            ["a", "b"]
        );
        assert_eq!(
            names(r#"{"pretrained_cfg": {"label_names": ["a"], "num_classes": 1}}"#),
            ["a"]
        );
        assert_eq!(
            names(r#"{"num_classes": 3, "pretrained_cfg": {"num_classes": 5}}"#),
            ["0", "1", "2"]
        );
        assert_eq!(
            names(r#"{"pretrained_cfg": {"num_classes": 2}, "model_type": "timm_wrapper"}"#),
            ["0", "1"]
        );
        let message = error(r#"{"label_names": ["a"], "num_classes": 2, "architecture": "resnet18"}"#);
        assert!(
            message.contains("field `num_classes`: is 2, but `label_names` has 1;"),
            "{message}"
        );
        let message = error(r#"{"num_classes": 0, "pretrained_cfg": {}}"#);
        assert!(
            message.contains("field `num_classes`: is 0: the model has no classes but gives features"),
            "{message}"
        );
        let message = error(r#"{"label_names": {"0": "a", "2": "c"}}"#);
        assert!(
            message.contains("field `label_names`: id `2` is not one of 0 to 1"),
            "{message}"
        );
        assert!(error(r#"{"pretrained_cfg": {}}"#).contains("field `num_classes`: is missing"));
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
        assert!(error(r#"{"label2id": {"a": 0, "b": 0}}"#).contains("field `label2id`: id `0` stands there twice"));
        assert!(error(r#"{"label2id": {"a": 1}}"#).contains("field `label2id`: id `1` is not one of 0 to 0"));
    }

    #[test]
    fn a_missing_empty_or_wrongly_typed_field_is_named() {
        assert!(error("{}").contains("config.json: field `id2label`: is missing; write the class names as"));
        assert!(error(r#"{"id2label": null}"#).contains("is missing"));
        assert!(error(r#"{"id2label": {}}"#).contains("names no class"));
        assert!(error(r#"{"label_names": []}"#).contains("names no class"));
        assert!(error(r#"{"id2label": ["a"]}"#).contains(r#"is ["a"]; write class ids and names as {"0": "first""#));
        assert!(error(r#"{"id2label": {"0": true}}"#).contains(r#"is {"0":true}; write class ids and names"#));
        assert!(error(r#"{"num_labels": 0}"#).contains("field `num_labels`: is 0; write the number of classes"));
        assert!(error(r#"{"num_labels": 1e15}"#).contains("field `num_labels`: is 1000000000000000; write"));
    }
}
