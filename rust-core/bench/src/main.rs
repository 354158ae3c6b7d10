//! Benchmarks the inference core without Spark
fn main() {}
