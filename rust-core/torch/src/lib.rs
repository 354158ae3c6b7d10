//! libtorch backend
