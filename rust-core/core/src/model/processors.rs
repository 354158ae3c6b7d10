//! The image processors of Hugging Face's transformers: what each does beyond the plain steps, and the values it takes
//! for fields that its configuration file leaves out.
//!
//! Both follow the classes that work on Pillow images: those without a suffix in releases before 5, and those that end
//! in `Pil` since. Where the two disagree about a default, there is none here, and the file has to say it.

use serde_json::{json, Map, Value};

use super::json::Object;
use crate::error::Result;

/// Means and standard deviations that several processors share.
const HALF: [f64; 3] = [0.5, 0.5, 0.5];
const IMAGENET: ([f64; 3], [f64; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
const CLIP: ([f64; 3], [f64; 3]) = (
    [0.481_454_66, 0.457_827_5, 0.408_210_73],
    [0.268_629_54, 0.261_302_58, 0.275_777_11],
);

/// What a processor does that its file does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Processor {
    /// Just the steps in the file.
    Plain,
    /// `ConvNextImageProcessor`: below 384 pixels, `size` is cut from an image that is larger by `crop_pct`.
    ConvNext,
    /// `EfficientNetImageProcessor`: can subtract 1 when it rescales, and divides by the standard deviation twice.
    EfficientNet,
    /// `LevitImageProcessor`: resizes to 256/224 of `size`.
    Levit,
    /// `PoolFormerImageProcessor`: resizes to `size` over `crop_pct`.
    PoolFormer,
    /// `SegformerImageProcessor`: never crops.
    Segformer,
    /// No processor but torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize` on Pillow images.
    Torchvision,
}

/// What other files say that concerns a processor's file.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    /// The processor's class where its own file does not name it, and the field of `config.json` that tells it.
    class: Option<(&'static str, String)>,
    /// Whether transformers 5 or later wrote the files.
    since_5: bool,
}

impl Surroundings {
    /// Reads `config.json`; `nested` says whether the processor's fields stand in `processor_config.json`, where only
    /// transformers 5 and later write them.
    pub(super) fn take(config: &mut Object, nested: bool) -> Result<Self> {
        let named = config.take::<String>("image_processor_type")?;
        let of_model = || config.text("model_type").and_then(class_of_model);
        let class = match named {
            Some(class) => Some(("image_processor_type", class)),
            None => of_model().map(|class| ("model_type", format!("{class}ImageProcessor"))),
        };
        let version = config.text("transformers_version").unwrap_or_default();
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        Ok(Self {
            class,
            since_5: nested || major.is_some_and(|major| major >= 5),
        })
    }
}

impl Processor {
    /// Takes the fields that name the processor, and fills in its defaults for fields that are absent. As
    /// `AutoImageProcessor` does, looks into `config.json` where the file names none.
    pub(super) fn take(file: &mut Object, surroundings: &Surroundings, notes: &mut Vec<String>) -> Result<Self> {
        let feature_extractor = file.take::<String>("feature_extractor_type")?;
        let own = match file.take::<String>("image_processor_type")? {
            Some(class) => Some(("image_processor_type", class)),
            None => feature_extractor.map(|class| ("feature_extractor_type", class)),
        };
        let (field, class, origin) = match (own, &surroundings.class) {
            (Some((field, class)), _) => (field, class, String::new()),
            (None, Some((field, class))) => (
                "image_processor_type",
                class.clone(),
                format!("is missing, and `{field}` in config.json means "),
            ),
            (None, None) => return Ok(Self::Plain),
        };
        let Some((processor, defaults)) = known(&class) else {
            let reason = format!(
                "{origin}`{class}`, which may have steps of its own that this file does not tell; if the steps written \
                 here are all there is, write `ViTImageProcessor`"
            );
            return Err(file.error(field, reason));
        };
        let on_tensors = class.ends_with("Fast") || surroundings.since_5 && !class.ends_with("Pil");
        if on_tensors && processor != Self::Torchvision {
            notes.push(format!(
                "`{class}` resizes tensors with torchvision; images are resized as Pillow does, as by the processor of \
                 the same name for Pillow, which differs by a grey level here and there"
            ));
        }
        file.fill(defaults);
        Ok(processor)
    }
}

/// What the processor of this `model_type` is called, without `ImageProcessor`, as transformers 5.23 assigns them to
/// image classifiers.
fn class_of_model(model_type: &str) -> Option<&'static str> {
    Some(match model_type {
        "beit" | "data2vec-vision" => "Beit",
        "bit" | "dinov2" | "focalnet" | "hiera" => "Bit",
        "blip" | "blip-2" => "Blip",
        "chinese_clip" => "ChineseCLIP",
        "altclip" | "clip" | "metaclip_2" => "CLIP",
        "convnext" | "convnextv2" | "cvt" | "regnet" | "resnet" => "ConvNext",
        "deit" => "DeiT",
        "donut-swin" => "Donut",
        "align" | "efficientnet" => "EfficientNet",
        "imagegpt" => "ImageGPT",
        "levit" => "Levit",
        "mobilenet_v1" => "MobileNetV1",
        "mobilenet_v2" => "MobileNetV2",
        "mobilevit" | "mobilevitv2" => "MobileViT",
        "perceiver" => "Perceiver",
        "poolformer" => "PoolFormer",
        "pp_lcnet" => "PPLCNet",
        "pvt" | "pvt_v2" => "Pvt",
        "segformer" => "Segformer",
        "shieldgemma2" => "Gemma3",
        "siglip" => "Siglip",
        "siglip2" => "Siglip2",
        "textnet" => "TextNet",
        "tipsv2" => "Tipsv2",
        "clipseg" | "dinat" | "ijepa" | "swiftformer" | "swin" | "swinv2" | "vit" | "vit_msn" => "ViT",
        _ => return None,
    })
}

