//! ONNX Runtime backend
