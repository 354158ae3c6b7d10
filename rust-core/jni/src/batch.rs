//! Writes the results of a batch into the direct buffer that crosses the boundary. `NativeEngine.java` says what lies
//! where, and the JVM's `BatchResults` reads it.

use std::time::Duration;

use spark_classify_core::{Asked, BatchTimes, Error, HashResult, Outputs, Prediction, PredictionError, Result};
use spark_classify_imaging::{ImageError, ImageHash, Measure};

const HEADER_BYTES: usize = 24;
const ROW_HEAD_BYTES: usize = 8;
const MESSAGE_HEAD_BYTES: usize = 4;
/// What is left of a longer message.
const MESSAGE_BYTES: usize = 512;

const STATUS_OK: i32 = 0;
const STATUS_BAD_IMAGE: i32 = 1;
/// The limits that a key sets have statuses of their own, so that the JVM can name the key.
const STATUS_TOO_MANY_PIXELS: i32 = 2;
const STATUS_TOO_MUCH_MEMORY: i32 = 3;

/// What the JVM asks for, by the bits of a number: 1 for classes, 2 for the embedding.
///
/// # Errors
/// [`Error::Argument`] for another number.
pub(crate) fn asked(outputs: i32) -> Result<Asked> {
    match outputs {
        1 => Ok(Asked::Classes),
        2 => Ok(Asked::Embedding),
        3 => Ok(Asked::Both),
        _ => Err(Error::Argument {
            argument: "outputs",
            reason: format!("{outputs} is none of 1 (classes), 2 (embedding) and 3 (both)"),
        }),
    }
}

/// How many numbers the rows of each block have: that of the classes and that of the embeddings, where they are asked
/// for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widths {
    classes: Option<usize>,
    embedding: Option<usize>,
}

impl Widths {
    /// Those of a model that gives what is asked for.
    pub(crate) fn of(outputs: &Outputs, asked: Asked) -> Self {
        Self {
            classes: asked.classes().then(|| outputs.width(Asked::Classes)),
            embedding: asked.embedding().then(|| outputs.width(Asked::Embedding)),
        }
    }

    /// Those of hashes: two numbers of 64 bits lie where an embedding of four values would.
    pub(crate) const HASHES: Self = Self {
        classes: None,
        embedding: Some(4),
    };

    fn blocks(self) -> impl Iterator<Item = usize> {
        self.classes.into_iter().chain(self.embedding)
    }
}

/// The bytes that the output buffer must have room for.
///
/// # Errors
/// [`Error::Argument`] when that is more than a buffer can have.
pub(crate) fn output_capacity(count: usize, widths: Widths) -> Result<usize> {
    let image = |width: usize| row_bytes(width)?.checked_add(MESSAGE_HEAD_BYTES + MESSAGE_BYTES);
    let images = || {
        let of_all = widths
            .blocks()
            .try_fold(0_usize, |sum, width| sum.checked_add(image(width)?));
        of_all?.checked_mul(count)?.checked_add(HEADER_BYTES)
    };
    images()
        .filter(|&capacity| i32::try_from(capacity).is_ok())
        .ok_or_else(|| {
            let numbers: Vec<_> = widths.blocks().map(|width| width.to_string()).collect();
            Error::Argument {
                argument: "count",
                reason: format!(
                    "the result of {count} images with {} numbers each does not fit into a buffer",
                    numbers.join(" and ")
                ),
            }
        })
}

fn row_bytes(width: usize) -> Option<usize> {
    width.checked_mul(size_of::<f32>())?.checked_add(ROW_HEAD_BYTES)
}

/// Refuses an output buffer that is too short, before any work is done.
///
/// # Errors
/// [`Error::Argument`] naming both sizes.
pub(crate) fn check_capacity(actual: usize, count: usize, widths: Widths) -> Result<()> {
    let needed = output_capacity(count, widths)?;
    if actual < needed {
        return Err(Error::Argument {
            argument: "output",
            reason: format!("{actual} bytes are too few: the results of {count} images need {needed}"),
        });
    }
    Ok(())
}

/// Writes the results of one batch.
pub(crate) struct Writer<'a> {
    header: &'a mut [u8],
    predictions: Block<'a>,
    embeddings: Block<'a>,
    messages: Messages<'a>,
}

/// A row for each image.
struct Block<'a> {
    rows: &'a mut [u8],
    row_bytes: usize,
}

