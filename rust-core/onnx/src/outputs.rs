//! Which of a model's outputs is meant, and the rows of numbers that it gives: one row for each image.

use std::borrow::Cow;
use std::ffi::CString;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use ort::value::{DynMapValueType, DynValue, Outlet, PrimitiveTensorElementType, TensorElementType, ValueType};

use crate::session::{c_name, reason, Reason};

/// What the logits are called, best first.
pub(crate) const LOGITS: [&str; 3] = ["logits", PROBABILITIES, "output"];

/// What an output with probabilities is called.
pub(crate) const PROBABILITIES: &str = "probabilities";

/// The output that a caller wants of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// Its name, where the model directory says it in the field `field` of config.json.
    pub(crate) name: Option<&'a str>,
    /// The field that says it.
    pub(crate) field: &'static str,
    /// What it is called where nobody says it, best first.
    pub(crate) usual: &'a [&'a str],
    /// How many numbers it has for an image, where that is known.
    pub(crate) width: Option<usize>,
}

/// The output that is `wanted`: the one that is named; else the first with a usual name, then the only one, that can
/// have a row of the right width for each image.
///
/// # Errors
/// What the outputs are, and how to name one.
pub(crate) fn choose<'a>(outputs: &'a [Outlet], wanted: &Wanted<'_>) -> Result<&'a Outlet, Reason> {
    let called = |name: &str| outputs.iter().find(|output| output.name() == name);
    let field = wanted.field;
    if let Some(name) = wanted.name {
        let output = called(name).ok_or_else(|| {
            let all = listed("outputs", outputs);
            format!("`{field}` in config.json is `{name}`, and the model has no such output; it has {all}")
        })?;
        if !is_rows(output.dtype(), None) {
            return Err(format!(
                "`{field}` in config.json names an output that has no row of numbers for each image: {}",
                shown(output)
            ));
        }
        return Ok(output);
    }
    // Whatever its width is: who compares it with the number of labels says more than this could.
    if let [only] = outputs {
        if is_rows(only.dtype(), None) {
            return Ok(only);
        }
    }
    let fits = |output: &&Outlet| is_rows(output.dtype(), wanted.width);
    if let Some(output) = wanted.usual.iter().find_map(|name| called(name).filter(fits)) {
        return Ok(output);
    }
    let fitting: Vec<_> = outputs.iter().filter(fits).collect();
    let by_name = format!("write the name of the right one as `{field}` into config.json");
    let (problem, way_out) = match (&fitting[..], wanted.width) {
        ([only], Some(_)) => return Ok(only),
        ([], width) => (
            match width {
                Some(width) => format!("none of them has {width} floating-point numbers for each image"),
                None => "none of them has a row of floating-point numbers for each image".to_owned(),
            },
            "export the model with an output of shape [batch, numbers]".to_owned(),
        ),
        (_, Some(width)) => (format!("several of them have {width} numbers for each image"), by_name),
        (_, None) => (format!("none of them is called {}", either(wanted.usual)), by_name),
    };
    Err(format!(
        "the model has {}, and {problem}; {way_out}",
        listed("outputs", outputs)
    ))
}

/// Whether a value of this type can be a row of numbers for each image, of this width where it is given.
///
/// A tensor is one if, beside the first axis, at most one is longer than 1, as in `[n, 1, c]` and `[n, c, 1, 1]`. So is
/// the sequence of maps from classes to numbers that the operator `ZipMap` gives.
fn is_rows(dtype: &ValueType, width: Option<usize>) -> bool {
    match dtype {
        ValueType::Tensor { ty, shape, .. } => {
            let Some((_, axes)) = shape.split_first() else {
                // The model does not tell its shape.
                return is_float(*ty);
            };
            let mut long = axes.iter().filter(|&&axis| axis > 1);
            let right = match (long.next(), width) {
                (Some(&long), Some(width)) => usize::try_from(long) == Ok(width),
                (None, Some(width)) => width == 1 || axes.iter().any(|&axis| axis < 0),
                (_, None) => true,
            };
            is_float(*ty) && !axes.is_empty() && right && long.next().is_none()
        }
        maps => map_keys(maps).is_some(),
    }
}

fn is_float(element: TensorElementType) -> bool {
    matches!(
        element,
        TensorElementType::Float16
            | TensorElementType::Bfloat16
            | TensorElementType::Float32
            | TensorElementType::Float64
    )
}

/// The type of the keys of a sequence of maps to float32.
fn map_keys(dtype: &ValueType) -> Option<TensorElementType> {
    let ValueType::Sequence(element) = dtype else {
        return None;
    };
    match **element {
        ValueType::Map {
            key: key @ (TensorElementType::Int64 | TensorElementType::String),
            value: TensorElementType::Float32,
        } => Some(key),
        _ => None,
    }
}

/// How to read one output of a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: CString,
    /// For maps whose keys are labels, what they are called in class-id order.
    labels: Vec<String>,
    /// Whether the model itself says that its numbers are probabilities.
    pub(crate) is_probabilities: bool,
}

