//! Preprocessing as a test sees it: its result as rows of pixels.

use spark_classify_core::preprocess::Preprocessor;
use spark_classify_core::ModelDirectory;
use spark_classify_imaging::{ImageError, ImageLimits, Scratch};
use spark_classify_testing::model_directory;

/// Preprocesses with only the steps in `fields`, without rescaling or normalising, so that the tensor holds samples.
/// Returns them as they lie in an image: rows of RGB pixels.
pub(crate) fn samples(fields: &str, limits: ImageLimits, image: &[u8]) -> Result<Vec<u8>, ImageError> {
    let directory = model_directory(&format!(r#"{{"do_rescale": false, "do_normalize": false, {fields}}}"#));
    let model = ModelDirectory::open(directory.path()).unwrap();
    let preprocessor = Preprocessor::new(model.preprocessor(), limits);
    let mut tensor = vec![f32::NAN; preprocessor.tensor_len()];
    let result = preprocessor.preprocess(image, &mut tensor, &mut Scratch::default());
    if result.is_err() {
        assert!(
            tensor.iter().all(|value| value.to_bits() == 0),
            "the slot of a bad image must be zero"
        );
    }
    result.map(|_| interleaved(&tensor))
}

fn interleaved(tensor: &[f32]) -> Vec<u8> {
    let plane = tensor.len() / 3;
    (0..plane)
        .flat_map(|pixel| (0..3).map(move |channel| tensor[channel * plane + pixel] as u8))
        .collect()
}
