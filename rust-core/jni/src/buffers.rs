//! From Java objects to Rust values: strings and the memory of direct buffers.

#![allow(unsafe_code)] // raw memory of direct buffers; the blocks say why it is valid

use std::slice;

use jni::objects::{JByteBuffer, JObject, JString};
use jni::Env;
use spark_classify_core::Error;

use crate::exceptions::Failure;

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

/// The memory of the input and the output buffer of a call, whole: position and limit of a buffer play no role.
///
/// The caller on the Java side must not touch either before the call returns.
///
/// # Errors
/// [`Error::Argument`] for null, for a buffer that is not direct, and for two buffers that share memory.
pub(crate) fn input_and_output<'a>(
    env: &Env<'_>,
    input: &'a JObject<'_>,
    output: &'a mut JObject<'_>,
) -> Result<(&'a [u8], &'a mut [u8]), Failure> {
    let (input_start, input_length) = direct_memory(env, input, "input")?;
    let (output_start, output_length) = direct_memory(env, output, "output")?;
    let before = |start: *mut u8, length: usize, other: *mut u8| start as usize + length <= other as usize;
    if !before(input_start, input_length, output_start) && !before(output_start, output_length, input_start) {
        return Err(refused("output", "shares memory with `input`"));
    }
    // SAFETY: the JVM says that these ranges belong to two live direct buffers. The references in `input` and `output`
    // keep them alive for `'a`, the ranges were found not to overlap, and the contract of `classify` forbids the Java
    // side to touch them during the call.
    Ok(unsafe {
        (
            slice::from_raw_parts(input_start, input_length),
            slice::from_raw_parts_mut(output_start, output_length),
        )
    })
}

fn direct_memory(env: &Env<'_>, object: &JObject<'_>, argument: &'static str) -> Result<(*mut u8, usize), Failure> {
    if object.is_null() {
        return Err(refused(argument, "null"));
    }
    let buffer = env.as_cast::<JByteBuffer<'_>>(object)?;
    let not_direct = |_| refused(argument, "not a direct buffer");
    let start = env.get_direct_buffer_address(&buffer).map_err(not_direct)?;
    let length = env.get_direct_buffer_capacity(&buffer).map_err(not_direct)?;
    Ok((start, length))
}
