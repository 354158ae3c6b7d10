//! Errors about the model directory name the file, the place in it and the way out.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use spark_classify_core::{Error, ModelDirectory, Precision};
use spark_classify_testing::{directory_of, make_fifo, model_directory, repository, Random};

const PREPROCESSOR: &str = r#"{"size": {"height": 4, "width": 6}, "resample": 2, "do_normalize": false}"#;

fn refusal(directory: &Path) -> (Error, String) {
    let error = ModelDirectory::open(directory).unwrap_err();
    let message = error.to_string();
    (error, message)
}

#[test]
fn the_committed_model_opens() {
    let model = ModelDirectory::open(&repository("model")).unwrap();
    assert_eq!(model.input_size(), (128, 128));
    assert_eq!(
        model.labels().unwrap().iter().collect::<Vec<_>>(),
        ["crop_and_replace", "font_issue", "valid_id"]
    );
}

#[test]
fn a_missing_directory_or_file_is_named_with_the_way_out() {
    let directory = model_directory(PREPROCESSOR);
    let (error, message) = refusal(&directory.path().join("elsewhere"));
    assert!(matches!(error, Error::ModelFile { .. }));
    assert!(
        message.contains("elsewhere: does not exist; name a directory that holds"),
        "{message}"
    );

    let model = ModelDirectory::open(directory.path()).unwrap();
    assert_eq!(model.path(), directory.path());
    let message = model.model_file("onnx", Precision::Fp32).unwrap_err().to_string();
    assert!(
        message.contains("model.onnx: is missing; `spark-classify export`"),
        "{message}"
    );

    fs::remove_file(directory.path().join("preprocessor_config.json")).unwrap();
    let (_, message) = refusal(directory.path());
    assert!(
        message.contains("preprocessor_config.json: is missing, and neither processor_config.json has an"),
        "{message}"
    );
}

#[test]
fn what_is_no_regular_file_is_refused_and_holds_nobody_up() {
    for name in ["config.json", "preprocessor_config.json"] {
        let directory = model_directory(PREPROCESSOR);
        let file = directory.path().join(name);
        fs::remove_file(&file).unwrap();
        make_fifo(&file);
        let (error, message) = refusal(directory.path());
        assert!(matches!(error, Error::ModelFile { path, .. } if path == file));
        assert!(
            message.ends_with(&format!("{name}: cannot be read: it is a FIFO, not a regular file")),
            "{message}"
        );
    }
    let directory = model_directory(PREPROCESSOR);
    symlink("/dev/zero", directory.path().join("model.onnx")).unwrap();
    let model = ModelDirectory::open(directory.path()).unwrap();
    let message = model.model_file("onnx", Precision::Fp32).unwrap_err().to_string();
    assert!(message.contains("it is a character device"), "{message}");
}

#[test]
fn broken_json_is_located() {
    let directory = model_directory(PREPROCESSOR);
    let config = directory.path().join("config.json");
    fs::write(&config, "{\n  \"id2label\": {\"0\": }\n}").unwrap();
    let (error, message) = refusal(directory.path());
    assert!(matches!(error, Error::ModelFile { path, .. } if path == config));
    assert!(
        message.contains("config.json: is not a JSON object: expected value at line 2 column 21"),
        "{message}"
    );

    fs::write(&config, "[1]").unwrap();
    assert!(refusal(directory.path()).1.contains("is not a JSON object"));
    fs::write(&config, [0xFF, 0xFE]).unwrap();
    assert!(refusal(directory.path()).1.contains("must be UTF-8"));
}

