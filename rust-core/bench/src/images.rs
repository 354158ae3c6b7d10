//! Finding the images to classify, and what they are known to show.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use spark_classify_core::model::Labels;
use spark_classify_core::platform::files;

use crate::classes::Actual;

/// Names that are taken for images in a directory.
const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// One image to classify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// As the source names it.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The class it is known to show.
    pub(crate) actual: Option<Actual>,
}

/// The images that `source` names, in the order of the CSV file or sorted by path.
///
/// # Errors
/// A message that names the source, the line where there is one, and the reason.
pub(crate) fn find(source: &str, image_dir: Option<&Path>, labels: &Labels) -> Result<Vec<Image>, String> {
    let path = Path::new(source);
    let images = if path.is_dir() {
        let mut paths = Vec::new();
        list(path, &mut paths).map_err(|cause| format!("{source}: {cause}"))?;
        paths.sort();
        unlabelled(paths)
    } else if path.extension() == Some(OsStr::new("csv")) {
        let beside = || path.with_file_name("all_images");
        read_csv(path, &image_dir.map_or_else(beside, Path::to_owned), labels)?
    } else if path.is_file() {
        unlabelled(vec![path.to_owned()])
    } else {
        let paths = glob::glob(source).map_err(|cause| format!("--images {source}: {cause}"))?;
        unlabelled(paths.collect::<Result<_, _>>().map_err(|cause| cause.to_string())?)
    };
    if images.is_empty() {
        return Err(format!("--images {source}: no images there"));
    }
    Ok(images)
}

fn unlabelled(paths: Vec<PathBuf>) -> Vec<Image> {
    let image = |path: PathBuf| Image {
        name: path.display().to_string(),
        path,
        actual: None,
    };
    paths.into_iter().map(image).collect()
}

/// Collects the image files below `dir`, at any depth.
fn list(dir: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, paths)?;
        } else if path.extension().and_then(OsStr::to_str).is_some_and(is_image) {
            paths.push(path);
        }
    }
    Ok(())
}

fn is_image(extension: &str) -> bool {
    EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

fn read_csv(path: &Path, image_dir: &Path, labels: &Labels) -> Result<Vec<Image>, String> {
    let fail = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let mut reader = csv::Reader::from_reader(files::open(path).map_err(|cause| fail(&cause))?.file);
    let header = reader.headers().map_err(|cause| fail(&cause))?.clone();
    let column = |name: &str| header.iter().position(|column| column == name);
    let name = column("image_path").ok_or_else(|| fail(&"has no column `image_path`"))?;
    let class = column("actual_class");
    let class_id = column("actual_class_id");

    let mut images = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|cause| fail(&cause))?;
        let field = |column: Option<usize>| column.and_then(|column| record.get(column));
        let line = record.position().map_or(0, csv::Position::line);
        images.push(Image {
            name: record[name].to_owned(),
            path: image_dir.join(&record[name]),
            actual: actual(field(class), field(class_id), labels)
                .map_err(|reason| fail(&format!("line {line}: {reason}")))?,
        });
    }
    Ok(images)
}

/// The class an image is known to show, by id, by name or by both, which must agree with the model's labels: the
/// confusion matrix would otherwise compare different things.
fn actual(class: Option<&str>, class_id: Option<&str>, labels: &Labels) -> Result<Option<Actual>, String> {
    let class = class.filter(|class| !class.is_empty());
    let Some(text) = class_id.filter(|id| !id.is_empty()) else {
        return class
            .map(|class| {
                let mut named = labels.iter().enumerate().filter(|&(_, label)| label == class);
                match (named.next(), named.next()) {
                    (Some((first, _)), Some(_)) => Ok(Actual::OneOf(first)),
                    (Some((only, _)), None) => Ok(Actual::Class(only)),
                    (None, _) => Err(format!("actual_class `{class}` is no label of the model")),
                }
            })
            .transpose();
    };
    let id = text.parse().ok().filter(|&id| id < labels.len()).ok_or_else(|| {
        let last = labels.len() - 1;
        format!("actual_class_id `{text}` is no class of the model, whose ids are 0 to {last}")
    })?;
    match class {
        Some(class) if class != labels.name(id) => Err(format!(
            "actual_class is `{class}`, but class {id} of the model is `{}`",
            labels.name(id)
        )),
        _ => Ok(Some(Actual::Class(id))),
    }
}
