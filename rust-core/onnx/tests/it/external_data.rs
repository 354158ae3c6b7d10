//! Weights in files beside the model. A model names them itself, and whoever wrote it may name any file of the machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use spark_classify_core::Error;
use spark_classify_testing::contract::{load, run};
use spark_classify_testing::copy_configuration;
use spark_classify_testing::onnx_model::{external_model, Tensor, Weights, FLOAT};
use tempfile::TempDir;

use crate::engine;

/// Three floats, for a model that adds them to its logits.
const SECRET: &[u8; 12] = b"secret-bytes";

/// A folder for a test, with a model directory `model`, and a secret in the folder `outside` beside it. Returns all
/// three.
fn folder() -> (TempDir, PathBuf, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let [dir, outside] = ["model", "outside"].map(|name| root.path().join(name));
    fs::create_dir(&dir).unwrap();
    copy_configuration(&dir);
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), SECRET).unwrap();
    (root, dir, outside)
}

fn write_model(dir: &Path, weights: Weights, external_data: &[(&str, &str)]) {
    let input = Tensor::new("pixels", FLOAT, &[-1, 3, 128, 128]);
    let output = Tensor::new("scores", FLOAT, &[-1, 3]);
    fs::write(
        dir.join("model.onnx"),
        external_model(input, output, weights, external_data),
    )
    .unwrap();
}

/// What the model adds to the logits of an empty image.
fn added(dir: &Path) -> Result<Vec<u8>, Error> {
    let logits = run(&*load(&engine(), dir)?, 1, &vec![0.0; 3 * 128 * 128]);
    Ok(logits.into_iter().flat_map(f32::to_le_bytes).collect())
}

/// Checks that a model with these weights is refused, in each place that weights may have, and tells nothing of them.
fn refused(dir: &Path, external_data: &[(&str, &str)]) {
    for weights in [Weights::Initializer, Weights::Constant] {
        write_model(dir, weights, external_data);
        match added(dir) {
            Err(Error::ModelFile { path, reason }) => {
                assert_eq!(path, dir.join("model.onnx"));
                assert!(!reason.contains("secret-bytes"), "{external_data:?}: {reason}");
            }
            other => panic!("{external_data:?} as {weights:?} must be refused, got {other:?}"),
        }
    }
}

#[test]
fn weights_in_the_models_directory_are_read() {
    let (_root, dir, _) = folder();
    fs::create_dir(dir.join("data")).unwrap();
    fs::write(dir.join("weights.bin"), SECRET).unwrap();
    fs::write(dir.join("data/weights.bin"), [b"12345678", &SECRET[..]].concat()).unwrap();
    let beside = [("location", "weights.bin")];
    let below = [("location", "data/weights.bin"), ("offset", "8"), ("length", "12")];
    for weights in [Weights::Initializer, Weights::Constant] {
        for external_data in [&beside[..], &below] {
            write_model(&dir, weights, external_data);
            assert_eq!(added(&dir).unwrap(), SECRET, "{external_data:?} as {weights:?}");
        }
    }
}

#[test]
fn a_path_that_leaves_the_models_directory_is_refused() {
    let (_root, dir, outside) = folder();
    fs::create_dir(dir.join("a")).unwrap();
    let absolute = outside.join("secret");
    let locations = [
        absolute.to_str().unwrap(),
        &format!("file://{}", absolute.display()),
        "../outside/secret",
        "./../outside/secret",
        "a/../../outside/secret",
        "a/./../../outside//secret",
        "../model/../outside/secret",
        "%2e%2e/outside/secret",
        "..%2foutside%2fsecret",
        "..\\outside\\secret",
        "/proc/self/environ",
        "../../../../../../../../../../../../proc/self/environ",
        "/dev/zero",
    ];
    for location in locations {
        refused(&dir, &[("location", location)]);
        refused(&dir, &[("location", location), ("offset", "0"), ("length", "12")]);
    }
}

#[test]
fn a_symbolic_link_that_leaves_the_models_directory_is_refused() {
    let (_root, dir, outside) = folder();
    symlink(outside.join("secret"), dir.join("absolute")).unwrap();
    symlink("../outside/secret", dir.join("relative")).unwrap();
    symlink("relative", dir.join("twice")).unwrap();
    symlink(&outside, dir.join("linked")).unwrap();
    symlink("/proc/self/environ", dir.join("environ")).unwrap();
    for location in [
        "absolute",
        "relative",
        "twice",
        "linked/secret",
        "linked/../outside/secret",
        "environ",
    ] {
        refused(&dir, &[("location", location)]);
    }
    // A hard link is the file itself: nothing tells it from one that was written here. Whoever can make it here could
    // have read or copied the file (see also fs.protected_hardlinks).
}

