//! Reading a `ModelProto`: the few of its fields that are of interest, whatever its size. The numbers of fields are
//! those of onnx.proto.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

/// Messages within messages beyond this depth are an error, as they are for ONNX Runtime.
const MAX_DEPTH: usize = 100;

/// Texts that are longer, in bytes, are an error. Names of files and domains are shorter.
const MAX_TEXT: u64 = 4096;

/// More files of weights, and sets of operators, than this are an error.
const MAX_ITEMS: usize = 100_000;

/// What a model file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelFile {
    /// The version of the file's format.
    pub ir_version: u64,
    /// The sets of operators that its nodes are of.
    pub operator_sets: Vec<OperatorSet>,
    /// The types of its inputs, as numbers of `TensorProto.DataType`.
    pub input_types: BTreeSet<u64>,
    /// The files outside of it that hold its weights, as it names them: relative to its own folder.
    pub external_data: BTreeSet<String>,
}

/// A set of operators in its version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperatorSet {
    /// Whose operators they are; empty for ONNX's own.
    pub domain: String,
    /// The version.
    pub version: u64,
}

impl ModelFile {
    /// Reads what the file at `path` says of itself. Weights within it are skipped.
    ///
    /// # Errors
    /// When it cannot be read, or is no ONNX model.
    pub fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Self::read_from(BufReader::new(file), length)
    }

    /// Reads `length` bytes of what `source` holds from where it stands.
    ///
    /// # Errors
    /// When it cannot be read, or is no ONNX model.
    pub fn read_from(source: impl Read + Seek, length: u64) -> io::Result<Self> {
        let mut reader = Reader {
            source,
            position: 0,
            model: Self::default(),
        };
        reader.message(Message::Model, length, 0)?;
        Ok(reader.model)
    }
}

/// The messages that are read; all others are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Model,
    OperatorSet,
    Training,
    Function,
    /// The model's own graph, which has the inputs.
    MainGraph,
    Graph,
    Input,
    Type,
    TensorType,
    Node,
    Attribute,
    Tensor,
    SparseTensor,
    ExternalData,
}

impl Message {
    /// The message that a field of this one holds.
    fn field(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) => Self::MainGraph,
            (Self::Model, 8) => Self::OperatorSet,
            (Self::Model, 20) => Self::Training,
            (Self::Model, 25) => Self::Function,
            (Self::MainGraph, 11) => Self::Input,
            (Self::Input, 2) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::MainGraph | Self::Graph, 1) | (Self::Function, 7) => Self::Node,
            (Self::Node, 5) | (Self::Function, 11) => Self::Attribute,
            (Self::Attribute, 6 | 11) | (Self::Training, 1 | 2) => Self::Graph,
            (Self::MainGraph | Self::Graph, 5) | (Self::Attribute, 5 | 10) | (Self::SparseTensor, 1 | 2) => {
                Self::Tensor
            }
            (Self::MainGraph | Self::Graph, 15) | (Self::Attribute, 22 | 23) => Self::SparseTensor,
            (Self::Tensor, 13) => Self::ExternalData,
            _ => return None,
        })
    }
}

/// What the fields of a message hold that are neither messages nor skipped.
#[derive(Default)]
struct Values {
    number: u64,
    /// Those of the fields 1 and 2.
    texts: [String; 2],
    /// `TensorProto.data_location` is `EXTERNAL`.
    external: bool,
    /// `location` among a tensor's `external_data`.
    location: Option<String>,
}

struct Reader<R> {
    source: R,
    position: u64,
    model: ModelFile,
}

impl<R: Read + Seek> Reader<R> {
    /// Reads a message that ends at `end`.
    fn message(&mut self, message: Message, end: u64, depth: usize) -> io::Result<Values> {
        if depth > MAX_DEPTH {
            return Err(invalid("its messages lie too deep"));
        }
        let mut values = Values::default();
        while self.position < end {
            let key = self.number(end)?;
            let field = key >> 3;
            match key & 7 {
                0 => {
                    let number = self.number(end)?;
                    match (message, field) {
                        (Message::Model, 1) => self.model.ir_version = number,
                        (Message::Tensor, 14) => values.external = number == 1,
                        (Message::OperatorSet, 2) | (Message::TensorType, 1) => values.number = number,
                        _ => {}
                    }
                }
                1 => self.skip(8, end)?,
                2 => {
                    let length = self.number(end)?;
                    let stop = self.position.checked_add(length).filter(|stop| *stop <= end);
                    let stop = stop.ok_or_else(|| invalid("a field ends beyond its message"))?;
                    match message.field(field) {
                        Some(inner) => {
                            let read = self.message(inner, stop, depth + 1)?;
                            self.take(inner, read, &mut values)?;
                        }
                        None => match (message, field) {
                            (Message::OperatorSet | Message::ExternalData, 1) => values.texts[0] = self.text(length)?,
                            (Message::ExternalData, 2) => values.texts[1] = self.text(length)?,
                            _ => self.skip(length, end)?,
                        },
                    }
                }
                5 => self.skip(4, end)?,
                _ => return Err(invalid("a field has no known type")),
            }
        }
        Ok(values)
    }

    /// Takes what a message within another one held; `values` are those of the outer one.
    fn take(&mut self, inner: Message, read: Values, values: &mut Values) -> io::Result<()> {
        let [first, second] = read.texts;
        match inner {
            Message::OperatorSet => self.model.operator_sets.push(OperatorSet {
                domain: first,
                version: read.number,
            }),
            Message::TensorType => {
                self.model.input_types.insert(read.number);
            }
            Message::ExternalData if first == "location" => values.location = Some(second),
            Message::Tensor if read.external => self.model.external_data.extend(read.location),
            _ => {}
        }
        if self.model.operator_sets.len().max(self.model.external_data.len()) > MAX_ITEMS {
            return Err(invalid("it names too many files or sets of operators"));
        }
        Ok(())
    }

