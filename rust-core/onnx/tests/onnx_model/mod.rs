//! Small ONNX models, written as the protocol buffers they are (field numbers from onnx.proto).

/// `TensorProto.DataType` of 32-bit floats.
pub(crate) const FLOAT: u64 = 1;
/// `TensorProto.DataType` of 64-bit integers.
pub(crate) const INT64: u64 = 7;

/// An input or output of a model.
#[derive(Clone, Copy)]
pub(crate) struct Tensor<'a> {
    name: &'a str,
    element_type: u64,
    /// -1 stands for a dynamic dimension.
    shape: &'a [i64],
}

impl<'a> Tensor<'a> {
    pub(crate) fn new(name: &'a str, element_type: u64, shape: &'a [i64]) -> Self {
        Self {
            name,
            element_type,
            shape,
        }
    }

    /// `ValueInfoProto`
    fn encode(&self) -> Vec<u8> {
        let dimensions = self.shape.iter().flat_map(|&dimension| match u64::try_from(dimension) {
            Ok(size) => bytes(1, &number(1, size)),
            Err(_) => bytes(1, &bytes(2, b"any")),
        });
        let shape = bytes(2, &dimensions.collect::<Vec<_>>());
        let tensor_type = bytes(1, &[number(1, self.element_type), shape].concat());
        [bytes(1, self.name.as_bytes()), bytes(2, &tensor_type)].concat()
    }
}

/// A `ModelProto` that averages each channel of its first input: `pooled` of shape `[n, channels, 1, 1]`, and that
/// flattened to `[n, channels]` under the name of the last output, unless this is `pooled` itself.
pub(crate) fn pooling_model(inputs: &[Tensor<'_>], outputs: &[Tensor<'_>]) -> Vec<u8> {
    let node = |operator: &str, input: &str, output: &str| {
        let fields = [
            bytes(1, input.as_bytes()),
            bytes(2, output.as_bytes()),
            bytes(4, operator.as_bytes()),
        ];
        bytes(1, &fields.concat())
    };
    let mut graph = node("GlobalAveragePool", inputs[0].name, "pooled");
    let last = outputs[outputs.len() - 1].name;
    if last != "pooled" {
        graph.extend(node("Flatten", "pooled", last));
    }
    graph.extend(bytes(2, b"pooling"));
    graph.extend(inputs.iter().flat_map(|input| bytes(11, &input.encode())));
    graph.extend(outputs.iter().flat_map(|output| bytes(12, &output.encode())));
    let operator_set = number(2, 13);
    [number(1, 8), bytes(7, &graph), bytes(8, &operator_set)].concat()
}

/// A field of a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

/// A field of bytes, text or another message.
fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push(value as u8 | 0x80);
        value >>= 7;
    }
    encoded.push(value as u8);
    encoded
}
