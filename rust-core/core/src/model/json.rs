//! Configuration files: JSON objects whose errors name the file and the field.
//!
//! They are read as Python reads them, whose `json` writes them: with a byte-order mark, and with numbers that are
//! infinite (`Infinity`, `1e999`), which are an error where they are used and concern nobody where they are not. `NaN`,
//! and a field that stands there twice, is an error wherever it is: nobody has written that on purpose.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::directory::CONFIG;
use crate::error::{Error, Result};

/// The one key of an object that stands for a value that cannot be used; what it holds says why.
const UNUSABLE: &str = "\0unusable";

/// The same for a value that must not be there.
const REFUSED: &str = "\0refused";

/// A configuration file, or an object in one. A field that is `null` counts as absent, as it does in Python.
#[derive(Debug, Clone)]
pub(super) struct Object {
    path: PathBuf,
    /// What stands before the fields of an object within another one, `image_processor.` for example.
    prefix: String,
    fields: Map<String, Value>,
}

impl Object {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let refused = |reason: String| Error::ModelFile {
            path: path.to_owned(),
            reason,
        };
        let bytes = std::fs::read(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
        // Text of ASCII characters in UTF-16 or UTF-32 has zeros among its first bytes, with or without a mark.
        if matches!(bytes[..], [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..]) {
            return Err(refused(
                "is UTF-16 or UTF-32, and must be UTF-8; save it as that".to_owned(),
            ));
        }
        let text = String::from_utf8(bytes)
            .map_err(|error| refused(format!("is not UTF-8 text: {}; save it as UTF-8", error.utf8_error())))?;
        Self::parse(path, &text)
    }

    /// Parses what a file holds.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let text = finite(text.strip_prefix('\u{feff}').unwrap_or(text));
        // serde_json's message ends with line and column.
        let refused = |reason: String| Error::ModelFile {
            path: path.to_owned(),
            reason: format!("is not a JSON object: {reason}"),
        };
        let fields = match serde_json::from_str(&text).map_err(|error| refused(error.to_string()))? {
            Lenient(Value::Object(fields)) if !fields.contains_key(UNUSABLE) && !fields.contains_key(REFUSED) => fields,
            Lenient(_) => return Err(refused("it holds another value".to_owned())),
        };
        let object = Self {
            path: path.to_owned(),
            prefix: String::new(),
            fields,
        };
        for (field, value) in &object.fields {
            if let Some((place, reason)) = marked(value, REFUSED) {
                return Err(object.error(&format!("{field}{place}"), reason));
            }
        }
        Ok(object)
    }

    /// Whether a field is there.
    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.get(field).is_some_and(|value| !value.is_null())
    }

    /// Takes a field out; `None` where it is absent.
    pub(super) fn take<T: DeserializeOwned>(&mut self, field: &str) -> Result<Option<T>> {
        let value = match self.fields.remove(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value,
        };
        if let Some((place, reason)) = marked(&value, UNUSABLE) {
            return Err(self.error(&format!("{field}{place}"), reason));
        }
        match T::deserialize(&value) {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                let reason = error.to_string();
                // serde's own messages for single values name what they found.
                let named = reason.starts_with("invalid type: ") || reason.starts_with("invalid value: ");
                let reason = if named {
                    reason
                } else {
                    format!("is {}; {reason}", shown(&value))
                };
                Err(self.error(field, reason))
            }
        }
    }

    /// Takes a field out that is an object; `None` where it is absent.
    pub(super) fn take_object(&mut self, field: &str) -> Result<Option<Self>> {
        match self.fields.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) if !fields.contains_key(UNUSABLE) => Ok(Some(Self {
                path: self.path.clone(),
                prefix: format!("{}{field}.", self.prefix),
                fields,
            })),
            Some(other) => Err(self.error(field, format!("is {}; it must be an object", shown(&other)))),
        }
    }

    /// Whether the fields of both have the same values.
    pub(super) fn has_the_fields_of(&self, other: &Self) -> bool {
        self.fields == other.fields
    }

    /// The text of a field, left where it is; `None` where it is absent or something else.
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.fields.get(field)?.as_str()
    }

    /// Takes a field out that must be there; `way_out` says what to write.
    pub(super) fn require<T: DeserializeOwned>(&mut self, field: &str, way_out: &str) -> Result<T> {
        match self.take(field)? {
            Some(value) => Ok(value),
            None => Err(self.error(field, format!("is missing; {way_out}"))),
        }
    }

    /// Puts values in for fields that are absent.
    pub(super) fn fill(&mut self, defaults: Map<String, Value>) {
        for (field, value) in defaults {
            let slot = self.fields.entry(field).or_insert(Value::Null);
            if slot.is_null() {
                *slot = value;
            }
        }
    }

    /// What nobody has taken.
    pub(super) fn rest(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// An error about a field of this file; what writes a good one is added.
    pub(super) fn error(&self, field: &str, reason: impl Into<String>) -> Error {
        let writer = if self.prefix.starts_with("pretrained_cfg.") {
            "`timm.models.save_for_hf(model, DIRECTORY)`"
        } else if self.path.file_name().is_some_and(|name| name == CONFIG) {
            "`model.config.save_pretrained(DIRECTORY)` of transformers"
        } else {
            "`AutoImageProcessor.from_pretrained(MODEL).save_pretrained(DIRECTORY)` of transformers"
        };
        Error::ModelField {
            path: self.path.clone(),
            field: format!("{}{field}", self.prefix),
            reason: format!("{}. {writer} writes a good file", reason.into()),
        }
    }
}

/// The most characters of a value that an error shows.
const SHOWN: usize = 80;

