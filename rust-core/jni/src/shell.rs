//! The shell of a native library.

/// Exports the native methods of one Java class of `io.sparkclassify.natives`, over a `static` [`Library`].
///
/// ```text
/// static LIBRARY: Library = Library::new("onnx", open_engine);
/// spark_classify_jni::natives!(OnnxNative, LIBRARY);
/// ```
///
/// The Java class declares the methods of `io.sparkclassify.natives.NativeEngine` as `native`.
///
/// [`Library`]: crate::Library
#[macro_export]
macro_rules! natives {
    ($class:ident, $library:ident) => {
        #[::robusta_jni::bridge]
        mod bridge {
            use ::robusta_jni::convert::Signature;
            use ::robusta_jni::jni::objects::JObject;
            use ::robusta_jni::jni::JNIEnv;
            use $crate::NativeCall;

            #[derive(Signature)]
            #[package(io.sparkclassify.natives)]
            struct $class;

            impl $class {
                #[call_type(unchecked)]
                pub extern "jni" fn buildInfo<'env>(env: &JNIEnv<'env>) -> JObject<'env> {
                    JObject::from(super::$library.build_info(call(env, [])).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn initialize<'env>(env: &JNIEnv<'env>, request: JObject<'env>) {
                    super::$library.initialize(call(env, [request]))
                }

                #[call_type(unchecked)]
                pub extern "jni" fn engineInfo<'env>(env: &JNIEnv<'env>) -> JObject<'env> {
                    JObject::from(super::$library.engine_info(call(env, [])).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn models<'env>(env: &JNIEnv<'env>) -> JObject<'env> {
                    JObject::from(super::$library.models(call(env, [])).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn neededFiles<'env>(env: &JNIEnv<'env>, request: JObject<'env>) -> JObject<'env> {
                    JObject::from(super::$library.needed_files(call(env, [request])).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn openModel<'env>(env: &JNIEnv<'env>, request: JObject<'env>) -> i64 {
                    super::$library.open_model(call(env, [request]))
                }

                #[call_type(unchecked)]
                pub extern "jni" fn describeModel<'env>(env: &JNIEnv<'env>, handle: i64) -> JObject<'env> {
                    JObject::from(super::$library.describe_model(call(env, []), handle).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn classify<'env>(
                    env: &JNIEnv<'env>,
                    handle: i64,
                    outputs: i32,
                    images: JObject<'env>,
                    sizes: JObject<'env>,
                    threads: i32,
                    output: JObject<'env>,
                ) -> i64 {
                    super::$library.classify(call(env, [images, sizes, output]), handle, outputs, threads)
                }

                #[call_type(unchecked)]
                pub extern "jni" fn hash<'env>(
                    env: &JNIEnv<'env>,
                    decode: JObject<'env>,
                    images: JObject<'env>,
                    sizes: JObject<'env>,
                    threads: i32,
                    output: JObject<'env>,
                ) -> i64 {
                    super::$library.hash(call(env, [decode, images, sizes, output]), threads)
                }

                #[call_type(unchecked)]
                pub extern "jni" fn thumbnail<'env>(env: &JNIEnv<'env>, file: JObject<'env>) -> JObject<'env> {
                    JObject::from(super::$library.thumbnail(call(env, [file])).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn report<'env>(env: &JNIEnv<'env>, request: JObject<'env>) -> JObject<'env> {
                    JObject::from(super::$library.report(call(env, [request])).cast())
                }

                #[call_type(unchecked)]
                pub extern "jni" fn closeModel<'env>(env: &JNIEnv<'env>, handle: i64) {
                    super::$library.close_model(call(env, []), handle)
                }

                #[call_type(unchecked)]
                pub extern "jni" fn openFile<'env>(env: &JNIEnv<'env>, name: JObject<'env>) -> i64 {
                    super::$library.open_file(call(env, [name]))
                }

                #[call_type(unchecked)]
                pub extern "jni" fn fileSize<'env>(env: &JNIEnv<'env>, handle: i64) -> i64 {
                    super::$library.file_size(call(env, []), handle)
                }

                #[call_type(unchecked)]
                pub extern "jni" fn readFile<'env>(
                    env: &JNIEnv<'env>,
                    handle: i64,
                    buffer: JObject<'env>,
                    from: i32,
                    to: i32,
                ) -> i32 {
                    super::$library.read_file(call(env, [buffer]), handle, from, to)
                }

                #[call_type(unchecked)]
                pub extern "jni" fn closeFile<'env>(env: &JNIEnv<'env>, handle: i64) {
                    super::$library.close_file(call(env, []), handle)
                }
            }

            fn call<'env, const N: usize>(env: &JNIEnv<'env>, objects: [JObject<'env>; N]) -> NativeCall<'env, N> {
                // SAFETY: the functions above are called by the JVM alone, as native methods, and hand on the
                // environment and the references that it passed; `'env` is the duration of that call.
                unsafe {
                    NativeCall::new(
                        env.get_native_interface().cast(),
                        objects.map(|object| object.into_inner().cast()),
                    )
                }
            }
        }
    };
}
