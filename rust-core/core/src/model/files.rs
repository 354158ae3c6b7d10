//! Which file of a model directory is the model.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::precision::Precision;
use crate::error::{Error, Result};

/// The files that say how a model is used.
const CONFIGURATION: [&str; 3] = ["config.json", "preprocessor_config.json", "processor_config.json"];

/// The folder in which some exporters put ONNX models.
const ONNX_FOLDER: &str = "onnx";

/// A form of a model that an engine runs.
struct Form {
    backend: &'static str,
    precisions: &'static [Precision],
    /// The files that may hold it, by their paths in the directory, best first.
    files: &'static [&'static str],
    /// What makes it.
    way_out: &'static str,
}

const FORMS: [Form; 4] = [
    Form {
        backend: "onnx",
        precisions: &[Precision::Fp32],
        files: &["model.onnx", "onnx/model.onnx"],
        way_out: "`spark-classify export` makes it, or `torch.onnx.export` of a module of your own",
    },
    Form {
        backend: "onnx",
        precisions: &[Precision::Int8],
        files: &[
            "model.int8.onnx",
            "model_quantized.onnx",
            "model_int8.onnx",
            "onnx/model_quantized.onnx",
            "onnx/model_int8.onnx",
        ],
        way_out: "`scripts/quantize_model.py` makes it of model.onnx; or choose the precision `fp32`",
    },
    Form {
        backend: "onnx",
        precisions: &[Precision::Fp16],
        files: &["model_fp16.onnx", "onnx/model_fp16.onnx"],
        way_out: "`onnxconverter_common.float16` makes it of model.onnx; or choose the precision `fp32`",
    },
    Form {
        backend: "pytorch",
        precisions: &[Precision::Fp32, Precision::Bf16],
        files: &["model.pt"],
        way_out: "`spark-classify export` makes it, or `torch.jit.trace(module, example).save(...)`",
    },
];

/// Ends of names of files that hold weights and no network.
const WEIGHTS: [&str; 7] = [".safetensors", ".bin", ".pth", ".ckpt", ".h5", ".msgpack", ".pt2"];

/// How the pointer begins that Git has in the place of a large file.
const LFS_POINTER: &[u8] = b"version https://git-lfs";

/// The file that the engine `backend` runs in `precision`, in the model directory `dir`.
///
/// # Errors
/// [`Error::ModelFile`] when there is none; the message says what could serve in its place, and what makes it.
pub(super) fn find(dir: &Path, backend: &str, precision: Precision) -> Result<PathBuf> {
    let path = dir.join(choose(&listing(dir), backend, precision).map_err(|missing| missing.in_directory(dir))?);
    let mut start = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(LFS_POINTER.len() as u64).read_to_end(&mut start));
    // What cannot be read is the engine's to say.
    if read.is_ok() && start == LFS_POINTER {
        let reason = "is a pointer of Git LFS, which stands for the file; run `git lfs pull` where it comes from";
        return Err(Error::ModelFile {
            path,
            reason: reason.to_owned(),
        });
    }
    Ok(path)
}

/// The files of a model directory that the engine `backend` needs in `precision`, as far as the directory has them:
/// those of the configuration, and the model. `listing` has all its files, by their paths in the directory.
///
/// # Errors
/// [`Error::ModelFile`] when the model is missing, with its path in the directory.
pub fn needed<'a>(listing: &'a [String], backend: &str, precision: Precision) -> Result<Vec<&'a str>> {
    let model = choose(listing, backend, precision).map_err(|missing| missing.in_directory(Path::new("")))?;
    let is_needed = |file: &&str| CONFIGURATION.contains(file) || *file == model;
    Ok(listing.iter().map(String::as_str).filter(is_needed).collect())
}

/// A model file that is not there.
struct Missing {
    file: &'static str,
    reason: String,
}

impl Missing {
    fn in_directory(self, dir: &Path) -> Error {
        Error::ModelFile {
            path: dir.join(self.file),
            reason: self.reason,
        }
    }
}

fn choose(listing: &[String], backend: &str, precision: Precision) -> Result<&'static str, Missing> {
    let is_there = |file: &&str| listing.iter().any(|listed| listed == file);
    let is_wanted = |form: &&Form| form.backend == backend && form.precisions.contains(&precision);
    let Some(form) = FORMS.iter().find(is_wanted) else {
        return Err(Missing {
            file: "",
            reason: format!("the backend {backend} has no models for the precision `{precision}`"),
        });
    };
    let file = form.files.iter().copied().find(is_there);
    file.ok_or_else(|| {
        let others = FORMS.iter().filter(|other| !is_wanted(other));
        let served = others.filter_map(|other| other.files.iter().copied().find(is_there).map(|file| (other, file)));
        let mut hints = vec!["is missing".to_owned()];
        hints.extend(served.map(|(other, file)| {
            let choice = if other.backend == backend {
                format!("the precision `{}` (spark.classify.precision)", other.precisions[0])
            } else {
                format!("the backend `{}` (spark.classify.backend)", other.backend)
            };
            format!("there is {file}: choose {choice}")
        }));
        let is_known = |file: &str| FORMS.iter().any(|form| form.files.contains(&file));
        hints.extend(listing.iter().filter_map(|file| {
            if WEIGHTS.iter().any(|end| file.ends_with(end)) {
                Some(format!("{file} holds weights alone, and cannot be run as it is"))
            } else {
                let is_model = Path::new(file).extension() == Some("onnx".as_ref()) && !is_known(file);
                is_model.then(|| format!("if {file} is the model, rename it to model.onnx"))
            }
        }));
        hints.push(form.way_out.to_owned());
        Missing {
            file: form.files[0],
            reason: hints.join("; "),
        }
    })
}