/// A value as JSON, cut where it is long.
pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Where in `value` an object with the key `mark` stands, as what follows the field's name, and what it holds.
fn marked(value: &Value, mark: &str) -> Option<(String, String)> {
    let within = |place: String, value| marked(value, mark).map(|(rest, reason)| (place + &rest, reason));
    match value {
        Value::Object(fields) => match fields.get(mark) {
            Some(reason) => Some((String::new(), reason.as_str().unwrap_or_default().to_owned())),
            None => fields
                .iter()
                .find_map(|(field, value)| within(format!(".{field}"), value)),
        },
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, value)| within(format!("[{index}]"), value)),
        _ => None,
    }
}

/// The text with objects of [`UNUSABLE`] and [`REFUSED`] in the place of numbers that are not finite. Where it is no
/// JSON it stays none.
fn finite(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '0'..='9' | 'A'..='Z' | 'a'..='z' => rest
                .find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
                .unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let is_number = token.ends_with(|c: char| c.is_ascii_digit());
        let is_infinite = || token.parse().is_ok_and(f64::is_infinite);
        if matches!(token, "NaN" | "Infinity" | "-Infinity") || is_number && is_infinite() {
            // JSON, with the control character escaped.
            let shown = if token.len() > 20 { "too large" } else { token };
            let mark = if token == "NaN" { REFUSED } else { UNUSABLE };
            let object = serde_json::json!({ mark: format!("is {shown}; write a finite number") });
            written.push_str(&object.to_string());
        } else {
            written.push_str(token);
        }
        rest = after;
    }
    written
}

/// The length of the string literal that `text` begins with, of all of it where that has no end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            '"' if !escaped => return index + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    text.len()
}

/// A value in which a field that stands there twice is [`REFUSED`].
struct Lenient(Value);

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LenientVisitor;

        impl<'de> Visitor<'de> for LenientVisitor {
            type Value = Lenient;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E>(self) -> Result<Lenient, E> {
                Ok(Lenient(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Lenient, E> {
                Ok(Lenient(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Lenient, A::Error> {
                let mut values = Vec::new();
                while let Some(Lenient(value)) = items.next_element()? {
                    values.push(value);
                }
                Ok(Lenient(Value::Array(values)))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Lenient, A::Error> {
                let mut values = Map::new();
                while let Some((field, Lenient(mut value))) = fields.next_entry::<String, _>()? {
                    if values.contains_key(&field) {
                        value = serde_json::json!({ REFUSED: "stands there twice; keep one" });
                    }
                    values.insert(field, value);
                }
                Ok(Lenient(Value::Object(values)))
            }
        }

        deserializer.deserialize_any(LenientVisitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(text: &str) -> Result<Object> {
        Object::parse(Path::new("config.json"), text)
    }

    fn refusal(text: &str) -> String {
        let used = parse(text).and_then(|mut object| object.take::<Value>("used"));
        used.unwrap_err().to_string()
    }

    #[test]
    fn what_python_reads_is_read_where_it_is_not_used() {
        let text = "\u{feff}{\"a\": Infinity, \"b\": [Infinity, -Infinity, 1e999], \"c\": {\"d\": 1, \"D\": 2}, \
                    \"text\": \"NaN \\\" Infinity \\\\\", \"used\": -1.5e3}";
        let mut object = parse(text).unwrap();
        assert_eq!(object.take::<f64>("used").unwrap(), Some(-1500.0));
        assert_eq!(object.take::<String>("text").unwrap().unwrap(), "NaN \" Infinity \\");
        let long = format!("{{\"a\": {}, \"used\": 1}}", "9".repeat(5000));
        assert_eq!(parse(&long).unwrap().take::<u8>("used").unwrap(), Some(1));
    }

    #[test]
    fn what_is_used_is_named_with_its_place() {
        for (text, expected) in [
            (
                r#"{"used": Infinity}"#,
                "field `used`: is Infinity; write a finite number",
            ),
            (r#"{"used": [1, -Infinity]}"#, "field `used[1]`: is -Infinity"),
            (r#"{"used": {"deep": [[1e999]]}}"#, "field `used.deep[0][0]`: is 1e999"),
        ] {
            let message = refusal(text);
            assert!(message.contains(expected), "{text}: {message}");
        }
    }

    #[test]
    fn what_nobody_has_meant_is_named_wherever_it_is() {
        for (text, expected) in [
            (r#"{"a": NaN}"#, "field `a`: is NaN; write a finite number"),
            (r#"{"a": [{"b": 0}, {"b": [1, NaN]}]}"#, "field `a[1].b[1]`: is NaN"),
            (r#"{"a": 1, "b": 0, "a": 1}"#, "field `a`: stands there twice; keep one"),
            (r#"{"a": 1, "a": 2, "a": 3}"#, "field `a`: stands there twice"),
            (
                r#"{"a": {"b": [{"c": 1, "c": 1}]}}"#,
                "field `a.b[0].c`: stands there twice",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, Error::ModelField { .. }), "{text}: {error:?}");
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn what_python_does_not_read_is_refused_with_its_place() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep = format!("{{\"used\": {deep}}}");
        for text in [
            "{\"used\": nan}",
            "{\"used\": inf}",
            "{\"used\": NaN0}",
            "{\"used\": +1}",
            "{\"used\": 1,}",
            "{\"used\": 1 // comment\n}",
            "{\"used\": \"\\ud800\"}",
            "{\"used\": \"open",
            "{\"used\": 'x'}",
            &deep,
        ] {
            let message = refusal(text);
            assert!(
                message.contains("is not a JSON object: ") && message.contains(" at line 1 column "),
                "{message}"
            );
        }
        for text in ["NaN", "[]", "1", "null"] {
            assert!(
                refusal(text).contains("is not a JSON object: it holds another value"),
                "{text}"
            );
        }
    }
}
