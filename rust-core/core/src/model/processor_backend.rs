//! Which of the two implementations of an image processor is followed. transformers 5 has both of each: on Pillow
//! images, and with torchvision on tensors.
//!
//! It chooses by what is installed, or by `AutoImageProcessor.from_pretrained(..., backend=...)`, and writes the choice
//! into no file; of a file that has a field `backend` it makes no processor. So the field has another name here, which
//! it leaves alone and writes back.

use serde_json::Value;

use super::json::Object;
use super::preprocessor_config::{CropConvention, PreprocessorConfig, RescaleArithmetic};
use crate::error::Result;

const FIELD: &str = "image_processor_backend";
const PIL: &str = "pil";
const TORCHVISION: &str = "torchvision";

/// The implementation that a file asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Backend {
    /// On Pillow images; this is the default.
    Pil,
    /// With torchvision, on tensors.
    Torchvision {
        /// Whether `do_normalize` is on.
        normalizes: bool,
    },
}

impl Backend {
    /// Whether a file that nobody has taken fields of asks for torchvision.
    pub(super) fn is_torchvision(file: &Object) -> bool {
        file.text(FIELD) == Some(TORCHVISION)
    }

    /// Takes the field, before `do_normalize` is taken; `transforms` says whether the file is not of a processor of
    /// transformers, but of torchvision's own transforms.
    pub(super) fn take(file: &mut Object, transforms: bool) -> Result<Self> {
        if file.has("backend") {
            let reason = format!("is a field with which transformers makes no processor; write `{FIELD}`");
            return Err(file.error("backend", reason));
        }
        match file.take::<String>(FIELD)?.as_deref() {
            None | Some(PIL) => Ok(Self::Pil),
            Some(TORCHVISION) if transforms => {
                let reason = format!(
                    "is `{TORCHVISION}`, which is for the processors of transformers: torchvision's own transforms \
                     resize tensors in floating point, which is not supported; write `{PIL}`"
                );
                Err(file.error(FIELD, reason))
            }
            Some(TORCHVISION) => Ok(Self::Torchvision {
                normalizes: file.rest().get("do_normalize") != Some(&Value::Bool(false)),
            }),
            Some(other) => Err(file.error(FIELD, format!("`{other}` is neither `{PIL}` nor `{TORCHVISION}`"))),
        }
    }

    /// Makes the steps of a processor on Pillow images those of this backend.
    pub(super) fn apply(self, file: &Object, config: &mut PreprocessorConfig) -> Result<()> {
        let Self::Torchvision { normalizes } = self else {
            return Ok(());
        };
        if let Some(resize) = &mut config.resize {
            let Some(resampling) = resize.resampling.on_tensors() else {
                let reason = format!(
                    "is {:?}, with which torchvision 0.26 does not resize tensors; write 0 or nearest, 2 bilinear or 3 \
                     bicubic, or `{FIELD}`: `{PIL}`",
                    resize.resampling
                );
                return Err(file.error("resample", reason));
            };
            resize.resampling = resampling;
        }
        if let Some(crop) = &mut config.crop {
            crop.convention = CropConvention::Tensors;
        }
        if let Some(rescale) = &mut config.rescale {
            rescale.arithmetic = if normalizes && rescale.offset == 0.0 {
                RescaleArithmetic::Fused
            } else {
                RescaleArithmetic::Single
            };
            if !rescale.inverse().is_normal() {
                let reason = format!("is {}, by which torchvision's processors cannot divide", rescale.factor);
                return Err(file.error("rescale_factor", reason));
            }
        }
        Ok(())
    }
}