/// The messages of bad images, one after the other.
struct Messages<'a> {
    bytes: &'a mut [u8],
    /// Where in the buffer the first one is.
    start: usize,
    end: usize,
}

impl<'a> Writer<'a> {
    /// For a batch of `count` images. Nothing is written yet.
    ///
    /// # Errors
    /// [`Error::Argument`] when `output` is shorter than [`output_capacity`].
    pub(crate) fn new(output: &'a mut [u8], count: usize, widths: Widths) -> Result<Self> {
        check_capacity(output.len(), count, widths)?;
        // The capacity check has shown that none of these sums overflows.
        let row_bytes = |width: Option<usize>| width.map_or(0, |width| ROW_HEAD_BYTES + width * size_of::<f32>());
        let (header, rest) = output.split_at_mut(HEADER_BYTES);
        let (predictions, rest) = rest.split_at_mut(count * row_bytes(widths.classes));
        let (embeddings, messages) = rest.split_at_mut(count * row_bytes(widths.embedding));
        let start = HEADER_BYTES + predictions.len() + embeddings.len();
        Ok(Self {
            header,
            predictions: Block {
                rows: predictions,
                row_bytes: row_bytes(widths.classes),
            },
            embeddings: Block {
                rows: embeddings,
                row_bytes: row_bytes(widths.embedding),
            },
            messages: Messages {
                bytes: messages,
                start,
                end: 0,
            },
        })
    }

    /// Writes the rows of the classes.
    pub(crate) fn predictions<'p>(
        &mut self,
        results: impl IntoIterator<Item = Result<Prediction<'p>, &'p PredictionError>>,
    ) {
        let rows = results
            .into_iter()
            .map(|result| result.map(|prediction| (prediction.class_id as i32, floats(prediction.probabilities))));
        self.predictions.write(rows, &mut self.messages);
    }

    /// Writes the rows of the embeddings.
    pub(crate) fn embeddings<'p>(&mut self, results: impl IntoIterator<Item = Result<&'p [f32], &'p PredictionError>>) {
        let rows = results
            .into_iter()
            .map(|result| result.map(|embedding| (0, floats(embedding))));
        self.embeddings.write(rows, &mut self.messages);
    }

    /// Writes the rows of hashes, for [`Widths::HASHES`].
    pub(crate) fn hashes(&mut self, results: &[HashResult]) {
        let numbers = |hash: &ImageHash| [hash.phash, hash.dhash].map(u64::to_ne_bytes);
        let rows = results
            .iter()
            .map(|result| result.as_ref().map(|hash| (0, numbers(hash))));
        self.embeddings.write(rows, &mut self.messages);
    }

    /// Writes how long it took, and returns the bytes written.
    pub(crate) fn finish(self, times: &BatchTimes) -> usize {
        let times = [times.decode, times.resize, times.inference];
        put(self.header, times.map(|time| nanoseconds(time).to_ne_bytes()));
        self.messages.start + self.messages.end
    }
}

impl Block<'_> {
    /// Writes a number and values for each good image, and the status and message of each bad one.
    fn write<'p, const N: usize>(
        &mut self,
        results: impl Iterator<Item = Result<(i32, impl IntoIterator<Item = [u8; N]>), &'p PredictionError>>,
        messages: &mut Messages<'_>,
    ) {
        // Where nothing is asked for, there are no results.
        for (row, result) in self.rows.chunks_exact_mut(self.row_bytes.max(1)).zip(results) {
            let head = match result {
                Ok((number, values)) => {
                    put(&mut row[ROW_HEAD_BYTES..], values);
                    [STATUS_OK, number]
                }
                Err(error) => {
                    row[ROW_HEAD_BYTES..].fill(0);
                    [status(error), messages.add(error)]
                }
            };
            put(row, head.map(i32::to_ne_bytes));
        }
    }
}

impl Messages<'_> {
    /// Adds a message, and returns its position in the buffer.
    fn add(&mut self, error: &PredictionError) -> i32 {
        let message = error.to_string();
        let message = &message.as_bytes()[..message.floor_char_boundary(MESSAGE_BYTES)];
        let position = (self.start + self.end) as i32;
        let (head, text) = self.bytes[self.end..].split_at_mut(MESSAGE_HEAD_BYTES);
        put(head, [(message.len() as i32).to_ne_bytes()]);
        text[..message.len()].copy_from_slice(message);
        self.end += MESSAGE_HEAD_BYTES + message.len();
        position
    }
}