impl Output {
    /// The reader of `output`, for classes with these labels.
    pub(crate) fn new<'a>(output: &Outlet, labels: impl Iterator<Item = &'a str>) -> Result<Self, Reason> {
        let keys = map_keys(output.dtype());
        let labels = match keys {
            Some(TensorElementType::String) => labels.map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok(Self {
            name: c_name(output)?,
            labels,
            is_probabilities: keys.is_some() || output.name() == PROBABILITIES,
        })
    }

    /// The rows of a result for `batch` images, and how wide they are.
    pub(crate) fn rows<'a>(&self, value: &'a DynValue, batch: usize) -> Result<Rows<'a>, Reason> {
        let (width, values) = if map_keys(value.dtype()).is_some() {
            self.map_rows(value, batch)?
        } else {
            let (shape, values) = tensor_values(value)?;
            (row_width(shape, batch)?, values)
        };
        Ok(Rows { width, values })
    }

    fn map_rows(&self, value: &DynValue, batch: usize) -> Result<(usize, Cow<'static, [f32]>), Reason> {
        let maps = value.try_extract_sequence::<DynMapValueType>().map_err(reason)?;
        if maps.len() != batch {
            return Err(format!("the output has {} maps for {batch} images", maps.len()));
        }
        let mut rows = Vec::new();
        for map in &maps {
            let row = if self.labels.is_empty() {
                let ids = map.try_extract_key_values::<i64, f32>().map_err(reason)?;
                in_order(ids, |id| usize::try_from(id).ok()).ok_or(
                    "the classes in the output's maps are not the numbers from 0 on; convert it with zipmap=False",
                )?
            } else {
                let labelled = map.try_extract_key_values::<String, f32>().map_err(reason)?;
                let id = |label: String| self.labels.iter().position(|other| *other == label);
                in_order(labelled, id)
                    .filter(|row| row.len() == self.labels.len())
                    .ok_or("the classes in the output's maps are not those of `id2label` in config.json; convert it with zipmap=False")?
            };
            if rows.len() % row.len().max(1) != 0 {
                return Err("the output's maps have not all the same classes".to_owned());
            }
            rows.extend(row);
        }
        let width = rows.len() / batch;
        if width == 0 {
            return Err("the output's maps are empty".to_owned());
        }
        Ok((width, rows.into()))
    }
}

/// What a run gives: a row for each image.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// The numbers of a row, at least 1.
    pub(crate) width: usize,
    /// All rows, one after the other.
    pub(crate) values: Cow<'a, [f32]>,
}

impl Rows<'_> {
    /// Refuses rows of another width than the model had when it was loaded.
    pub(crate) fn check_width(&self, classes: usize) -> Result<(), Reason> {
        if self.width == classes {
            return Ok(());
        }
        Err(format!(
            "the output has {} numbers for each image, expected {classes}",
            self.width
        ))
    }
}

/// Shape and values of a tensor, converted to float32.
pub(crate) fn tensor_values(value: &DynValue) -> Result<(&[i64], Cow<'_, [f32]>), Reason> {
    fn of<'a, T: PrimitiveTensorElementType + 'a>(
        value: &'a DynValue,
        convert: impl FnOnce(&'a [T]) -> Cow<'a, [f32]>,
    ) -> Result<(&'a [i64], Cow<'a, [f32]>), Reason> {
        let (shape, values) = value.try_extract_tensor::<T>().map_err(reason)?;
        Ok((shape, convert(values)))
    }
    match value.dtype() {
        ValueType::Tensor { ty, .. } => match ty {
            TensorElementType::Float16 => of(value, |values: &[f16]| values.to_f32_vec().into()),
            TensorElementType::Bfloat16 => of(value, |values: &[bf16]| values.to_f32_vec().into()),
            // Beyond the range of float32 it becomes infinite, which is an error of its image.
            #[allow(clippy::cast_possible_truncation)]
            TensorElementType::Float64 => of(value, |values: &[f64]| {
                values.iter().map(|value| *value as f32).collect()
            }),
            _ => of(value, |values: &[f32]| values.into()),
        },
        other => Err(format!("the output is {other}, not a row of numbers for each image")),
    }
}

/// The width of the rows in an output of this shape, which is to have one for each of `batch` images.
fn row_width(shape: &[i64], batch: usize) -> Result<usize, Reason> {
    let width = || {
        let (&images, axes) = shape.split_first().filter(|(_, axes)| !axes.is_empty())?;
        let mut long = axes.iter().filter(|&&axis| axis != 1);
        let width = usize::try_from(*long.next().unwrap_or(&1)).ok();
        width.filter(|&width| width > 0 && usize::try_from(images) == Ok(batch) && long.next().is_none())
    };
    width().ok_or_else(|| {
        format!(
            "the output has shape {shape:?}, expected [{batch}, classes], where further axes of length 1 do no harm"
        )
    })
}

/// The numbers of a map in the order of their ids; `None` where these are not the numbers from 0 on.
fn in_order<K>(entries: Vec<(K, f32)>, id: impl Fn(K) -> Option<usize>) -> Option<Vec<f32>> {
    let mut row = vec![None; entries.len()];
    for (key, value) in entries {
        *row.get_mut(id(key)?)? = Some(value);
    }
    row.into_iter().collect()
}

/// All inputs or outputs with their types; `what` says which.
pub(crate) fn listed(what: &str, outlets: &[Outlet]) -> String {
    let all: Vec<_> = outlets.iter().map(shown).collect();
    format!("the {what} {}", all.join(", "))
}

/// An input or output: its name, and its type as ONNX Runtime writes it.
pub(crate) fn shown(outlet: &Outlet) -> String {
    format!("`{}`: {}", outlet.name(), outlet.dtype())
}

fn either(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(" or ")
}
