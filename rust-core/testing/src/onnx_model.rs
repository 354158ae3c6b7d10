//! Small ONNX models, written as the protocol buffers they are (field numbers from onnx.proto).

/// `TensorProto.DataType` of 32-bit floats.
pub const FLOAT: u64 = 1;
/// `TensorProto.DataType` of 16-bit floats.
pub const FLOAT16: u64 = 10;
/// `TensorProto.DataType` of 64-bit integers.
pub const INT64: u64 = 7;
/// `TensorProto.DataType` of 64-bit floats.
pub const FLOAT64: u64 = 11;
/// `TensorProto.DataType` of bfloat16.
pub const BFLOAT16: u64 = 16;
/// `TensorProto.DataType` of bytes.
pub const UINT8: u64 = 2;
/// `TensorProto.DataType` of text.
pub const STRING: u64 = 8;

/// An input or output of a model.
#[derive(Clone, Copy)]
pub struct Tensor<'a> {
    name: &'a str,
    element_type: u64,
    /// -1 stands for a dynamic dimension.
    shape: &'a [i64],
    /// What dynamic dimensions are called; `any` where this is empty.
    symbols: &'a [&'a str],
}

impl<'a> Tensor<'a> {
    /// A tensor of this name, `TensorProto.DataType` and shape, in which -1 stands for a dynamic dimension.
    pub const fn new(name: &'a str, element_type: u64, shape: &'a [i64]) -> Self {
        Self {
            name,
            element_type,
            shape,
            symbols: &[],
        }
    }

    /// Gives the dimensions names, which tell where they are dynamic.
    #[must_use]
    pub fn called(self, symbols: &'a [&'a str]) -> Self {
        Self { symbols, ..self }
    }

    /// `ValueInfoProto`
    fn encode(&self) -> Vec<u8> {
        let dimensions = self.shape.iter().enumerate().flat_map(|(index, &dimension)| {
            let symbol = self.symbols.get(index).unwrap_or(&"any");
            match u64::try_from(dimension) {
                Ok(size) => bytes(1, &number(1, size)),
                Err(_) => bytes(1, &bytes(2, symbol.as_bytes())),
            }
        });
        let shape = bytes(2, &dimensions.collect::<Vec<_>>());
        let tensor_type = bytes(1, &[number(1, self.element_type), shape].concat());
        [bytes(1, self.name.as_bytes()), bytes(2, &tensor_type)].concat()
    }
}

/// A `ModelProto` that averages each channel of its first input: `pooled` of shape `[n, channels, 1, 1]`, and that
/// flattened to `[n, channels]` under the name of the last output, unless this is `pooled` itself.
pub fn pooling_model(inputs: &[Tensor<'_>], outputs: &[Tensor<'_>]) -> Vec<u8> {
    model(
        inputs,
        outputs,
        &pooling(inputs[0].name, outputs[outputs.len() - 1].name),
    )
}

/// The same for an input whose channels are its last dimension.
pub fn channels_last_model(input: Tensor<'_>, output: Tensor<'_>) -> Vec<u8> {
    let mut permutation = [bytes(1, b"perm"), number(20, 7)].concat();
    permutation.extend([0, 3, 1, 2].into_iter().flat_map(|dimension| number(8, dimension)));
    let transpose = node("Transpose", input.name, "transposed", &bytes(5, &permutation));
    let nodes = [transpose, pooling("transposed", output.name)].concat();
    model(&[input], &[output], &nodes)
}

/// A `ModelProto` that averages each channel of its input in float32, whatever the types of input and output are.
pub fn casting_model(input: Tensor<'_>, output: Tensor<'_>) -> Vec<u8> {
    let cast = |from: &str, to: &str, element_type: u64| {
        let attribute = [bytes(1, b"to"), number(3, element_type), number(20, 2)].concat();
        node("Cast", from, to, &bytes(5, &attribute))
    };
    let nodes = [
        cast(input.name, "floats", FLOAT),
        pooling("floats", "means"),
        cast("means", output.name, output.element_type),
    ];
    model(&[input], &[output], &nodes.concat())
}

/// A `ModelProto` that averages each of three channels and gives that as the output called `right`. Of the other
/// outputs those of three numbers are minus that, and all others the input. Each has the shape that it declares, save
/// that its first dimension is that of the input.
pub fn reshaping_model(input: Tensor<'_>, outputs: &[Tensor<'_>], right: &str) -> Vec<u8> {
    let mut nodes = pooling(input.name, "means");
    nodes.extend(node("Neg", "means", "wrong", &[]));
    for output in outputs {
        let shape = format!("{} shape", output.name);
        nodes.extend(constant(&shape, &[&[0], &output.shape[1..]].concat()));
        let values = match output.shape[1..].iter().product() {
            _ if output.name == right => "means",
            3 => "wrong",
            _ => input.name,
        };
        let fields = [
            bytes(1, values.as_bytes()),
            bytes(1, shape.as_bytes()),
            bytes(2, output.name.as_bytes()),
            bytes(4, b"Reshape"),
        ];
        nodes.extend(bytes(1, &fields.concat()));
    }
    model(&[input], outputs, &nodes)
}

/// A `ModelProto` that averages each of three channels and applies softmax.
pub fn softmax_model(input: Tensor<'_>, output: Tensor<'_>) -> Vec<u8> {
    let nodes = [pooling(input.name, "means"), node("Softmax", "means", output.name, &[])];
    model(&[input], &[output], &nodes.concat())
}

