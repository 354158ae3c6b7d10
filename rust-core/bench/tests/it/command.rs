//! Runs the binary, and reads what it writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use spark_classify_testing::repository;

/// A new directory for the test called `name`.
pub(crate) fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// `classify-bench` with the project's model; the caller adds the images.
pub(crate) fn bench(backend: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_classify-bench"));
    // It has to find libtorch by itself.
    command.env_remove("LD_LIBRARY_PATH");
    command.arg("--model").arg(repository("model"));
    command.args(["--backend", backend]);
    command
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub(crate) fn run(command: &mut Command, code: i32) -> Output {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(code), "stderr: {}", text(&output.stderr));
    output
}

pub(crate) fn json(command: &mut Command, code: i32) -> Value {
    serde_json::from_slice(&run(command.arg("--json"), code).stdout).unwrap()
}

/// The stderr of a run that could not start.
pub(crate) fn refusal(command: &mut Command) -> String {
    text(&run(command, 2).stderr).to_owned()
}

pub(crate) fn rows(csv: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(csv).unwrap();
    let row = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// A CSV file in `dir` with the first `n` images of the dataset, and then `more` lines.
pub(crate) fn images(dir: &Path, n: usize, more: &[&str]) -> PathBuf {
    let all = fs::read_to_string(repository("dataset/image_data.csv")).unwrap();
    let lines: Vec<_> = all.lines().take(n + 1).chain(more.iter().copied()).collect();
    let path = dir.join("images.csv");
    fs::write(&path, lines.join("\n")).unwrap();
    path
}

pub(crate) fn image_dir() -> PathBuf {
    repository("dataset/all_images")
}
