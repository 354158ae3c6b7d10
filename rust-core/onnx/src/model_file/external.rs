//! Whether the files with a model's weights may be read.

use std::path::{Component, Path, PathBuf};

use super::protobuf::ModelFile;

/// Checks that each file with weights of the model at `path` is a file in the model's folder or below. Links count for
/// what they lead to. Where the model file itself is a link, as in the cache of Hugging Face's hub and in a volume of
/// Kubernetes, it may also be in the folder that this leads to.
///
/// # Errors
/// Which of them is not, and what to do.
pub(crate) fn check(path: &Path, model: &ModelFile) -> Result<(), String> {
    if model.external_data.is_empty() {
        return Ok(());
    }
    let parent = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_owned();
    let folder = parent(path);
    let file = path.file_name().unwrap_or_default().display();
    let real = |path: &Path| path.canonicalize();
    let roots: Vec<PathBuf> = [real(&folder), real(path).map(|path| parent(&path))]
        .into_iter()
        .flatten()
        .collect();
    for location in &model.external_data {
        let shown = location.escape_debug();
        let inside = Path::new(location)
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if location.is_empty() || !inside {
            return Err(format!(
                "{file} has its weights in `{shown}`, outside of its own folder; export the model again, with its \
                 weights beside it"
            ));
        }
        let place = folder.join(location);
        let target = real(&place).map_err(|cause| {
            format!(
                "{file} has its weights in `{shown}`, which cannot be read: {cause}; copy it to {}",
                place.display()
            )
        })?;
        if !roots.iter().any(|root| target.starts_with(root)) {
            return Err(format!(
                "{file} has its weights in `{shown}`, a link to {}, outside of the model directory; copy that file to \
                 the place of the link, or name the directory where the files really are",
                target.display()
            ));
        }
        if !target.is_file() {
            return Err(format!("{file} has its weights in `{shown}`, which is no file"));
        }
    }
    Ok(())
}
