//! Writes what a model directory's preprocessing makes of images, stage by stage, for comparison with other libraries.
//!
//! ```text
//! classify-tensor MODEL OUT IMAGE...
//! ```
//!
//! For each image the folder `OUT` gets three files under its name: `.decoded`, the RGB bytes of the image; `.resized`,
//! those after resize and crop; `.tensor`, the model's input (3 x height x width) in little-endian float32. Height and
//! width of the input are printed.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::{decode, ImageLimits, Scratch};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(model), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("usage: classify-tensor MODEL OUT IMAGE...".into());
    };
    let model = ModelDirectory::open(&model)?;
    let limits = ImageLimits::default();
    let preprocessor = Preprocessor::new(model.preprocessor(), limits);
    let mut bytes_only = model.preprocessor().clone();
    bytes_only.rescale = None;
    bytes_only.normalize.clear();
    bytes_only.bgr = false;
    let resizer = Preprocessor::new(&bytes_only, limits);

    let (height, width) = model.input_size();
    writeln!(io::stdout(), "{height} {width}")?;
    let mut scratch = Scratch::default();
    let mut tensor = vec![0.0; preprocessor.tensor_len()];
    for path in arguments {
        let image = fs::read(&path)?;
        let name = path.file_name().map(Path::new).ok_or("an image must be a file")?;
        let write = |stage: &str, content: &[u8]| {
            let mut file = out.join(name).into_os_string();
            file.push(stage);
            fs::write(file, content)
        };
        write(".decoded", &decode(&image, &limits.into(), &mut scratch)?.pixels)?;
        resizer.preprocess(&image, &mut tensor, &mut scratch)?;
        write(".resized", &interleaved(&tensor))?;
        preprocessor.preprocess(&image, &mut tensor, &mut scratch)?;
        let values: Vec<u8> = tensor.iter().flat_map(|value| value.to_le_bytes()).collect();
        write(".tensor", &values)?;
    }
    Ok(())
}

/// Samples in three planes as rows of pixels.
fn interleaved(planes: &[f32]) -> Vec<u8> {
    let plane = planes.len() / 3;
    (0..plane)
        .flat_map(|pixel| (0..3).map(move |channel| planes[channel * plane + pixel] as u8))
        .collect()
}