/// A `ModelProto` that averages each of three channels, applies softmax, and gives maps from classes to that: for each
/// image one, as scikit-learn's converter writes them. Classes are numbers from 0 on where `classes` is empty.
pub fn zipmap_model(input: Tensor<'_>, output: &str, classes: &[&str]) -> Vec<u8> {
    let attribute = if classes.is_empty() {
        let numbers = (0..3).flat_map(|class| number(8, class));
        [bytes(1, b"classlabels_int64s"), number(20, 7)]
            .concat()
            .into_iter()
            .chain(numbers)
            .collect()
    } else {
        let names = classes.iter().flat_map(|class| bytes(9, class.as_bytes()));
        [bytes(1, b"classlabels_strings"), number(20, 8)]
            .concat()
            .into_iter()
            .chain(names)
            .collect::<Vec<_>>()
    };
    let attributes = [bytes(5, &attribute), bytes(7, b"ai.onnx.ml")].concat();
    let nodes = [
        pooling(input.name, "means"),
        node("Softmax", "means", "shares", &[]),
        node("ZipMap", "shares", output, &attributes),
    ];
    // `TypeProto` of a sequence of maps.
    let key = if classes.is_empty() { INT64 } else { STRING };
    let value = bytes(1, &number(1, FLOAT));
    let map = bytes(5, &[number(1, key), bytes(2, &value)].concat());
    let sequence = bytes(4, &bytes(1, &map));
    let value_info = [bytes(1, output.as_bytes()), bytes(2, &sequence)].concat();
    let graph = [nodes.concat(), bytes(12, &value_info)].concat();
    [
        model(&[input], &[], &graph),
        bytes(8, &[bytes(1, b"ai.onnx.ml"), number(2, 1)].concat()),
    ]
    .concat()
}

/// A `ModelProto` like [`pooling_model`], whose output has the shape `[1, 3]` whatever the batch is: it fails on
/// several images.
pub fn one_image_model(input: Tensor<'_>, output: Tensor<'_>) -> Vec<u8> {
    let reshape = [
        bytes(1, b"pooled"),
        bytes(1, b"shape"),
        bytes(2, output.name.as_bytes()),
        bytes(4, b"Reshape"),
    ];
    let nodes = [
        constant("shape", &[1, 3]),
        pooling(input.name, "pooled"),
        bytes(1, &reshape.concat()),
    ]
    .concat();
    model(&[input], &[output], &nodes)
}

/// Where in a model a tensor of weights stands.
#[derive(Clone, Copy, Debug)]
pub enum Weights {
    /// Among the graph's initializers.
    Initializer,
    /// In the attribute of a node of the operator `Constant`.
    Constant,
}

/// A `ModelProto` that averages each of three channels and adds three floats, which are outside of it: `external_data`
/// is the tensor's field of this name, of pairs such as `("location", "weights.bin")`.
pub fn external_model(
    input: Tensor<'_>,
    output: Tensor<'_>,
    weights: Weights,
    external_data: &[(&str, &str)],
) -> Vec<u8> {
    let entries = external_data
        .iter()
        .flat_map(|(key, value)| bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat()));
    let tensor = [
        number(1, 3),
        number(2, FLOAT),
        bytes(8, b"weights"),
        entries.collect(),
        number(14, 1),
    ]
    .concat();
    let weights = match weights {
        Weights::Initializer => bytes(5, &tensor),
        Weights::Constant => {
            let attribute = [bytes(1, b"value"), bytes(5, &tensor), number(20, 4)].concat();
            let fields = [bytes(2, b"weights"), bytes(4, b"Constant"), bytes(5, &attribute)];
            bytes(1, &fields.concat())
        }
    };
    let add = [
        bytes(1, b"means"),
        bytes(1, b"weights"),
        bytes(2, output.name.as_bytes()),
        bytes(4, b"Add"),
    ];
    let nodes = [weights, pooling(input.name, "means"), bytes(1, &add.concat())].concat();
    model(&[input], &[output], &nodes)
}

fn pooling(input: &str, output: &str) -> Vec<u8> {
    let mut nodes = node("GlobalAveragePool", input, "pooled", &[]);
    if output != "pooled" {
        nodes.extend(node("Flatten", "pooled", output, &[]));
    }
    nodes
}

/// A field with an initializer: a vector of integers.
fn constant(name: &str, values: &[i64]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let fields = [
        number(1, values.len() as u64),
        number(2, INT64),
        bytes(8, name.as_bytes()),
        bytes(9, &data),
    ];
    bytes(5, &fields.concat())
}

/// A field with a `NodeProto`.
fn node(operator: &str, input: &str, output: &str, attributes: &[u8]) -> Vec<u8> {
    let fields = [
        bytes(1, input.as_bytes()),
        bytes(2, output.as_bytes()),
        bytes(4, operator.as_bytes()),
        attributes.to_vec(),
    ];
    bytes(1, &fields.concat())
}

fn model(inputs: &[Tensor<'_>], outputs: &[Tensor<'_>], nodes: &[u8]) -> Vec<u8> {
    let mut graph = nodes.to_vec();
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
        encoded.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    encoded.push((value & 0x7f) as u8);
    encoded
}
