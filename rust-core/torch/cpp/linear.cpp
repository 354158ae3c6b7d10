// Linear layers in oneDNN.
//
// libtorch leaves float32 matrix products to the BLAS it was built with, which is Intel's MKL on x86-64. MKL uses its
// AVX-512 kernels on Intel's processors only; oneDNN, which libtorch has for convolutions, asks for the instructions
// alone. Optimizing a frozen module for inference does not change that: it only stores the weights transposed.

#include "graph.h"
#include "module.h"
#include "symbols.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/Functions.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/runtime/operator.h>

namespace spark_classify {

namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// x W^T + b with weights that stand in the graph.
struct Layer {
    Node *node;
    // The place of x among the node's inputs: which value that is changes when the layer before is replaced.
    size_t input;
    // [outputs, inputs], which may be a view.
    at::Tensor weight;
    // Null where there is none.
    Value *bias;
};

std::optional<at::Tensor> constant_tensor(const Value *value) {
    const auto constant = value->node()->kind() == symbols::constant() ? torch::jit::toIValue(value) : std::nullopt;
    return constant && constant->isTensor() ? std::make_optional(constant->toTensor()) : std::nullopt;
}

bool is_plain(const at::Tensor &tensor, const int64_t dimensions) {
    return tensor.defined() && tensor.device().is_cpu() && tensor.layout() == at::kStrided &&
           tensor.scalar_type() == at::kFloat && tensor.dim() == dimensions && tensor.numel() > 0;
}

// Whether a constant number of `node` is 1.
bool is_one(const Node *node, const char *name) {
    const auto number = argument(node, name);
    return number && number->isScalar() && number->toScalar().toDouble() == 1.0;
}

// What `node` is as a linear layer, if it is one.
std::optional<Layer> layer_of(Node *node) {
    const auto kind = node->kind();
    const size_t inputs = node->inputs().size();
    size_t input = 0;
    Value *weight = nullptr, *bias = nullptr;
    if (kind == symbols::linear() && inputs == 3) {
        weight = node->input(1), bias = node->input(2);
    } else if ((kind == symbols::matmul() || kind == symbols::mm()) && inputs == 2) {
        weight = node->input(1);
    } else if (kind == symbols::addmm() && inputs == 5 && is_one(node, "beta") && is_one(node, "alpha")) {
        bias = node->input(0), input = 1, weight = node->input(2);
    } else {
        return std::nullopt;
    }
    const auto given = constant_tensor(weight);
    if (!given || !is_plain(*given, 2)) {
        return std::nullopt;
    }
    const auto rows = kind == symbols::linear() ? *given : given->t();
    if (bias && bias->mustBeNone()) {
        bias = nullptr;
    }
    if (bias) {
        const auto values = constant_tensor(bias);
        // Others are broadcast.
        if (!values || !is_plain(*values, 1) || values->size(0) != rows.size(0)) {
            return std::nullopt;
        }
    }
    return Layer{node, input, rows, bias};
}

// The GELU that is all that is made of `value`, if that is so.
Node *gelu_of(const Value *value) {
    if (value->uses().size() != 1) {
        return nullptr;
    }
    Node *user = value->uses()[0].user;
    const auto kind = user->kind() == symbols::gelu() ? argument(user, "approximate") : std::nullopt;
    return kind && kind->isString() && user->owningBlock() == value->node()->owningBlock() ? user : nullptr;
}

// `weight` in the layout that oneDNN's kernels read, for batches of any size.
at::Tensor packed(const at::Tensor &weight) {
    static const auto reorder = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_reorder_linear_weight", "");
    torch::jit::Stack stack{weight.contiguous(), c10::IValue()};
    reorder.callBoxed(stack);
    return stack.at(0).toTensor();
}

at::Tensor computed(const at::Tensor &input, const at::Tensor &weight, const at::Tensor &bias) {
    static const auto linear = c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "");
    torch::jit::Stack stack{input, weight, bias, "none", c10::List<std::optional<at::Scalar>>(), ""};
    linear.callBoxed(stack);
    return stack.at(0).toTensor();
}

// The layers of a graph, in oneDNN.
class Rewriting {
  public:
    explicit Rewriting(std::shared_ptr<Graph> graph) : graph_(std::move(graph)) {}