/// Moves the files of a model directory to `store` in a flat row, and puts links to them in their places. `up` leads
/// from the directory to the folder that `store` is in.
fn replace_by_links(dir: &Path, files: &[&str], store: &Path, up: &str) {
    fs::create_dir_all(store).unwrap();
    for (number, file) in files.iter().enumerate() {
        let blob = number.to_string();
        fs::rename(dir.join(file), store.join(&blob)).unwrap();
        let folders = "../".repeat(file.matches('/').count());
        let folder = store.file_name().unwrap().to_str().unwrap();
        symlink(format!("{folders}{up}{folder}/{blob}"), dir.join(file)).unwrap();
    }
}

const CONFIGURATION: [&str; 2] = ["config.json", "preprocessor_config.json"];

#[test]
fn the_links_of_a_hub_cache_are_followed() {
    for location in ["model.onnx_data", "weights/deep/0.bin"] {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("models--someone--vit/snapshots/0123abcd");
        fs::create_dir_all(dir.join(location).parent().unwrap()).unwrap();
        copy_configuration(&dir);
        fs::write(dir.join(location), SECRET).unwrap();
        write_model(&dir, Weights::Initializer, &[("location", location)]);
        let files = [&CONFIGURATION[..], &["model.onnx", location]].concat();
        replace_by_links(&dir, &files, &root.path().join("models--someone--vit/blobs"), "../../");
        assert_eq!(added(&dir).unwrap(), SECRET, "{location}");
    }
}

#[test]
fn the_links_of_a_kubernetes_volume_are_followed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("model");
    let version = dir.join("..2026_11_27_12_00_00.123456789");
    fs::create_dir_all(version.join("weights")).unwrap();
    copy_configuration(&version);
    fs::write(version.join("weights/0.bin"), SECRET).unwrap();
    write_model(&version, Weights::Initializer, &[("location", "weights/0.bin")]);
    symlink("..2026_11_27_12_00_00.123456789", dir.join("..data")).unwrap();
    for file in ["config.json", "preprocessor_config.json", "model.onnx", "weights"] {
        symlink(format!("..data/{file}"), dir.join(file)).unwrap();
    }
    assert_eq!(added(&dir).unwrap(), SECRET);
}

#[test]
fn a_link_elsewhere_is_named_with_the_way_out() {
    let (_root, dir, outside) = folder();
    symlink(outside.join("secret"), dir.join("weights.bin")).unwrap();
    write_model(&dir, Weights::Initializer, &[("location", "weights.bin")]);
    let message = added(&dir).unwrap_err().to_string();
    for part in [
        "model.onnx: model.onnx has its weights in `weights.bin`, a link to ",
        "outside/secret, outside of the model directory",
        "copy that file to the place of the link, or name the directory where the files really are",
    ] {
        assert!(message.contains(part), "{message}");
    }
    write_model(&dir, Weights::Constant, &[("location", "missing.bin")]);
    let message = added(&dir).unwrap_err().to_string();
    assert!(
        message.contains("`missing.bin`, which cannot be read: No such file or directory (os error 2); copy it to"),
        "{message}"
    );
}

#[test]
fn what_is_no_file_is_refused() {
    let (_root, dir, _) = folder();
    fs::create_dir(dir.join("a")).unwrap();
    // Nobody writes to it: whoever opens it waits for ever.
    let pipe = Command::new("mkfifo").arg(dir.join("pipe")).status().unwrap();
    assert!(pipe.success());
    for location in [
        "",
        ".",
        "..",
        "a",
        "a/",
        "/",
        "pipe",
        "missing",
        "a\0b",
        "model.onnx/weights",
    ] {
        refused(&dir, &[("location", location)]);
    }
    refused(&dir, &[]);
    refused(&dir, &[("offset", "0"), ("length", "12")]);
}

#[test]
fn places_outside_the_file_are_refused() {
    let (_root, dir, _) = folder();
    fs::write(dir.join("weights.bin"), SECRET).unwrap();
    let location = ("location", "weights.bin");
    for number in [
        "-1",
        "-4",
        "-9223372036854775808",
        "4",
        "13",
        "4096",
        "9223372036854775807",
        "9223372036854775796",
        "18446744073709551615",
        "99999999999999999999999",
        "twelve",
    ] {
        refused(&dir, &[location, ("offset", number)]);
        refused(&dir, &[location, ("offset", number), ("length", "12")]);
        refused(&dir, &[location, ("length", number)]);
    }
}

/// ONNX Runtime marks weights that its own code holds in memory by a location, and then takes the offset for an
/// address.
#[test]
fn addresses_of_memory_are_refused() {
    let (_root, dir, _) = folder();
    let address = SECRET.as_ptr().addr().to_string();
    for tag in ["*/_ORT_MEM_ADDR_/*", "*/_ORT_LITTLE_ENDIAN_MEM_ADDR_/*"] {
        refused(&dir, &[("location", tag), ("offset", &address), ("length", "12")]);
    }
}