/// The processor of this class name and its defaults.
fn known(class: &str) -> Option<(Processor, Map<String, Value>)> {
    let name = if class == "torchvision" {
        class
    } else {
        let name = class.strip_suffix("Fast").or_else(|| class.strip_suffix("Pil"));
        let name = name.unwrap_or(class);
        name.strip_suffix("ImageProcessor")
            .or_else(|| name.strip_suffix("FeatureExtractor"))?
    };
    let square = |side: usize| json!({"height": side, "width": side});
    let edge = |edge: usize| json!({"shortest_edge": edge});
    let (processor, fields) = match name {
        "Beit" => (
            Processor::Plain,
            json!({"default_to_square": true, "resample": 3, "crop_size": square(224), "image_mean": HALF,
                   "image_std": HALF}),
        ),
        "Bit" | "CLIP" | "ChineseCLIP" => (
            Processor::Plain,
            json!({"default_to_square": false, "size": edge(224), "resample": 3, "do_center_crop": true,
                   "crop_size": square(224), "image_mean": CLIP.0, "image_std": CLIP.1}),
        ),
        "Blip" => (
            Processor::Plain,
            json!({"default_to_square": true, "size": square(384), "resample": 3, "do_center_crop": false,
                   "image_mean": CLIP.0, "image_std": CLIP.1}),
        ),
        "ConvNext" => (
            Processor::ConvNext,
            json!({"default_to_square": false, "size": edge(384), "crop_pct": 0.875, "do_center_crop": false,
                   "image_mean": HALF, "image_std": HALF}),
        ),
        "DeiT" => (
            Processor::Plain,
            json!({"default_to_square": true, "size": square(256), "resample": 3, "do_center_crop": true,
                   "crop_size": square(224), "image_mean": HALF, "image_std": HALF}),
        ),
        "EfficientNet" => (
            Processor::EfficientNet,
            json!({"default_to_square": true, "size": square(346), "do_center_crop": false, "crop_size": square(289),
                   "rescale_offset": false, "include_top": true, "image_mean": HALF, "image_std": HALF}),
        ),
        "Levit" => (
            Processor::Levit,
            json!({"default_to_square": false, "size": edge(224), "resample": 3, "do_center_crop": true,
                   "crop_size": square(224), "image_mean": IMAGENET.0, "image_std": IMAGENET.1}),
        ),
        "MobileNetV1" | "MobileNetV2" => (
            Processor::Plain,
            json!({"default_to_square": false, "size": edge(256), "resample": 2, "do_center_crop": true,
                   "crop_size": square(224), "image_mean": HALF, "image_std": HALF}),
        ),
        "MobileViT" => (
            Processor::Plain,
            json!({"default_to_square": false, "size": edge(224), "do_center_crop": true, "crop_size": square(256),
                   "do_normalize": false, "do_flip_channel_order": true}),
        ),
        "PoolFormer" => (
            Processor::PoolFormer,
            json!({"default_to_square": false, "size": edge(224), "crop_pct": 0.9, "resample": 3,
                   "do_center_crop": true, "crop_size": square(224), "image_mean": IMAGENET.0,
                   "image_std": IMAGENET.1}),
        ),
        "Pvt" => (
            Processor::Plain,
            json!({"default_to_square": true, "size": square(224), "do_center_crop": false,
                   "image_mean": IMAGENET.0, "image_std": IMAGENET.1}),
        ),
        "Segformer" => (
            Processor::Segformer,
            json!({"default_to_square": true, "size": square(512), "resample": 2, "do_center_crop": false,
                   "image_mean": IMAGENET.0, "image_std": IMAGENET.1}),
        ),
        "Siglip" => (
            Processor::Plain,
            json!({"default_to_square": false, "size": square(224), "resample": 3, "do_center_crop": false,
                   "image_mean": HALF, "image_std": HALF}),
        ),
        "ViT" => (
            Processor::Plain,
            json!({"default_to_square": true, "size": square(224), "resample": 2, "do_center_crop": false,
                   "image_mean": HALF, "image_std": HALF}),
        ),
        "torchvision" => (
            Processor::Torchvision,
            json!({"default_to_square": false, "resample": 2}),
        ),
        _ => return None,
    };
    match fields {
        Value::Object(fields) => Some((processor, fields)),
        _ => None,
    }
}
