//! `libspark_classify_torch.so`: libtorch for the JVM.
//!
//! It is linked to libtorch, which must be loaded before this library is.

#![allow(unsafe_code)] // exported symbols

use spark_classify_jni::Library;
use spark_classify_torch::TorchEngine;

static LIBRARY: Library = Library::new("pytorch", |_| Ok(Box::new(TorchEngine::new())));

spark_classify_jni::natives!(TorchNative, LIBRARY);