/// The files of a directory that may be a model, in the order of their names: those in it, and in its folder for ONNX.
fn listing(dir: &Path) -> Vec<String> {
    let files = |folder: &Path| -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.filter(|entry| entry.path().is_file());
        files.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    };
    let below = files(&dir.join(ONNX_FOLDER));
    let below = below.into_iter().map(|file| format!("{ONNX_FOLDER}/{file}"));
    let mut all: Vec<_> = files(dir).into_iter().chain(below).collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn chosen(files: &[&str], backend: &str, precision: Precision) -> Result<String, String> {
        let listing: Vec<_> = files.iter().map(|file| (*file).to_owned()).collect();
        let chosen = choose(&listing, backend, precision).map(str::to_owned);
        chosen.map_err(|missing| format!("{}: {}", missing.file, missing.reason))
    }

    #[test]
    fn the_first_of_the_names_is_taken() {
        let hub = ["onnx/model.onnx", "onnx/model_fp16.onnx", "onnx/model_quantized.onnx"];
        for (precision, expected) in [
            (Precision::Fp32, "onnx/model.onnx"),
            (Precision::Fp16, "onnx/model_fp16.onnx"),
            (Precision::Int8, "onnx/model_quantized.onnx"),
        ] {
            assert_eq!(chosen(&hub, "onnx", precision).unwrap(), expected);
        }
        let both = [
            "model_quantized.onnx",
            "model.int8.onnx",
            "model.onnx",
            "model.pt",
            "onnx/model.onnx",
        ];
        assert_eq!(chosen(&both, "onnx", Precision::Fp32).unwrap(), "model.onnx");
        assert_eq!(chosen(&both, "onnx", Precision::Int8).unwrap(), "model.int8.onnx");
        for precision in [Precision::Fp32, Precision::Bf16] {
            assert_eq!(chosen(&both, "pytorch", precision).unwrap(), "model.pt");
        }
    }

    #[test]
    fn what_could_serve_is_named_and_what_makes_a_model() {
        let export = "`spark-classify export` makes it, or `torch.onnx.export` of a module of your own";
        for (files, expected) in [
            (&[][..], format!("model.onnx: is missing; {export}")),
            (
                &["model.pt", "onnx/model_quantized.onnx"],
                format!(
                    "model.onnx: is missing; there is onnx/model_quantized.onnx: choose the precision `int8` \
                     (spark.classify.precision); there is model.pt: choose the backend `pytorch` \
                     (spark.classify.backend); {export}"
                ),
            ),
            (
                &["config.json", "model.safetensors", "pytorch_model.bin"],
                format!(
                    "model.onnx: is missing; model.safetensors holds weights alone, and cannot be run as it is; \
                     pytorch_model.bin holds weights alone, and cannot be run as it is; {export}"
                ),
            ),
            (
                &["vit.onnx"],
                format!("model.onnx: is missing; if vit.onnx is the model, rename it to model.onnx; {export}"),
            ),
        ] {
            assert_eq!(chosen(files, "onnx", Precision::Fp32).unwrap_err(), expected);
        }
        let message = chosen(&["model.onnx"], "pytorch", Precision::Fp32).unwrap_err();
        assert!(
            message.starts_with("model.pt: is missing; there is model.onnx: choose the backend `onnx`"),
            "{message}"
        );
        let message = chosen(&["model.onnx"], "onnx", Precision::Int8).unwrap_err();
        assert!(
            message.contains("there is model.onnx: choose the precision `fp32`")
                && message.contains("quantize_model.py"),
            "{message}"
        );
    }

    #[test]
    fn no_more_is_needed_than_the_configuration_and_one_model() {
        let listing = [
            "README.md",
            "config.json",
            "model.onnx",
            "model.safetensors",
            "onnx/config.json",
            "onnx/model.onnx",
            "preprocessor_config.json",
        ]
        .map(str::to_owned);
        assert_eq!(
            needed(&listing, "onnx", Precision::Fp32).unwrap(),
            ["config.json", "model.onnx", "preprocessor_config.json"]
        );
        let error = needed(&listing, "pytorch", Precision::Fp32).unwrap_err().to_string();
        assert!(
            error.starts_with("model file model.pt: is missing; there is model.onnx"),
            "{error}"
        );
    }

    #[test]
    fn a_pointer_of_git_is_not_the_model() {
        let directory = spark_classify_testing::model_without_weights();
        fs::write(
            directory.path().join("model.onnx"),
            "version https://git-lfs.example/spec/v1\noid sha256:0\nsize 9\n",
        )
        .unwrap();
        let error = find(directory.path(), "onnx", Precision::Fp32).unwrap_err().to_string();
        assert!(
            error.contains("model.onnx: is a pointer of Git LFS") && error.contains("git lfs pull"),
            "{error}"
        );
        let folder = directory.path().join("onnx");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("model_fp16.onnx"), "model").unwrap();
        assert_eq!(
            find(directory.path(), "onnx", Precision::Fp16).unwrap(),
            folder.join("model_fp16.onnx")
        );
    }
}
