// Walking through graphs.
#pragma once

#include <optional>
#include <string>

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace spark_classify {

// Calls `visit` for each node of `block`, and of the blocks within it.
template <typename F> void for_each_node(torch::jit::Block *block, const F &visit) {
    for (torch::jit::Node *node : block->nodes()) {
        visit(node);
        for (torch::jit::Block *inner : node->blocks()) {
            for_each_node(inner, visit);
        }
    }
}

// The constant argument `name` of `node`, if it has one.
inline std::optional<c10::IValue> argument(const torch::jit::Node *node, const std::string &name) {
    const auto *schema = node->maybeSchema();
    const auto place = schema ? schema->argumentIndexWithName(name) : std::nullopt;
    return place ? torch::jit::toIValue(node->input(*place)) : std::nullopt;
}

} // namespace spark_classify
