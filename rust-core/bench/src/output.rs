//! The predictions as CSV, in the columns of the Spark job's output.

use std::iter;
use std::path::Path;

use spark_classify_core::model::Labels;

use crate::classes::{unique_names, Actual};
use crate::images::Image;
use crate::run::Outcome;

/// Writes one row an image, in their order. The columns of a prediction are empty for an image that has none.
///
/// # Errors
/// A message that names the file.
pub(crate) fn write(path: &Path, images: &[Image], predictions: &[Outcome], labels: &Labels) -> Result<(), String> {
    let mut file = csv::Writer::from_path(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
    write_rows(&mut file, images, predictions, labels).map_err(|cause| format!("{}: {cause}", path.display()))
}

fn write_rows<W: std::io::Write>(
    file: &mut csv::Writer<W>,
    images: &[Image],
    predictions: &[Outcome],
    labels: &Labels,
) -> csv::Result<()> {
    let fixed = [
        "image_path",
        "actual_class",
        "actual_class_id",
        "predicted_class",
        "predicted_class_id",
        "confidence",
    ];
    let probabilities = unique_names(labels).into_iter().map(|name| format!("prob_{name}"));
    file.write_record(fixed.into_iter().map(str::to_owned).chain(probabilities))?;

    for (image, outcome) in images.iter().zip(predictions) {
        let mut row = vec![image.name.clone()];
        row.extend(class_columns(image.actual, labels));
        match outcome {
            Ok(predicted) => {
                row.extend(class_columns(Some(Actual::Class(predicted.class_id)), labels));
                row.push(predicted.confidence.to_string());
                row.extend(predicted.probabilities.iter().map(f32::to_string));
            }
            Err(_) => row.extend(iter::repeat_n(String::new(), 3 + labels.len())),
        }
        file.write_record(&row)?;
    }
    file.flush()?;
    Ok(())
}

/// Name and id of a class, empty where they are not known.
fn class_columns(class: Option<Actual>, labels: &Labels) -> [String; 2] {
    match class {
        Some(Actual::Class(id)) => [labels.name(id).to_owned(), id.to_string()],
        Some(Actual::OneOf(first)) => [labels.name(first).to_owned(), String::new()],
        None => Default::default(),
    }
}
