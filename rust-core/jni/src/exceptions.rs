//! The exception policy: how an error or a panic becomes a Java exception.

use std::any::Any;
use std::io;

use jni::errors::ErrorPolicy;
use jni::objects::{JString, JThrowable, JValue};
use jni::strings::JNIString;
use jni::{jni_sig, jni_str, Env};
use spark_classify_core::platform::panics;
use spark_classify_core::Error;

use crate::java::Java;

/// The condition of everything that is a mistake of ours: panics, broken contracts, JNI calls that failed.
const INTERNAL_ERROR: &str = "CLASSIFY_INTERNAL_ERROR";

/// What the inside of a native method may fail with.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An error of the core; it knows its condition.
    Core(Error),
    /// A file cannot be opened or read.
    File(io::Error),
    /// A JNI call failed; often because an exception is pending, which then stays.
    Jni(jni::errors::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Self {
        Self::Jni(error)
    }
}

/// Throws `io.sparkclassify.ClassifyException` for every failure, and what Java itself throws for files, unless an
/// exception is pending already: the first cause is the one to keep.
#[derive(Debug)]
pub(crate) struct ThrowClassifyException;

impl<T: Default> ErrorPolicy<T, Failure> for ThrowClassifyException {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        (): &mut Self::Captures<'unowned_env_local, 'native_method>,
        failure: Failure,
    ) -> jni::errors::Result<T> {
        match failure {
            Failure::Core(error) => throw(env, error.condition(), &error.to_string()),
            Failure::File(error) => throw_io(env, &error),
            Failure::Jni(error) => throw(env, INTERNAL_ERROR, &format!("a JNI call failed: {error}")),
        }
        Ok(T::default())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        (): &mut Self::Captures<'unowned_env_local, 'native_method>,
        payload: Box<dyn Any + Send + 'static>,
    ) -> jni::errors::Result<T> {
        let panic = panics::describe(payload);
        throw(env, INTERNAL_ERROR, &format!("panic in the native library: {panic}"));
        Ok(T::default())
    }
}

/// Makes the exception pending. When even that fails (out of memory, broken class path), the last resort is a plain
/// `RuntimeException` with the same text.
fn throw(env: &mut Env<'_>, condition: &str, message: &str) {
    if env.exception_check() {
        return;
    }
    if new_exception(env, condition, message)
        .and_then(|exception| env.throw(exception))
        .is_ok()
        || env.exception_check()
    {
        return;
    }
    let text = JNIString::new(format!("[{condition}] {message}"));
    // The outcome is the pending exception itself; nobody could act on any other.
    let _ = env.throw_new(jni_str!("java/lang/RuntimeException"), text);
}

/// Makes an `IOException` pending, of the class that says whether the file is missing, or may not be read.
fn throw_io(env: &mut Env<'_>, error: &io::Error) {
    let class = match error.kind() {
        io::ErrorKind::NotFound => jni_str!("java/nio/file/NoSuchFileException"),
        io::ErrorKind::PermissionDenied => jni_str!("java/nio/file/AccessDeniedException"),
        _ => jni_str!("java/io/IOException"),
    };
    // The outcome is the pending exception itself, whichever it is.
    let _ = env.throw_new(class, JNIString::new(error.to_string()));
}

fn new_exception<'local>(
    env: &mut Env<'local>,
    condition: &str,
    message: &str,
) -> jni::errors::Result<JThrowable<'local>> {
    let java = Java::get(env)?;
    let condition = JString::new(env, condition)?;
    let message = JString::new(env, message)?;
    let exception = env.new_object(
        java.exception(),
        jni_sig!("(Ljava/lang/String;Ljava/lang/String;)V"),
        &[JValue::Object(&condition), JValue::Object(&message)],
    )?;
    env.cast_local::<JThrowable<'_>>(exception)
}
