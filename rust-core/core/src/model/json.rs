//! Configuration files: JSON objects whose errors name the file and the field.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The top level of a configuration file. A field that is `null` counts as absent, as it does in Python.
#[derive(Debug)]
pub(super) struct Object {
    path: PathBuf,
    text: String,
    fields: Map<String, Value>,
}

impl Object {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|error| Error::ModelFile {
            path: path.to_owned(),
            reason: format!("cannot be read: {error}"),
        })?;
        Self::parse(path, text)
    }

    /// Parses what a file holds.
    pub(super) fn parse(path: &Path, text: String) -> Result<Self> {
        // serde_json's message ends with line and column.
        let fields = serde_json::from_str(&text).map_err(|error| Error::ModelFile {
            path: path.to_owned(),
            reason: format!("is not a JSON object: {error}"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            text,
            fields,
        })
    }

    /// The text the object was parsed from.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Takes a field out; `None` where it is absent.
    pub(super) fn take<T: DeserializeOwned>(&mut self, field: &str) -> Result<Option<T>> {
        match self.fields.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match serde_json::from_value(value) {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(self.error(field, error.to_string())),
            },
        }
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

    /// An error about a field of this file.
    pub(super) fn error(&self, field: &str, reason: impl Into<String>) -> Error {
        Error::ModelField {
            path: self.path.clone(),
            field: field.to_owned(),
            reason: reason.into(),
        }
    }
}
