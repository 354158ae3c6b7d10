//! From Java objects to Rust values: strings, numbers and the memory of direct buffers.

#![allow(unsafe_code)] // raw memory of direct buffers; the blocks say why it is valid

use std::slice;

use jni::objects::{JByteArray, JByteBuffer, JIntArray, JObject, JObjectArray, JString};
use jni::Env;
use spark_classify_core::Error;
use spark_classify_imaging::{ImageSource, RawPixels};

use crate::exceptions::Failure;
use crate::java::Java;

/// The local references that a call has beside those of the images: its arguments, and those that errors and the log
/// need.
const OTHER_REFERENCES: usize = 32;

fn refused(argument: &'static str, reason: &str) -> Failure {
    Failure::Core(Error::Argument {
        argument,
        reason: reason.to_owned(),
    })
}

/// The text of a `java.lang.String`.
///
/// # Errors
/// [`Error::Argument`] for null.
pub(crate) fn text(env: &Env<'_>, object: &JObject<'_>, argument: &'static str) -> Result<String, Failure> {
    if object.is_null() {
        return Err(refused(argument, "null"));
    }
    Ok(env.as_cast::<JString<'_>>(object)?.try_to_string(env)?)
}

/// The numbers of an `int[]`.
///
/// # Errors
/// [`Error::Argument`] for null.
pub(crate) fn numbers(env: &Env<'_>, object: &JObject<'_>, argument: &'static str) -> Result<Vec<i32>, Failure> {
    if object.is_null() {
        return Err(refused(argument, "null"));
    }
    let array = env.as_cast::<JIntArray<'_>>(object)?;
    let mut numbers = vec![0; array.len(env)?];
    array.get_region(env, 0, &mut numbers)?;
    Ok(numbers)
}

/// The bytes of a `byte[]`.
///
/// # Errors
/// [`Error::Argument`] for null.
pub(crate) fn bytes(env: &Env<'_>, object: &JObject<'_>, argument: &'static str) -> Result<Vec<u8>, Failure> {
    if object.is_null() {
        return Err(refused(argument, "null"));
    }
    Ok(env.convert_byte_array(&env.as_cast::<JByteArray<'_>>(object)?)?)
}

/// What the images are: by the three numbers for each, width, height and channels of its pixels, or zeros for a file.
/// It is never told from the bytes, so that no file can pass for pixels.
///
/// # Errors
/// [`Error::Argument`] for another number of sizes.
pub(crate) fn sources<'a>(images: &[&'a [u8]], sizes: &[i32]) -> Result<Vec<ImageSource<'a>>, Error> {
    let (sizes, rest) = sizes.as_chunks();
    if sizes.len() != images.len() || !rest.is_empty() {
        return Err(Error::Argument {
            argument: "sizes",
            reason: format!(
                "{} numbers for {} images, which need three each",
                sizes.len() * 3 + rest.len(),
                images.len()
            ),
        });
    }
    // What is below zero is as much as nothing: the image's error.
    let number = |number: i32| u32::try_from(number).unwrap_or(0);
    let sources = images.iter().zip(sizes).map(|(&bytes, &size)| match size {
        [0, 0, 0] => ImageSource::File(bytes),
        [width, height, channels] => ImageSource::Pixels(RawPixels {
            width: number(width),
            height: number(height),
            channels: number(channels),
            bytes,
        }),
    });
    Ok(sources.collect())
}

/// The memory of the images and of the output buffer of a call, each buffer whole: position and limit play no role.
///
/// The caller on the Java side must not touch them before the call returns.
///
/// # Errors
/// [`Error::Argument`] for null, for a buffer that is not direct, and for an output that is read-only or shares memory
/// with an image.
pub(crate) fn images_and_output<'a>(
    env: &mut Env<'_>,
    images: &'a JObject<'_>,
    output: &'a mut JObject<'_>,
) -> Result<(Vec<&'a [u8]>, &'a mut [u8]), Failure> {
    if images.is_null() {
        return Err(refused("images", "null"));
    }
    let (output_start, output_length) = writable_memory(env, output, "output")?;
    let array = env.as_cast::<JObjectArray<'_>>(images)?;
    let count = array.len(env)?;
    // A native method may have 16 local references without saying so. These go when it returns, and with them whatever
    // keeps a buffer alive that the caller has taken out of the array meanwhile.
    env.ensure_local_capacity(count + OTHER_REFERENCES)?;
    let mut found = Vec::with_capacity(count);
    for index in 0..count {
        let element = array.get_element(env, index)?;
        let (start, length) =
            direct_memory(env, &element).map_err(|reason| refused("images", &format!("image {index} is {reason}")))?;
        let before = |start: *mut u8, length: usize, other: *mut u8| start as usize + length <= other as usize;
        if !before(start, length, output_start) && !before(output_start, output_length, start) {
            return Err(refused("output", &format!("shares memory with image {index}")));
        }
        // SAFETY: the JVM says that this range belongs to a live direct buffer, and `element` is a local reference to
        // it, which keeps it alive until the native method returns, so for `'a`. It does not overlap the output, and
        // the contract of `classify` forbids the Java side to touch it during the call.
        found.push(unsafe { slice::from_raw_parts(start, length) });
    }
    // SAFETY: likewise, with the reference that the JVM passed; no image overlaps it, and `output` is borrowed mutably.
    Ok((found, unsafe { slice::from_raw_parts_mut(output_start, output_length) }))
}

