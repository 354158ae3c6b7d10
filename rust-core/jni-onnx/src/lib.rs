//! libspark_classify_onnx.so
