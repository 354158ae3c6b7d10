//! The JNI boundary, shared by the native libraries of all engines
