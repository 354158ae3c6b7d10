//! Models that are newer than ONNX Runtime.

use ort::environment::Environment;
use ort::ErrorCode;

use super::protobuf::ModelFile;
use crate::library;

/// Versions from here on are not tried: ONNX has a new one every half a year, and these are one byte in a file.
const LAST: u64 = 128;

/// The types that ONNX Runtime has few operators for on CPUs, as numbers of `TensorProto.DataType`.
const RARE_TYPES: [(u64, &str); 2] = [(11, "float64"), (16, "bfloat16")];

/// Why ONNX Runtime does not take a model: what it says itself, or that the model is of a version that is too new for
/// it.
pub(crate) fn explain(environment: &Environment, model: &ModelFile, error: &ort::Error) -> String {
    if let Some(reason) = too_new(environment, model) {
        return reason;
    }
    let said = error.message();
    let rare = RARE_TYPES.iter().find(|(number, _)| model.input_types.contains(number));
    match (error.code(), rare) {
        (ErrorCode::NotImplemented, Some((_, name))) => format!(
            "the model computes in {name}, for which ONNX Runtime lacks an operator: {said}; export it in float32 \
             (`model.float()` in PyTorch)"
        ),
        _ => said.to_owned(),
    }
}

/// ONNX Runtime does not tell which versions it takes, so it is tried on the smallest models there are.
fn too_new(environment: &Environment, model: &ModelFile) -> Option<String> {
    let newest = |takes: &dyn Fn(u64) -> bool, first: u64| (first..LAST).take_while(|version| takes(*version)).last();
    let runtime = library::version();
    let too_new = |what: &str, version: u64, newest: u64, way_out: &str| {
        format!(
            "the model is of {what} {version}, and ONNX Runtime {runtime} takes versions up to {newest}; {way_out}, or \
             run it with a newer ONNX Runtime (spark.classify.onnxruntime.library)"
        )
    };
    let takes = |ir_version: u64, operator_set: u64| loads(environment, ir_version, operator_set);
    let last_format = newest(&|version| takes(version, FIRST_OPERATOR_SET), FIRST_FORMAT)?;
    if model.ir_version > last_format {
        let way_out = "export it again with an older version of the onnx package, or set `ir_version` in the file";
        return Some(too_new("IR version", model.ir_version, last_format, way_out));
    }
    let own = model
        .operator_sets
        .iter()
        .find(|set| matches!(&*set.domain, "" | "ai.onnx"))?;
    let last_set = newest(&|version| takes(FIRST_FORMAT, version), FIRST_OPERATOR_SET)?;
    (own.version > last_set).then(|| {
        let way_out = format!("export it again with `opset_version={last_set}` or less");
        too_new("operator set", own.version, last_set, &way_out)
    })
}

/// Versions that every ONNX Runtime takes.
const FIRST_FORMAT: u64 = 4;
const FIRST_OPERATOR_SET: u64 = 9;

/// Whether ONNX Runtime takes a model of these versions that hands its input on.
fn loads(environment: &Environment, ir_version: u64, operator_set: u64) -> bool {
    // All are below 128, and so one byte each.
    let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    let value = |field: u8, name: u8| [field << 3 | 2, 9, 10, 1, name, 18, 4, 10, 2, 8, 1];
    let node = [
        10, 16, 10, 1, b'x', 18, 1, b'y', 34, 8, b'I', b'd', b'e', b'n', b't', b'i', b't', b'y',
    ];
    let graph = [&node[..], &[18, 1, b'g'], &value(11, b'x'), &value(12, b'y')].concat();
    let model = [
        &[8, byte(ir_version)][..],
        &[58, byte(graph.len() as u64)],
        &graph,
        &[66, 2, 16, byte(operator_set)],
    ];
    let load = || ort::session::Session::builder(environment)?.commit_from_memory(&model.concat());
    load().is_ok()
}
