//! The Java classes that Rust calls, looked up once.

#![allow(unsafe_code)] // unchecked method ids; the block says why they fit

use jni::ids::{JMethodID, JStaticMethodID};
use jni::objects::{Global, JByteBuffer, JClass, JString, JValue};
use jni::signature::{Primitive, ReturnType};
use jni::{jni_sig, jni_str, Env, JavaVM};
use once_cell::sync::OnceCell;

/// Classes and methods of the jar that this library was loaded for.
///
/// The references are global, so the classes outlive every call. One set is enough: the JVM lets only one class loader
/// load a native library, and these are that loader's classes.
#[derive(Debug)]
pub(crate) struct Java {
    vm: JavaVM,
    exception: Global<JClass<'static>>,
    log: Global<JClass<'static>>,
    log_method: JStaticMethodID,
    is_read_only: JMethodID,
}

static JAVA: OnceCell<Java> = OnceCell::new();

impl Java {
    /// The classes, looked up by the first caller.
    ///
    /// That caller must be inside a native method: `FindClass` then searches the class loader of the class that
    /// declares the method. A jar given with `--jars` is not visible to any other loader a native thread could ask.
    ///
    /// # Errors
    /// When a class or method is not there.
    pub(crate) fn get(env: &mut Env<'_>) -> jni::errors::Result<&'static Self> {
        JAVA.get_or_try_init(|| {
            let exception = env.find_class(jni_str!("io/sparkclassify/ClassifyException"))?;
            let log = env.find_class(jni_str!("io/sparkclassify/natives/NativeLog"))?;
            let log_method = env.get_static_method_id(
                &log,
                jni_str!("log"),
                jni_sig!("(ILjava/lang/String;Ljava/lang/String;)V"),
            )?;
            let buffer = env.find_class(jni_str!("java/nio/ByteBuffer"))?;
            let is_read_only = env.get_method_id(buffer, jni_str!("isReadOnly"), jni_sig!("()Z"))?;
            Ok(Self {
                vm: env.get_java_vm()?,
                exception: env.new_global_ref(exception)?,
                log: env.new_global_ref(log)?,
                log_method,
                is_read_only,
            })
        })
    }

    /// The same for threads that are in no native method; `None` before the first [`Java::get`].
    pub(crate) fn known() -> Option<&'static Self> {
        JAVA.get()
    }

    /// `io.sparkclassify.ClassifyException`.
    pub(crate) fn exception(&self) -> &JClass<'static> {
        &self.exception
    }

    /// Calls `isReadOnly()`.
    ///
    /// # Errors
    /// When it throws.
    pub(crate) fn is_read_only(&self, env: &mut Env<'_>, buffer: &JByteBuffer<'_>) -> jni::errors::Result<bool> {
        // SAFETY: the method id was looked up in this class with this signature: no arguments, a boolean. The class is
        // the JDK's, and never unloaded.
        unsafe {
            env.call_method_unchecked(
                buffer,
                self.is_read_only,
                ReturnType::Primitive(Primitive::Boolean),
                &[],
            )
        }?
        .z()
    }

    /// Calls `NativeLog.level()`: the most detailed level that the JVM wants, 0 (off) to 5 (trace).
    ///
    /// # Errors
    /// When the method is not there or throws.
    pub(crate) fn log_level(&self, env: &mut Env<'_>) -> jni::errors::Result<i32> {
        env.call_static_method(&self.log, jni_str!("level"), jni_sig!("()I"), &[])?
            .i()
    }

    /// Calls `NativeLog.log(level, target, message)`, from any thread.
    ///
    /// A thread that the JVM does not know is attached for the duration of the call, so it can never keep the JVM from
    /// exiting. A pending exception is put aside and is pending again afterwards.
    ///
    /// # Errors
    /// When the thread cannot be attached or the method throws; nothing is pending then.
    pub(crate) fn log(&self, level: i32, target: &str, message: &str) -> jni::errors::Result<()> {
        self.vm.attach_current_thread_for_scope(|env| {
            let target = JString::new(env, target)?;
            let message = JString::new(env, message)?;
            let arguments =
                [JValue::Int(level), JValue::Object(&target), JValue::Object(&message)].map(|value| value.as_jni());
            // SAFETY: the method id was looked up in this class with this signature: int, two strings, void.
            unsafe {
                env.call_static_method_unchecked(
                    &self.log,
                    self.log_method,
                    ReturnType::Primitive(Primitive::Void),
                    &arguments,
                )
            }?;
            Ok(())
        })
    }
}
