// Whether a module changes itself while it runs: tasks share it, so what one writes another one reads, or frees.

#include "graph.h"
#include "module.h"
#include "symbols.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>
#include <vector>

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/function_schema.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/inline_fork_wait.h>

namespace spark_classify {

namespace {

// The first attribute that freezing has left in `object`, as a path of names; empty where there is none.
std::string first_attribute(const c10::ivalue::Object &object) {
    const auto type = object.type();
    for (size_t slot = 0; slot < type->numAttributes(); ++slot) {
        const auto &name = type->getAttributeName(slot);
        const auto &value = object.getSlot(slot);
        if (!value.isModule()) {
            return name;
        }
        const auto inner = first_attribute(value.toObjectRef());
        if (!inner.empty()) {
            return name + "." + inner;
        }
    }
    return {};
}

using Node = torch::jit::Node;
using Value = torch::jit::Value;

bool is_tensors(const Value *value) {
    const auto list = value->type()->cast<c10::ListType>();
    return (list ? list->getElementType() : value->type())->isSubtypeOf(*c10::TensorType::get());
}

// Operators that are made of other ones, and yet always compute something new.
const std::unordered_set<std::string_view> kComputing = {"conv1d",
                                                         "conv2d",
                                                         "conv3d",
                                                         "conv_transpose1d",
                                                         "conv_transpose2d",
                                                         "conv_transpose3d",
                                                         "linear",
                                                         "matmul",
                                                         "batch_norm",
                                                         "instance_norm",
                                                         "layer_norm",
                                                         "group_norm",
                                                         "rms_norm",
                                                         "softmax",
                                                         "log_softmax",
                                                         "max_pool1d",
                                                         "max_pool2d",
                                                         "max_pool3d",
                                                         "avg_pool1d",
                                                         "adaptive_avg_pool1d",
                                                         "adaptive_avg_pool2d",
                                                         "adaptive_avg_pool3d",
                                                         "adaptive_max_pool1d",
                                                         "scaled_dot_product_attention",
                                                         "upsample_nearest1d",
                                                         "upsample_nearest2d",
                                                         "upsample_linear1d",
                                                         "upsample_bilinear2d",
                                                         "upsample_bicubic2d",
                                                         "multiply",
                                                         "divide",
                                                         "true_divide",
                                                         "subtract",
                                                         "square",
                                                         "std",
                                                         "var",
                                                         "norm",
                                                         "pad",
                                                         "tile",
                                                         "repeat_interleave",
                                                         "hstack",
                                                         "vstack",
                                                         "dstack"};

// Operators with a kernel of their own that return their argument or a view of it all the same; besides those whose
// names begin with `unsafe_`, which means just that.
const std::unordered_set<std::string_view> kReturning = {"dequantize", "lift"};

// Whether an operator may return its first argument, or a view of it, and does not declare that. Where libtorch has a
// kernel for one, it makes new tensors; where it is made of others (type_as, einsum, dropout), it may do nothing at
// all.
bool may_return_argument(const Node *node, const c10::FunctionSchema &schema) {
    const std::string_view full = schema.name(), name = full.substr(full.find("::") + 2);
    if (kReturning.count(name) != 0 || name.substr(0, 7) == "unsafe_") {
        return true;
    }
    if (name == "einsum" && node->input(1)->node()->kind() == symbols::list()) {
        // A product of several tensors is a new one.
        return node->input(1)->node()->inputs().size() < 2;
    }
    const auto known = c10::Dispatcher::singleton().findSchema(schema.operator_name());
    const bool composed = !known || known->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd);
    return composed && kComputing.count(name) == 0;
}

// Whether a node of `graph` changes a value that stands in the graph itself, as a trace or freezing puts it there.
bool writes_to_constants(const std::shared_ptr<torch::jit::Graph> &graph) {
    const torch::jit::AliasDb aliases(graph);
    // Constants, and then what may be one of them.
    std::vector<Value *> fixed;
    std::vector<Value *> written;
    std::vector<Node *> returning;
    bool found = false;
    for_each_node(graph->block(), [&](Node *node) {
        if (node->kind() == symbols::constant()) {
            found = found || aliases.hasWriters(node->output());
            fixed.push_back(node->output());
        }
        const auto *schema = node->maybeSchema();
        if (!schema) {
            return;
        }
        for (size_t place = 0; place < schema->arguments().size() && place < node->inputs().size(); ++place) {
            if (schema->is_mutable({c10::SchemaArgType::input, place}) &&
                !node->input(place)->type()->cast<c10::ListType>()) {
                written.push_back(node->input(place));
            }
        }
        if (may_return_argument(node, *schema)) {
            returning.push_back(node);
        }
    });
    if (found || written.empty() || fixed.empty()) {
        return found;
    }
    for (bool grown = true; grown;) {
        const auto rest = std::partition(returning.begin(), returning.end(), [&](Node *node) {
            const auto first = std::find_if(node->inputs().begin(), node->inputs().end(), is_tensors);
            return first == node->inputs().end() || !aliases.mayContainAlias(*first, fixed);
        });
        grown = rest != returning.end();
        for (auto node = rest; node != returning.end(); ++node) {
            fixed.insert(fixed.end(), (*node)->outputs().begin(), (*node)->outputs().end());
        }
        returning.erase(rest, returning.end());
    }
    // A list of constants is none of them, so that here its elements count, too.
    return aliases.mayContainAlias(written, fixed);
}

bool is_true(const std::optional<c10::IValue> &value) {
    return value && value->isBool() && value->toBool();
}

// The operator of `block` that works as in training, if there is one. Its schema does not say that it changes averages
// or is random, so the other checks do not find it.
std::optional<std::string> training_operator(const torch::jit::Block *block) {
    for (const torch::jit::Node *node : block->nodes()) {
        bool trains = is_true(argument(node, "training")) || is_true(argument(node, "train"));
        for (const auto *name : {"p", "dropout"}) {
            const auto share = argument(node, name);
            trains = trains && !(share && share->isDouble() && share->toDouble() == 0.0);
        }
        // Without averages an instance norm always works on its input alone.
        const auto average = argument(node, "running_mean");
        trains = trains || (is_true(argument(node, "use_input_stats")) && average && !average->isNone());
        if (trains) {
            return node->kind().toQualString();
        }
        for (const torch::jit::Block *inner : node->blocks()) {
            if (auto found = training_operator(inner)) {
                return found;
            }
        }
    }
    return std::nullopt;
}

} // namespace

void check_state(torch::jit::Module &module) {
    const auto graph = module.get_method("forward").graph();
    // A forked call would run on libtorch's own threads. Nothing is gained by that, and here it would hide what it
    // writes.
    torch::jit::InlineForkWait(graph);
    constexpr const char *kWhy =
        " while it runs; tasks share a module, so that they would get each other's values or crash. Call "
        "model.eval() before it is traced or scripted, or take that out of forward, and export it again";
    if (const auto name = training_operator(graph->block())) {
        throw Refused(
            "the module is in train mode: its operator `" + *name +
            "` works as in training, so that a result depends on chance or on the other images of the batch; call "
            "model.eval() before it is traced or scripted, and export it again (a batch norm without running averages "
            "works like that always)");
    }
    const auto attribute = first_attribute(*module._ivalue());
    if (!attribute.empty()) {
        throw Refused("the module changes its attribute `" + attribute + "`" + kWhy);
    }
    if (writes_to_constants(graph)) {
        throw Refused(std::string("the module changes a tensor or an object that it was made with") + kWhy);
    }
}

} // namespace spark_classify