    /// A number in base 128.
    fn number(&mut self, end: u64) -> io::Result<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            if self.position >= end {
                return Err(invalid("a number ends beyond its message"));
            }
            let mut byte = [0];
            self.source.read_exact(&mut byte)?;
            self.position += 1;
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(invalid("a number is too long"))
    }

    fn text(&mut self, length: u64) -> io::Result<String> {
        let length = usize::try_from(length.min(MAX_TEXT + 1)).unwrap_or_default();
        if length as u64 > MAX_TEXT {
            return Err(invalid("a name is too long"));
        }
        let mut bytes = vec![0; length];
        self.source.read_exact(&mut bytes)?;
        self.position += length as u64;
        String::from_utf8(bytes).map_err(|_| invalid("a name is not UTF-8"))
    }

    fn skip(&mut self, length: u64, end: u64) -> io::Result<()> {
        let stop = self.position.checked_add(length).filter(|stop| *stop <= end);
        self.position = stop.ok_or_else(|| invalid("a field ends beyond its message"))?;
        let length = i64::try_from(length).map_err(|_| invalid("a field is too long"))?;
        self.source.seek_relative(length)
    }
}

fn invalid(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("is no ONNX model: {reason}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::io::Cursor;

    use spark_classify_testing::onnx_model::{external_model, one_image_model, Tensor, Weights, FLOAT, FLOAT16};
    use spark_classify_testing::{repository, Random};

    use super::*;

    fn read(bytes: &[u8]) -> io::Result<ModelFile> {
        ModelFile::read_from(Cursor::new(bytes), bytes.len() as u64)
    }

    fn models() -> Vec<Vec<u8>> {
        let pixels = Tensor::new("pixels", FLOAT16, &[-1, 3, 128, 128]);
        let scores = Tensor::new("scores", FLOAT, &[-1, 3]);
        let external = [("location", "deep/weights.bin"), ("offset", "0"), ("length", "12")];
        vec![
            external_model(pixels, scores, Weights::Initializer, &external),
            external_model(pixels, scores, Weights::Constant, &external),
            one_image_model(pixels, scores),
            fs::read(repository("tests/cases/models/zipmap/model.onnx")).unwrap(),
        ]
    }

    #[test]
    fn what_a_file_says_is_read() {
        let set = |domain: &str, version| OperatorSet {
            domain: domain.to_owned(),
            version,
        };
        for (model, external) in models()
            .iter()
            .zip([&["deep/weights.bin"][..], &["deep/weights.bin"], &[]])
        {
            let model = read(model).unwrap();
            assert_eq!((model.ir_version, &model.operator_sets[..]), (8, &[set("", 13)][..]));
            assert_eq!(model.input_types, BTreeSet::from([10]));
            assert_eq!(model.external_data.iter().collect::<Vec<_>>(), external);
        }
        let case = |name: &str| ModelFile::read(&repository("tests/cases/models").join(name)).unwrap();
        assert_eq!(case("ir99/model.onnx").ir_version, 99);
        assert_eq!(case("opset99/model.onnx").operator_sets, [set("", 99)]);
        assert_eq!(
            case("zipmap/model.onnx").operator_sets,
            [set("", 17), set("ai.onnx.ml", 3)]
        );
        let data = case("external_subdir/model.onnx").external_data;
        assert_eq!(data, BTreeSet::from(["weights/w.bin".to_owned()]));
    }

    #[test]
    fn what_is_no_model_is_an_error() {
        // A node in a graph, with an attribute, which has a graph, and so on. All lengths are of three bytes.
        let deep = [6, 5, 1]
            .iter()
            .cycle()
            .take(102)
            .fold(Vec::new(), |inner: Vec<u8>, field| {
                let [low, middle, ..] = (inner.len() as u64 * 2).to_le_bytes();
                let [low, middle] = [low >> 1 | 0x80, middle | 0x80];
                [&[field << 3 | 2, low, middle, 0][..], &inner].concat()
            });
        let deep = [&[7 << 3 | 2, 0x98, 0x83, 0][..], &deep].concat();
        let long_name = [&[66, 0x83, 0x40, 10, 0x80, 0x40][..], &[b'x'; 8192]].concat();
        for (bytes, reason) in [
            (&[8][..], "a number ends beyond its message"),
            (&[0xff; 12], "a number is too long"),
            (&[58, 9, 0], "a field ends beyond its message"),
            (&[9, 0], "a field ends beyond its message"),
            (&[11], "a field has no known type"),
            (&[66, 3, 10, 1, 0xff], "a name is not UTF-8"),
            (&long_name, "a name is too long"),
            (&deep, "its messages lie too deep"),
        ] {
            let error = read(bytes).unwrap_err().to_string();
            assert_eq!(error, format!("is no ONNX model: {reason}"), "{bytes:?}");
        }
        assert_eq!(read(&[]).unwrap(), ModelFile::default());
    }

    /// Whatever a file holds, reading it ends, with an error or without.
    #[test]
    fn hostile_files_are_read_to_an_end() {
        let mut random = Random::new(5);
        for model in models() {
            for length in 0..model.len() {
                let _ = read(&model[..length]);
            }
            for _ in 0..20_000 {
                let mut bytes = model.clone();
                for _ in 0..=random.below(4) {
                    let place = random.below(bytes.len());
                    bytes[place] = random.byte();
                }
                // A length that the file does not have, too.
                let _ = ModelFile::read_from(Cursor::new(&bytes), random.number() >> random.below(64));
                let _ = read(&bytes);
            }
        }
    }
}