#[test]
fn errors_carry_the_condition_that_the_jvm_reports() {
    let directory = model_directory(r#"{"do_resize": false}"#);
    assert_eq!(refusal(directory.path()).0.condition(), "CLASSIFY_BAD_MODEL");
}

#[test]
fn configuration_is_read_as_python_reads_it() {
    let open = |name: &str| ModelDirectory::open(&repository("tests/cases/models").join(name));
    let plain = open("plain").unwrap();
    let bom = open("bom").unwrap();
    assert_eq!(bom.labels().unwrap(), plain.labels().unwrap());
    assert_eq!(bom.preprocessor(), plain.preprocessor());

    let message = open("utf16").unwrap_err().to_string();
    assert!(message.contains("is UTF-16 or UTF-32, and must be UTF-8"), "{message}");
    assert!(message.contains("utf16/"), "{message}");

    // In a field that concerns nobody here.
    let message = open("nan_json").unwrap_err().to_string();
    assert!(
        message.contains("config.json: field `drop`: is NaN; write a finite number"),
        "{message}"
    );

    let directory = model_directory(PREPROCESSOR);
    let config = directory.path().join("config.json");
    fs::write(&config, r#"{"id2label": {"0": "a"}, "attention_window": Infinity}"#).unwrap();
    assert_eq!(
        ModelDirectory::open(directory.path()).unwrap().labels().unwrap().len(),
        1
    );
    fs::write(&config, b"{\"id2label\": {\"0\": \"caf\xe9\"}}").unwrap();
    let (_, message) = refusal(directory.path());
    assert!(
        message.contains("config.json: is not UTF-8 text: ") && message.contains("index 23"),
        "{message}"
    );
}

/// A directory with these files, and what `open` makes of it.
fn opened(files: &[(&str, &str)]) -> Result<ModelDirectory, String> {
    let directory = directory_of(files);
    ModelDirectory::open(directory.path()).map_err(|error| error.to_string())
}

const LABELS: (&str, &str) = ("config.json", r#"{"id2label": {"0": "a", "1": "b"}}"#);
const ALONE: (&str, &str) = (
    "preprocessor_config.json",
    r#"{"image_processor_type": "ViTImageProcessor", "size": 8}"#,
);

#[test]
fn the_nested_processor_is_read_first() {
    let nested = r#"{"image_processor": {"image_processor_type": "ViTImageProcessor", "size": 6}}"#;
    let model = opened(&[LABELS, ALONE, ("processor_config.json", nested)]).unwrap();
    assert_eq!(model.input_size(), (6, 6));
    assert!(
        model.notes()[0].starts_with("preprocessor_config.json is not read"),
        "{:?}",
        model.notes()
    );

    // Files of older releases have one without a processor of images in it.
    for other in [
        r#"{"processor_class": "CLIPProcessor"}"#,
        r#"{"image_processor": null}"#,
    ] {
        let model = opened(&[LABELS, ALONE, ("processor_config.json", other)]).unwrap();
        assert_eq!((model.input_size(), model.notes().len()), ((8, 8), 0));
    }

    for (text, expected) in [
        (
            r#"{"image_processor": {"size": 6, "resample": 9}}"#,
            "processor_config.json: field `image_processor.resample`: is 9; write 0 or nearest",
        ),
        (
            r#"{"image_processor": [1]}"#,
            "processor_config.json: field `image_processor`: is [1]; it must be an object",
        ),
        ("{", "processor_config.json: is not a JSON object"),
    ] {
        let message = opened(&[LABELS, ALONE, ("processor_config.json", text)]).unwrap_err();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn timms_configuration_is_read_where_it_is() {
    let cfg = r#"{"input_size": [3, 30, 40], "num_classes": 2}"#;
    let whole = format!(r#"{{"architecture": "resnet18", "num_classes": 2, "pretrained_cfg": {cfg}}}"#);
    let text = format!(r#"{{"image_processor_type": "TimmWrapperImageProcessor", "pretrained_cfg": {cfg}}}"#);
    let alone = opened(&[("config.json", &whole)]).unwrap();
    assert_eq!(alone.input_size(), (30, 40));
    assert_eq!(alone.labels().unwrap().iter().collect::<Vec<_>>(), ["0", "1"]);
    assert!(alone.notes()[0].contains("names no classes"), "{:?}", alone.notes());
    let old = r#"{"architecture": "resnet18", "num_classes": 2, "input_size": [3, 30, 40]}"#;
    let wrapped = ("preprocessor_config.json", text.as_str());
    for files in [
        &[("config.json", old)][..],
        &[LABELS, wrapped],
        &[("config.json", &whole), wrapped],
    ] {
        let model = opened(files).unwrap();
        assert_eq!(model.preprocessor(), alone.preprocessor(), "{files:?}");
        assert_eq!(model.labels().unwrap().len(), 2);
    }

    // What would be prepared in two ways is not prepared in either.
    let message = opened(&[("config.json", &whole), ALONE]).unwrap_err();
    assert!(
        message.contains("preprocessor_config.json: says otherwise than pretrained_cfg in config.json"),
        "{message}"
    );
    let features = r#"{"architecture": "resnet18", "num_classes": 0, "pretrained_cfg": {}}"#;
    let model = opened(&[("config.json", features)]).unwrap();
    let message = model.labels().unwrap_err().to_string();
    assert!(
        message.contains("field `num_classes`: is 0: the model has no classes"),
        "{message}"
    );
    let wrong = r#"{"num_classes": 2, "pretrained_cfg": {"crop_mode": "top"}}"#;
    let message = opened(&[("config.json", wrong)]).unwrap_err();
    assert!(
        message.contains("config.json: field `pretrained_cfg.crop_mode`: `top` is none of"),
        "{message}"
    );
}

#[test]
fn an_error_names_what_writes_a_good_file() {
    for (files, expected) in [
        (
            [("config.json", r#"{"function_to_apply": "relu"}"#), ALONE],
            "config.json: field `function_to_apply`: `relu` is not supported; write `softmax` or `sigmoid` for a model \
             that gives logits, `none` for one that gives probabilities. `model.config.save_pretrained(DIRECTORY)` of transformers writes a good file",
        ),
        (
            [
                LABELS,
                ("preprocessor_config.json", r#"{"resample": "sharp", "size": [8, 8]}"#),
            ],
            "preprocessor_config.json: field `resample`: is \"sharp\"; write 0 or nearest, 1 lanczos, 2 bilinear, 3 \
             bicubic, 4 box, 5 hamming, 6 mks2013, 7 mks2021. \
             `AutoImageProcessor.from_pretrained(MODEL).save_pretrained(DIRECTORY)` of transformers writes a good file",
        ),
        (
            [
                (
                    "config.json",
                    r#"{"num_classes": 1, "pretrained_cfg": {"crop_pct": "most"}}"#,
                ),
                ("README.md", ""),
            ],
            "config.json: field `pretrained_cfg.crop_pct`: invalid type: string \"most\", expected f64. \
             `timm.models.save_for_hf(model, DIRECTORY)` writes a good file",
        ),
    ] {
        let message = opened(&files).unwrap_err();
        assert!(message.ends_with(expected), "{message}");
    }
}

/// Any JSON of a few values, with numbers and texts at the ends of what configuration files may hold.
fn any_value(random: &mut Random, depth: usize) -> serde_json::Value {
    const NUMBERS: [f64; 12] = [
        0.0, -0.0, 1.0, -1.0, 3.0, 0.5, 224.0, 16_384.0, 16_385.0, 1e300, -1e300, 5e-324,
    ];
    const TEXTS: [&str; 12] = [
        "",
        "32",
        "-1",
        "bilinear",
        "center",
        "border",
        "sigmoid",
        "é",
        "1e999",
        "\0",
        "18446744073709551616",
        "ViTImageProcessor",
    ];
    const NAMES: [&str; 8] = [
        "height",
        "width",
        "shortest_edge",
        "longest_edge",
        "max_height",
        "max_width",
        "0",
        "1",
    ];
    match random.below(if depth == 0 { 6 } else { 8 }) {
        0 => serde_json::Value::Null,
        1 => (random.below(2) == 0).into(),
        2 => NUMBERS[random.below(NUMBERS.len())].into(),
        3 => random.number().into(),
        4 => (random.below(600) as i64 - 100).into(),
        5 => TEXTS[random.below(TEXTS.len())].into(),
        6 => (0..random.below(5)).map(|_| any_value(random, depth - 1)).collect(),
        _ => (0..random.below(4))
            .map(|_| {
                (
                    NAMES[random.below(NAMES.len())].to_owned(),
                    any_value(random, depth - 1),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[test]
fn any_value_in_any_field_opens_or_is_refused() {
    const PROCESSOR: [&str; 16] = [
        "image_processor_type",
        "feature_extractor_type",
        "do_resize",
        "size",
        "resample",
        "default_to_square",
        "do_center_crop",
        "crop_size",
        "crop_pct",
        "rescale_factor",
        "rescale_offset",
        "image_mean",
        "image_std",
        "do_flip_channel_order",
        "data_format",
        "pretrained_cfg",
    ];
    const TIMM: [&str; 10] = [
        "input_size",
        "test_input_size",
        "fixed_input_size",
        "interpolation",
        "crop_pct",
        "crop_mode",
        "mean",
        "std",
        "num_classes",
        "label_names",
    ];
    const CONFIG: [&str; 14] = [
        "id2label",
        "label2id",
        "num_labels",
        "num_classes",
        "label_names",
        "problem_type",
        "function_to_apply",
        "model_type",
        "image_processor_type",
        "transformers_version",
        "architecture",
        "model_args",
        "pretrained_cfg",
        "output_name",
    ];
    let processor = serde_json::json!({
        "image_processor_type": "ConvNextImageProcessor", "size": 224, "resample": 3, "crop_pct": 0.9
    });
    let timm = serde_json::json!({"input_size": [3, 32, 40], "crop_pct": 0.9, "crop_mode": "border", "num_classes": 2});
    let config = serde_json::json!({"id2label": {"0": "a", "1": "b"}, "model_args": {"img_size": 8}});
    let mut random = Random::new(18);
    let mut opened_ones = 0;
    for round in 0..4000 {
        let (mut processor, mut timm, mut config) = (processor.clone(), timm.clone(), config.clone());
        for _ in 0..=random.below(2) {
            let value = any_value(&mut random, 2);
            match random.below(3) {
                0 => processor[PROCESSOR[random.below(PROCESSOR.len())]] = value,
                1 => timm[TIMM[random.below(TIMM.len())]] = value,
                _ => config[CONFIG[random.below(CONFIG.len())]] = value,
            }
        }
        let files = match round % 4 {
            0 => vec![("preprocessor_config.json", processor)],
            1 => vec![(
                "processor_config.json",
                serde_json::json!({"image_processor": processor}),
            )],
            2 => vec![("preprocessor_config.json", serde_json::json!({"pretrained_cfg": timm}))],
            _ => {
                config["pretrained_cfg"] = timm;
                vec![]
            }
        };
        let texts: Vec<_> = files
            .iter()
            .chain([&("config.json", config)])
            .map(|(name, value)| (*name, value.to_string()))
            .collect();
        let texts: Vec<_> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
        match opened(&texts) {
            Ok(model) => {
                opened_ones += 1;
                assert!((1..=16_384).contains(&model.input_size().0) && (1..=16_384).contains(&model.input_size().1));
            }
            Err(message) => assert!(message.starts_with("model file /"), "{message}"),
        }
    }
    assert!((400..3600).contains(&opened_ones), "{opened_ones} of 4000 opened");
}
