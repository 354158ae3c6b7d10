//! Nodes before a model's input that make its tensor of pixels: it becomes a model that takes bytes.
//!
//! ```text
//! pixels ─▶ Cast to int32 ─▶ Add 0, 256 or 512 ─▶ Gather from the table ─▶ (Transpose to NHWC) ─▶ the model's input
//! uint8 [n, 3, height, width]        by plane             768 values
//! ```
//!
//! Of grey images there is one plane, and the table has 256 values.

use std::ffi::CStr;

use ort::editor::{Graph, Model, Node, Opset, ONNX_DOMAIN};
use ort::memory::Allocator;
use ort::operator::Attribute;
use ort::session::Session;
use ort::value::{Outlet, PrimitiveTensorElementType, Shape, SymbolicDimensions, Tensor, TensorElementType, ValueType};
use spark_classify_core::model::DataFormat;
use spark_classify_core::SampleTable;

use crate::session::{reason, Reason};
use crate::signature::Signature;

/// The name of the input for pixels. Names within a model are unique, and those of others are not like this.
const INPUT: &str = "spark_classify_pixels";

/// The same as ONNX Runtime's interface takes it.
pub(crate) const INPUT_C: &CStr = c"spark_classify_pixels";

/// The nodes for a model with this signature, to be added to its session.
///
/// The operators are the same in every version of ONNX's operator set since 7; what is added must have the model's.
pub(crate) fn addition(signature: &Signature, samples: &SampleTable, session: &Session) -> Result<Model, Reason> {
    add(signature, samples, session).map_err(reason)
}

fn add(signature: &Signature, samples: &SampleTable, session: &Session) -> ort::Result<Model> {
    let mut shape = signature.pixels_shape(signature.batch.unwrap_or(1));
    if signature.batch.is_none() {
        shape[0] = -1;
    }
    let mut graph = Graph::new()?;
    graph.set_inputs([Outlet::new(
        INPUT,
        ValueType::Tensor {
            ty: TensorElementType::Uint8,
            shape: Shape::new(shape),
            dimension_symbols: SymbolicDimensions::empty(4),
        },
    )])?;
    graph.set_outputs(
        session
            .outputs()
            .iter()
            .map(|output| Outlet::new(output.name(), output.dtype().clone())),
    )?;

    let name = |part: &str| format!("{INPUT}_{part}");
    let (offsets, table) = (name("offsets"), name("table"));
    let planes = signature.channels;
    let of_planes = (0_i32..).step_by(256).take(planes);
    graph.add_initializer(&offsets, initializer([planes, 1, 1], of_planes)?, false)?;
    let values = samples.0.iter().take(planes).flatten().copied();
    let length = [256 * planes];
    // Samples of a model that takes bytes stay as they are (see `Signature::of`).
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    match signature.element {
        TensorElementType::Float16 => {
            graph.add_initializer(&table, initializer(length, values.map(half::f16::from_f32))?, false)
        }
        TensorElementType::Bfloat16 => {
            graph.add_initializer(&table, initializer(length, values.map(half::bf16::from_f32))?, false)
        }
        TensorElementType::Float64 => graph.add_initializer(&table, initializer(length, values.map(f64::from))?, false),
        TensorElementType::Uint8 => {
            graph.add_initializer(&table, initializer(length, values.map(|value| value as u8))?, false)
        }
        _ => graph.add_initializer(&table, initializer(length, values)?, false),
    }?;

    let (wide, indices, gathered) = (name("wide"), name("indices"), name("gathered"));
    let input = &*signature.input.to_string_lossy();
    let tensor = match signature.format {
        DataFormat::ChannelsFirst => input,
        DataFormat::ChannelsLast => &gathered,
    };
    let node = |operator: &str, inputs: &[&str], output: &str, attributes: Vec<Attribute>| {
        Node::new(operator, ONNX_DOMAIN, name(operator), inputs, [output], attributes)
    };
    // 6 is INT32 among ONNX's data types.
    graph.add_node(node("Cast", &[INPUT], &wide, vec![Attribute::new("to", 6_i64)?])?)?;
    graph.add_node(node("Add", &[&wide, &offsets], &indices, vec![])?)?;
    graph.add_node(node("Gather", &[&table, &indices], tensor, vec![])?)?;
    if signature.format == DataFormat::ChannelsLast {
        let order = vec![Attribute::new("perm", vec![0_i64, 2, 3, 1])?];
        graph.add_node(node("Transpose", &[&gathered], input, order)?)?;
    }
    let opset = session
        .opset_for_domain(ONNX_DOMAIN)
        .ok_or_else(|| ort::Error::new("the model does not tell the version of its operators"))?;
    let mut model = Model::new([Opset::new(ONNX_DOMAIN, opset)?])?;
    model.set_graph(graph)?;
    Ok(model)
}

/// A constant of the graph, in memory of ONNX Runtime's own, which takes it over.
fn initializer<T: PrimitiveTensorElementType + Default + Clone + std::fmt::Debug + 'static, const N: usize>(
    shape: [usize; N],
    values: impl IntoIterator<Item = T>,
) -> ort::Result<Tensor<T>> {
    let mut tensor = Tensor::<T>::new(&Allocator::default(), shape)?;
    let (_, slots) = tensor.extract_tensor_mut();
    for (slot, value) in slots.iter_mut().zip(values) {
        *slot = value;
    }
    Ok(tensor)
}