/// The memory of a direct buffer, whole: position and limit play no role.
///
/// The caller on the Java side must not write to the buffer before the call returns.
///
/// # Errors
/// [`Error::Argument`] for null, and for a buffer that is not direct.
pub(crate) fn memory<'a>(env: &Env<'_>, buffer: &'a JObject<'_>, argument: &'static str) -> Result<&'a [u8], Failure> {
    let (start, length) = direct_memory(env, buffer).map_err(|reason| refused(argument, reason))?;
    // SAFETY: the JVM says that this range belongs to a live direct buffer; `buffer` is the reference to it that the
    // JVM passed, which keeps it alive for `'a`. The contract of `thumbnail` forbids the Java side to write to it
    // during the call.
    Ok(unsafe { slice::from_raw_parts(start, length) })
}

/// The bytes `from..to` of a direct buffer.
///
/// The caller on the Java side must not touch the buffer before the call returns.
///
/// # Errors
/// [`Error::Argument`] for null, for a buffer that is not direct or read-only, and for bytes that it does not have.
pub(crate) fn part<'a>(
    env: &mut Env<'_>,
    buffer: &'a mut JObject<'_>,
    (from, to): (i32, i32),
) -> Result<&'a mut [u8], Failure> {
    let (start, length) = writable_memory(env, buffer, "buffer")?;
    // SAFETY: the JVM says that this range belongs to a live direct buffer, whose memory is not read-only; `buffer` is
    // the reference to it that the JVM passed, which keeps it alive for `'a` and is borrowed mutably. The contract of
    // `readFile` forbids the Java side to touch it during the call.
    let memory = unsafe { slice::from_raw_parts_mut(start, length) };
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    range.and_then(|(from, to)| memory.get_mut(from..to)).ok_or_else(|| {
        refused(
            "buffer",
            &format!("it has {length} bytes, and none from {from} to {to}"),
        )
    })
}

/// Start and length of a direct buffer that may be written to.
fn writable_memory(
    env: &mut Env<'_>,
    buffer: &JObject<'_>,
    argument: &'static str,
) -> Result<(*mut u8, usize), Failure> {
    let memory = direct_memory(env, buffer).map_err(|reason| refused(argument, reason))?;
    // What a read-only buffer shows may be a mapped file, where a write would end the process.
    let java = Java::get(env)?;
    let buffer = env.as_cast::<JByteBuffer<'_>>(buffer)?;
    if java.is_read_only(env, &buffer)? {
        return Err(refused(argument, "read-only"));
    }
    Ok(memory)
}

/// Start and length of a direct buffer, or what the object is instead.
fn direct_memory(env: &Env<'_>, object: &JObject<'_>) -> Result<(*mut u8, usize), &'static str> {
    if object.is_null() {
        return Err("null");
    }
    let not_direct = |_| "not a direct buffer";
    let buffer = env.as_cast::<JByteBuffer<'_>>(object).map_err(not_direct)?;
    let start = env.get_direct_buffer_address(&buffer).map_err(not_direct)?;
    let length = env.get_direct_buffer_capacity(&buffer).map_err(not_direct)?;
    Ok((start, length))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_sizes_say_which_images_are_pixels() {
        let images: [&[u8]; 3] = [b"BM", b"abc", b""];
        let sources = sources(&images, &[0, 0, 0, 1, 1, 3, -1, i32::MIN, 0]).unwrap();
        let [ImageSource::File(b"BM"), ImageSource::Pixels(pixels), ImageSource::Pixels(negative)] = sources[..] else {
            unreachable!("{sources:?}");
        };
        assert_eq!((pixels.width, pixels.height, pixels.channels), (1, 1, 3));
        assert_eq!(pixels.bytes, b"abc");
        assert_eq!((negative.width, negative.height, negative.channels), (0, 0, 0));
    }

    #[test]
    fn another_number_of_sizes_is_refused() {
        for sizes in [&[][..], &[0, 0], &[0; 4], &[0; 6]] {
            let refusal = sources(&[b"image"], sizes).unwrap_err().to_string();
            assert!(
                refusal.contains(&format!("{} numbers for 1 images", sizes.len())),
                "{refusal}"
            );
        }
    }
}