fn status(error: &PredictionError) -> i32 {
    match error {
        PredictionError::Image(ImageError::Limit {
            what: Measure::Pixels, ..
        }) => STATUS_TOO_MANY_PIXELS,
        PredictionError::Image(ImageError::Limit {
            what: Measure::Memory, ..
        }) => STATUS_TOO_MUCH_MEMORY,
        _ => STATUS_BAD_IMAGE,
    }
}

fn floats(values: &[f32]) -> impl Iterator<Item = [u8; 4]> + '_ {
    values.iter().map(|value| value.to_ne_bytes())
}

/// Writes numbers, one behind the other.
fn put<const N: usize>(to: &mut [u8], numbers: impl IntoIterator<Item = [u8; N]>) {
    for (bytes, number) in to.chunks_exact_mut(N).zip(numbers) {
        bytes.copy_from_slice(&number);
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn refusal<T>(result: Result<T>) -> String {
        result.map(|_| ()).unwrap_err().to_string()
    }

    fn classes(width: usize) -> Widths {
        Widths {
            classes: Some(width),
            embedding: None,
        }
    }

    #[test]
    fn capacity_is_counted_without_overflow() {
        assert_eq!(output_capacity(0, classes(3)).unwrap(), 24);
        assert_eq!(output_capacity(2, classes(3)).unwrap(), 24 + 2 * (8 + 12 + 4 + 512));
        let both = Widths {
            classes: Some(3),
            embedding: Some(5),
        };
        assert_eq!(
            output_capacity(2, both).unwrap(),
            24 + 2 * (2 * (8 + 4 + 512) + 12 + 20)
        );
        for (count, width) in [
            (usize::MAX, 3),
            (1, usize::MAX),
            (1 << 20, 1000),
            (i32::MAX as usize, 0),
        ] {
            assert!(refusal(output_capacity(count, classes(width))).contains("does not fit"));
        }
        assert!(refusal(check_capacity(559, 1, classes(3))).contains("559 bytes are too few"));
        assert!(check_capacity(560, 1, classes(3)).is_ok());
    }

    #[test]
    fn rows_and_messages_are_written_as_documented() {
        let times = BatchTimes {
            decode: Duration::from_nanos(1),
            resize: Duration::from_nanos(2),
            inference: Duration::from_nanos(3),
        };
        let long = PredictionError::from(ImageError::Broken {
            format: "PNG",
            reason: "\u{e9}".repeat(400),
        });
        let prediction = Prediction {
            class_id: 1,
            confidence: 0.75,
            probabilities: &[0.25, 0.75],
        };
        let mut output = vec![0xaa; output_capacity(3, classes(2)).unwrap()];
        let mut writer = Writer::new(&mut output, 3, classes(2)).unwrap();
        writer.predictions([Err(&ImageError::Empty.into()), Ok(prediction), Err(&long)]);
        let written = writer.finish(&times);

        let int64 = |at: usize| i64::from_ne_bytes(output[at..at + 8].try_into().unwrap());
        let int32 = |at: usize| i32::from_ne_bytes(output[at..at + 4].try_into().unwrap());
        let float32 = |at: usize| f32::from_ne_bytes(output[at..at + 4].try_into().unwrap());
        let text = |at: usize| std::str::from_utf8(&output[at + 4..][..int32(at) as usize]).unwrap();
        assert_eq!([int64(0), int64(8), int64(16)], [1, 2, 3]);

        let messages = 24 + 3 * 16;
        assert_eq!([int32(24), int32(28)], [1, messages]);
        assert_eq!(&output[32..40], [0; 8]);
        assert_eq!(text(messages as usize), "the file is empty");

        assert_eq!([int32(40), int32(44)], [0, 1]);
        assert_eq!(
            [float32(48), float32(52)].map(f32::to_bits),
            [0.25, 0.75].map(f32::to_bits)
        );

        // "broken PNG image: " has 18 bytes; 247 whole characters of two bytes each fit into the rest.
        let second = messages + 4 + 17;
        assert_eq!([int32(56), int32(60)], [1, second]);
        let expected = format!("broken PNG image: {}", "\u{e9}".repeat(247));
        assert_eq!(text(second as usize), expected);
        assert_eq!(written, second as usize + 4 + expected.len());
    }

    #[test]
    fn embeddings_follow_the_classes() {
        let widths = Widths {
            classes: Some(1),
            embedding: Some(2),
        };
        let prediction = Prediction {
            class_id: 0,
            confidence: 1.0,
            probabilities: &[1.0],
        };
        let empty = ImageError::Empty.into();
        let no_embedding = PredictionError::NoEmbedding { reason: "none" };
        let mut output = vec![0xaa; output_capacity(2, widths).unwrap()];
        let mut writer = Writer::new(&mut output, 2, widths).unwrap();
        writer.predictions([Ok(prediction), Err(&empty)]);
        writer.embeddings([Ok(&[0.5, 0.25][..]), Err(&no_embedding)]);
        let written = writer.finish(&BatchTimes::default());

        let int32 = |at: usize| i32::from_ne_bytes(output[at..at + 4].try_into().unwrap());
        let float32 = |at: usize| f32::from_ne_bytes(output[at..at + 4].try_into().unwrap());
        let text = |at: usize| std::str::from_utf8(&output[at + 4..][..int32(at) as usize]).unwrap();
        let (rows, messages) = (24 + 2 * 12, 24 + 2 * 12 + 2 * 16);
        assert_eq!([int32(24), int32(36), int32(40)], [0, 1, messages]);
        assert_eq!([int32(rows), int32(rows + 4)], [0, 0]);
        assert_eq!(
            [rows + 8, rows + 12].map(|at| float32(at).to_bits()),
            [0.5_f32, 0.25].map(f32::to_bits)
        );
        let second = messages + 4 + 17;
        assert_eq!([int32(rows + 16), int32(rows + 20)], [1, second]);
        assert_eq!(text(messages as usize), "the file is empty");
        let expected = "the model gives no embedding for this image: none";
        assert_eq!(text(second as usize), expected);
        assert_eq!(written, second as usize + 4 + expected.len());
    }

    #[test]
    fn hashes_are_two_numbers_of_64_bits() {
        let hash = ImageHash {
            phash: 0xffff_ffff_ffff_fffe,
            dhash: 7,
        };
        let mut output = vec![0xaa; output_capacity(2, Widths::HASHES).unwrap()];
        let mut writer = Writer::new(&mut output, 2, Widths::HASHES).unwrap();
        writer.hashes(&[Ok(hash), Err(ImageError::Empty.into())]);
        let written = writer.finish(&BatchTimes::default());

        let int64 = |at: usize| i64::from_ne_bytes(output[at..at + 8].try_into().unwrap());
        let int32 = |at: usize| i32::from_ne_bytes(output[at..at + 4].try_into().unwrap());
        let messages = 24 + 2 * 24;
        assert_eq!([int32(24), int32(28)], [0, 0]);
        assert_eq!([int64(32), int64(40)], [-2, 7]);
        assert_eq!([int32(48), int32(52)], [1, messages]);
        assert_eq!([int64(56), int64(64)], [0, 0]);
        assert_eq!(written, messages as usize + 4 + "the file is empty".len());
    }

    #[test]
    fn what_is_asked_for_is_a_number_of_two_bits() {
        let known = [1, 2, 3].map(|outputs| asked(outputs).unwrap());
        assert_eq!(known, [Asked::Classes, Asked::Embedding, Asked::Both]);
        for unknown in [0, 4, -1] {
            assert!(refusal(asked(unknown)).contains("is none of 1 (classes), 2 (embedding) and 3 (both)"));
        }
    }

    #[test]
    fn limits_that_have_a_key_have_a_status_of_their_own() {
        let limit = |what| {
            PredictionError::from(ImageError::Limit {
                what,
                actual: 2,
                limit: 1,
            })
        };
        let measures = [
            Measure::Bytes,
            Measure::Width,
            Measure::Height,
            Measure::Pixels,
            Measure::Memory,
        ];
        assert_eq!(measures.map(|what| status(&limit(what))), [1, 1, 1, 2, 3]);
        assert_eq!(status(&ImageError::Empty.into()), 1);
    }

    #[test]
    fn a_short_output_is_left_alone() {
        let mut output = vec![0xaa; 100];
        let message = refusal(Writer::new(&mut output, 1, classes(2)));
        assert!(message.contains("100 bytes are too few"), "{message}");
        assert_eq!(output, vec![0xaa; 100]);
    }
}
