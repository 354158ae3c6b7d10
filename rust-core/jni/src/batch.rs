//! The layout of a batch's results in the direct buffer that crosses the boundary, in native byte order; for a model
//! with `C` classes:
//!
//! | part | size | content |
//! |---|---|---|
//! | header | 32 | int64 nanoseconds of decoding, of resizing with normalising, of inference; int64 bad images |
//! | rows | `count` times `16 + 4 * C` | see below |
//! | messages | up to 512 each | UTF-8, of the bad images |
//!
//! A row begins with int32 status. Status 0: int32 class id, float32 confidence, int32 zero, float32 probabilities in
//! class-id order. Status 1, a bad image, and status 2, one with more pixels than the model was opened for: int32
//! position of its message in the buffer, int32 length of the message in bytes, and zeros.

use std::time::Duration;

use spark_classify_core::{BatchTimes, Error, Prediction, PredictionError, Result};
use spark_classify_imaging::{ImageError, Measure};

const HEADER_BYTES: usize = 32;
const ROW_HEAD_BYTES: usize = 16;
/// The room that is kept for one message; longer ones are cut.
const MESSAGE_BYTES: usize = 512;

const STATUS_OK: i32 = 0;
const STATUS_BAD_IMAGE: i32 = 1;
/// Apart from the others, so that the JVM can name the key that sets this limit.
const STATUS_TOO_MANY_PIXELS: i32 = 2;
const STATUS_TOO_MUCH_MEMORY: i32 = 3;

/// The bytes that the output buffer must have room for.
///
/// # Errors
/// [`Error::Argument`] when that is more than a buffer can have.
pub(crate) fn output_capacity(count: usize, classes: usize) -> Result<usize> {
    row_bytes(classes)
        .and_then(|row| row.checked_add(MESSAGE_BYTES))
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
    let mut bad_images = 0_i64;
    for (row, result) in rows.chunks_exact_mut(row_bytes).zip(results) {
        match result {
            Ok(prediction) => write_prediction(row, &prediction),
            Err(error) => {
                let message = error.to_string();
                let message = &message.as_bytes()[..message.floor_char_boundary(MESSAGE_BYTES)];
                messages[message_end..][..message.len()].copy_from_slice(message);
                let position = (first_message + message_end) as i32;
                write_head(row, [status(error), position, message.len() as i32, 0]);
                row[ROW_HEAD_BYTES..].fill(0);
                message_end += message.len();
                bad_images += 1;
            }
        }
    }

    let fields = [
        nanoseconds(times.decode),
        nanoseconds(times.resize),
        nanoseconds(times.inference),
        bad_images,
    ];
    for (bytes, field) in header.chunks_exact_mut(size_of::<i64>()).zip(fields) {
        bytes.copy_from_slice(&field.to_ne_bytes());
    }
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

fn write_prediction(row: &mut [u8], prediction: &Prediction<'_>) {
    write_head(
        row,
        [
            STATUS_OK,
            prediction.class_id as i32,
            prediction.confidence.to_bits() as i32,
            0,
        ],
    );
    for (bytes, probability) in row[ROW_HEAD_BYTES..]
        .chunks_exact_mut(size_of::<f32>())
        .zip(prediction.probabilities)
    {
        bytes.copy_from_slice(&probability.to_ne_bytes());
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

fn write_head(row: &mut [u8], fields: [i32; 4]) {
    for (bytes, field) in row.chunks_exact_mut(size_of::<i32>()).zip(fields) {
        bytes.copy_from_slice(&field.to_ne_bytes());
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
        assert_eq!(output_capacity(0, 3).unwrap(), 32);
        assert_eq!(output_capacity(2, 3).unwrap(), 32 + 2 * (16 + 12 + 512));
        for (count, classes) in [
            (usize::MAX, 3),
            (1, usize::MAX),
            (1 << 20, 1000),
            (i32::MAX as usize, 0),
        ] {
            assert!(refusal(output_capacity(count, classes)).contains("does not fit"));
        }
        assert!(refusal(check_capacity(571, 1, 3)).contains("571 bytes are too few"));
        assert!(check_capacity(572, 1, 3).is_ok());
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
        assert_eq!([int64(0), int64(8), int64(16), int64(24)], [1, 2, 3, 2]);

        let messages = 32 + 3 * 24;
        assert_eq!([int32(32), int32(36), int32(40), int32(44)], [1, messages, 17, 0]);
        assert_eq!(&output[48..56], [0; 8]);
        assert_eq!([int32(56), int32(60), int32(68)], [0, 1, 0]);
        assert_eq!(
            [float32(64), float32(72), float32(76)].map(f32::to_bits),
            [0.75, 0.25, 0.75].map(f32::to_bits)
        );

        // "broken PNG image: " has 18 bytes; 247 whole characters of two bytes each fit into the rest.
        assert_eq!([int32(80), int32(84), int32(88)], [1, messages + 17, 512]);
        assert_eq!(written, messages as usize + 17 + 512);
        let message = std::str::from_utf8(&output[messages as usize..written]).unwrap();
        assert_eq!(
            message,
            format!("the file is emptybroken PNG image: {}", "\u{e9}".repeat(247))
        );
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
