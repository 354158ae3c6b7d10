//! The way in: from the raw pointers of a native method call to checked references.

#![allow(unsafe_code)] // the FFI boundary itself; each block says why it holds

use std::ffi::c_void;
use std::marker::PhantomData;

use jni::objects::JObject;
use jni::{sys, Env, EnvUnowned};

use crate::exceptions::{Failure, ThrowClassifyException};

/// One call of a native method, as the JVM made it: its environment and its `N` object arguments.
///
/// It cannot leave the thread it was made on, nor outlive the call.
#[derive(Debug)]
pub struct NativeCall<'local, const N: usize> {
    env: *mut sys::JNIEnv,
    objects: [sys::jobject; N],
    frame: PhantomData<&'local ()>,
}

impl<'local, const N: usize> NativeCall<'local, N> {
    /// Takes over what the JVM passed to a native method.
    ///
    /// # Safety
    /// `env` is the `JNIEnv*` and `objects` are object arguments (null allowed) of a native method call that runs on
    /// this thread now, and `'local` ends before that call returns.
    #[must_use]
    pub unsafe fn new(env: *mut c_void, objects: [*mut c_void; N]) -> Self {
        Self {
            env: env.cast(),
            objects: objects.map(<*mut c_void>::cast),
            frame: PhantomData,
        }
    }

    /// Runs `body` as the inside of the native method.
    ///
    /// An error or a panic becomes a pending Java exception, and the default value is returned, which the JVM ignores
    /// then. Nothing unwinds into the JVM.
    pub(crate) fn run<T, F>(self, body: F) -> T
    where
        T: Default,
        F: FnOnce(&mut Env<'local>, [JObject<'local>; N]) -> Result<T, Failure>,
    {
        // SAFETY: `new` demands a valid `JNIEnv*` of this thread whose frame outlives `'local`.
        let mut env: EnvUnowned<'local> = unsafe { EnvUnowned::from_raw(self.env) };
        env.with_env(|env| {
            // SAFETY: `new` demands that these are local references of this call's frame, or null.
            let objects = self.objects.map(|object| unsafe { JObject::from_raw(env, object) });
            body(env, objects)
        })
        .resolve::<ThrowClassifyException>()
    }
}
