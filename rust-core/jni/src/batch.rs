//! Writes the results of a batch into the direct buffer that crosses the boundary. `NativeEngine.java` says what lies
//! where, and the JVM's `BatchResults` reads it.

use std::time::Duration;

use spark_classify_core::{BatchTimes, Error, Prediction, PredictionError, Result};
use spark_classify_imaging::{ImageError, Measure};

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

/// The bytes that the output buffer must have room for.
///
/// # Errors
/// [`Error::Argument`] when that is more than a buffer can have.
pub(crate) fn output_capacity(count: usize, classes: usize) -> Result<usize> {
    row_bytes(classes)
        .and_then(|row| row.checked_add(MESSAGE_HEAD_BYTES + MESSAGE_BYTES))
        .and_then(|image| image.checked_mul(count))
        .and_then(|images| images.checked_add(HEADER_BYTES))
        .filter(|&capacity| i32::try_from(capacity).is_ok())
        .ok_or_else(|| Error::Argument {
            argument: "count",
            reason: format!("the result of {count} images with {classes} classes does not fit into a buffer"),
        })
}

fn row_bytes(classes: usize) -> Option<usize> {
    classes.checked_mul(size_of::<f32>())?.checked_add(ROW_HEAD_BYTES)
}

/// Writes the results of a batch of `count` images with `classes` probabilities each, and returns the bytes written.
///
/// # Errors
/// [`Error::Argument`] when `output` is shorter than [`output_capacity`]; nothing is written then.
pub(crate) fn write<'a>(
    output: &mut [u8],
    count: usize,
    classes: usize,
    times: &BatchTimes,
    results: impl IntoIterator<Item = Result<Prediction<'a>, &'a PredictionError>>,
) -> Result<usize> {
    check_capacity(output.len(), count, classes)?;
    // The capacity check has shown that none of these sums overflows.
    let row_bytes = ROW_HEAD_BYTES + classes * size_of::<f32>();
    let (header, rest) = output.split_at_mut(HEADER_BYTES);
    let (rows, messages) = rest.split_at_mut(count * row_bytes);
    let first_message = HEADER_BYTES + rows.len();

    let mut message_end = 0;
    for (row, result) in rows.chunks_exact_mut(row_bytes).zip(results) {
        match result {
            Ok(prediction) => {
                put(row, [STATUS_OK, prediction.class_id as i32].map(i32::to_ne_bytes));
                put(
                    &mut row[ROW_HEAD_BYTES..],
                    prediction.probabilities.iter().map(|p| p.to_ne_bytes()),
                );
            }
            Err(error) => {
                let message = error.to_string();
                let message = &message.as_bytes()[..message.floor_char_boundary(MESSAGE_BYTES)];
                let position = (first_message + message_end) as i32;
                put(row, [status(error), position].map(i32::to_ne_bytes));
                row[ROW_HEAD_BYTES..].fill(0);
                let (head, text) = messages[message_end..].split_at_mut(MESSAGE_HEAD_BYTES);
                put(head, [(message.len() as i32).to_ne_bytes()]);
                text[..message.len()].copy_from_slice(message);
                message_end += MESSAGE_HEAD_BYTES + message.len();
            }
        }
    }

    let times = [times.decode, times.resize, times.inference];
    put(header, times.map(|time| nanoseconds(time).to_ne_bytes()));
    Ok(first_message + message_end)
}

/// Refuses an output buffer that is too short, before any work is done.
///
/// # Errors
/// [`Error::Argument`] naming both sizes.
pub(crate) fn check_capacity(actual: usize, count: usize, classes: usize) -> Result<()> {
    let needed = output_capacity(count, classes)?;
    if actual < needed {
        return Err(Error::Argument {
            argument: "output",
            reason: format!("{actual} bytes are too few: {count} images with {classes} classes need {needed}"),
        });
    }
    Ok(())
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

    fn refusal<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn capacity_is_counted_without_overflow() {
        assert_eq!(output_capacity(0, 3).unwrap(), 24);
        assert_eq!(output_capacity(2, 3).unwrap(), 24 + 2 * (8 + 12 + 4 + 512));
        for (count, classes) in [
            (usize::MAX, 3),
            (1, usize::MAX),
            (1 << 20, 1000),
            (i32::MAX as usize, 0),
        ] {
            assert!(refusal(output_capacity(count, classes)).contains("does not fit"));
        }
        assert!(refusal(check_capacity(559, 1, 3)).contains("559 bytes are too few"));
        assert!(check_capacity(560, 1, 3).is_ok());
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
        let mut output = vec![0xaa; output_capacity(3, 2).unwrap()];
        let written = write(
            &mut output,
            3,
            2,
            &times,
            [Err(&ImageError::Empty.into()), Ok(prediction), Err(&long)],
        )
        .unwrap();

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
        let message = refusal(write(
            &mut output,
            1,
            2,
            &BatchTimes::default(),
            [Err(&ImageError::Empty.into())],
        ));
        assert!(message.contains("100 bytes are too few"), "{message}");
        assert_eq!(output, vec![0xaa; 100]);
    }
}
