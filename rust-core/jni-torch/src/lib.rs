//! libspark_classify_torch.so