    void run() {
        std::vector<Layer> layers;
        for_each_node(graph_->block(), [&](Node *node) {
            if (auto layer = layer_of(node)) {
                layers.push_back(std::move(*layer));
            }
        });
        for (const Layer &layer : layers) {
            replace(layer);
        }
        // Of the plain weights, so that there is one copy.
        torch::jit::EliminateDeadCode(graph_);
    }

  private:
    void replace(const Layer &layer) {
        Value *weight = packed_weight(layer);
        Node *gelu = gelu_of(layer.node->output());
        const torch::jit::WithInsertPoint before(layer.node);
        Value *bias = layer.bias ? layer.bias : graph_->insertConstant(c10::IValue());
        Node *scalars = graph_->insertNode(
            graph_->createList(c10::OptionalType::create(c10::NumberType::get()), at::ArrayRef<Value *>()));
        const std::string algorithm = gelu ? argument(gelu, "approximate")->toStringRef() : "";
        Value *result = graph_->insert(symbols::linear_pointwise(),
                                       {layer.node->input(layer.input), weight, bias,
                                        std::string(gelu ? "gelu" : "none"), scalars->output(), algorithm});
        for (Node *node : {gelu, layer.node}) {
            if (node) {
                node->output()->replaceAllUsesWith(result);
                node->destroy();
            }
        }
    }

    // A constant at the graph's beginning, so that layers in all its blocks can share it.
    Value *packed_weight(const Layer &layer) {
        auto &constants = packed_[layer.weight.const_data_ptr()];
        const auto found = std::find_if(constants.begin(), constants.end(), [&](const auto &constant) {
            return constant.first.sizes() == layer.weight.sizes() && constant.first.strides() == layer.weight.strides();
        });
        if (found != constants.end()) {
            return found->second;
        }
        Node *constant = graph_->create(symbols::onednn_constant());
        constant->t_(symbols::value(), packed(layer.weight));
        graph_->prependNode(constant);
        return constants.emplace_back(layer.weight, constant->output()).second;
    }

    std::shared_ptr<Graph> graph_;
    // By where the plain ones begin; a module may use one for several layers.
    std::map<const void *, std::vector<std::pair<at::Tensor, Value *>>> packed_;
};

// The best times of two ways to do something, in seconds. They take turns, so that both meet the same load.
template <typename F, typename G> std::pair<double, double> best_times(const F &first, const G &second) {
    constexpr int kRounds = 5;
    const auto seconds = [](const auto &way) {
        const auto start = std::chrono::steady_clock::now();
        way();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    // oneDNN compiles a kernel at the first call.
    first();
    second();
    auto best = std::make_pair(std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity());
    for (int round = 0; round < kRounds; ++round) {
        best.first = std::min(best.first, seconds(first));
        best.second = std::min(best.second, seconds(second));
    }
    return best;
}

} // namespace

void linear_to_onednn(torch::jit::Module &module) {
    Rewriting(module.get_method("forward").graph()).run();
}

} // namespace spark_classify

extern "C" {

// How many times as fast as libtorch's BLAS oneDNN is on this thread with a linear layer, which is tried out in some
// milliseconds; 0 where that fails.
double spark_classify_torch_linear_speedup() noexcept {
    return spark_classify::guarded([]() -> double {
        const c10::InferenceMode inference_mode;
        // As many vectors as half an image's in a ViT, and about as wide: large enough to show a kernel's speed.
        constexpr int64_t kRows = 128, kWidth = 512;
        const auto input = at::ones({kRows, kWidth}), weight = at::ones({kWidth, kWidth}), bias = at::ones({kWidth});
        const auto packed = spark_classify::packed(weight);
        // The other way is what optimizing for inference makes of a layer.
        const auto [blas, onednn] =
            spark_classify::best_times([&] { return at::add(at::matmul(input, weight), bias); },
                                       [&] { return spark_classify::computed(input, packed, bias); });
        return blas / onednn;
    });
}

// For tests: how many linear layers of `module` are in oneDNN.
int64_t spark_classify_torch_linear_layers(const SparkClassifyModule *module) noexcept {
    return spark_classify::guarded([&] {
        int64_t count = 0;
        spark_classify::for_each_node(
            module->module.get_method("forward").graph()->block(),
            [&](const torch::jit::Node *node) { count += node->kind() == symbols::linear_pointwise() ? 1 : 0; });
        return count;
    });
}

} // extern "C"
