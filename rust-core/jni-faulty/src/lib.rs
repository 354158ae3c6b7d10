//! A native library whose backend fails on purpose, for the JVM's tests
