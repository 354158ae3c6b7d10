// Names in graphs. libtorch numbers them anew in every release, so they are looked up in the one that runs: the
// constants of its headers (c10::attr::value and so on) are the numbers of the one that was compiled against.
#pragma once

#include <ATen/core/symbol.h>

namespace symbols {

inline c10::Symbol constant() {
    static const auto symbol = c10::Symbol::prim("Constant");
    return symbol;
}

inline c10::Symbol list() {
    static const auto symbol = c10::Symbol::prim("ListConstruct");
    return symbol;
}

inline c10::Symbol convolution() {
    static const auto symbol = c10::Symbol::aten("_convolution");
    return symbol;
}

inline c10::Symbol linear() {
    static const auto symbol = c10::Symbol::aten("linear");
    return symbol;
}

inline c10::Symbol addmm() {
    static const auto symbol = c10::Symbol::aten("addmm");
    return symbol;
}

inline c10::Symbol matmul() {
    static const auto symbol = c10::Symbol::aten("matmul");
    return symbol;
}

inline c10::Symbol mm() {
    static const auto symbol = c10::Symbol::aten("mm");
    return symbol;
}

inline c10::Symbol gelu() {
    static const auto symbol = c10::Symbol::aten("gelu");
    return symbol;
}

// A linear layer in oneDNN, with what comes after it.
inline c10::Symbol linear_pointwise() {
    static const auto symbol = c10::Symbol::fromQualString("mkldnn::_linear_pointwise");
    return symbol;
}

// A constant in oneDNN's own layout, which `Constant` cannot hold.
inline c10::Symbol onednn_constant() {
    static const auto symbol = c10::Symbol::prim("ConstantMKLDNNTensor");
    return symbol;
}

inline c10::Symbol value() {
    static const auto symbol = c10::Symbol::attr("value");
    return symbol;
}

} // namespace symbols
