// The calls of libtorch that tch does not offer: freezing and optimizing a TorchScript module, running it in
// inference mode, and asking the library for its version at run time.
//
// No exception leaves a function: those that can fail return null and keep the reason for this thread.

#include "module.h"
#include "symbols.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/Version.h>
#include <caffe2/serialize/file_adapter.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace spark_classify {

thread_local std::string last_error;
thread_local bool device_failed = false;
thread_local bool refused = false;

namespace {

// The tensor called `name` in a dictionary or a named tuple.
std::optional<at::Tensor> named(const c10::IValue &output, const std::string_view name) {
    if (output.isTuple()) {
        const auto tuple = output.toTuple();
        const auto &elements = tuple->elements();
        const auto names = tuple->type()->names().value_or(std::vector<std::string_view>());
        const auto place = static_cast<size_t>(std::find(names.begin(), names.end(), name) - names.begin());
        if (place < elements.size() && elements[place].isTensor()) {
            return elements[place].toTensor();
        }
    }
    if (output.isGenericDict()) {
        const auto dict = output.toGenericDict();
        const auto entry = dict.find(std::string(name));
        if (entry != dict.end() && entry->value().isTensor()) {
            return entry->value().toTensor();
        }
    }
    return std::nullopt;
}

// The logits: a tensor, a tuple of one tensor, or the entry "logits" of a dictionary or a named tuple. Traced models of
// the transformers library return tuples and dictionaries; scripted ones of torchvision with more heads for training
// (GoogLeNet, Inception v3) return named tuples.
at::Tensor logits_of(const c10::IValue &output) {
    if (output.isTensor()) {
        return output.toTensor();
    }
    if (output.isTuple() && output.toTupleRef().elements().size() == 1 &&
        output.toTupleRef().elements()[0].isTensor()) {
        return output.toTupleRef().elements()[0].toTensor();
    }
    if (const auto logits = named(output, "logits")) {
        return *logits;
    }
    TORCH_CHECK(false, "the model returns ", output.type()->repr_str(),
                ", expected a tensor, a tuple of one tensor, or a dictionary or named tuple with a tensor `logits`");
}

void check_type(const at::Tensor &tensor) {
    const auto type = tensor.scalar_type();
    TORCH_CHECK(type == at::kFloat || type == at::kHalf || type == at::kBFloat16, "the output is of type ", type,
                ", expected float32, float16 or bfloat16");
}

// A vector for each of `n` images. Convolutional networks leave the axes that they have averaged, with a length of 1.
at::Tensor vectors_of(const at::Tensor &tensor, const int64_t n, const char *what) {
    check_type(tensor);
    const auto sizes = tensor.sizes();
    const bool fits = sizes.size() >= 2 && sizes[0] == n && tensor.numel() > 0 &&
                      std::count_if(sizes.begin() + 1, sizes.end(), [](int64_t size) { return size != 1; }) <= 1;
    TORCH_CHECK(fits, "the output has shape ", sizes, ", expected [", n, ", ", what, "]");
    return tensor.reshape({n, -1}).to(at::kFloat);
}

at::Tensor embedding_of(const c10::IValue &output, const SparkClassifyWanted &wanted, const int64_t n) {
    const auto tensor = named(output, wanted.embedding);
    TORCH_CHECK(tensor, "the model returns no tensor `", wanted.embedding, "`");
    if (wanted.pooling == 0) {
        return vectors_of(*tensor, n, "width");
    }
    check_type(*tensor);
    TORCH_CHECK(tensor->dim() == 3 && tensor->size(0) == n && tensor->numel() > 0, "the output `", wanted.embedding,
                "` has shape ", tensor->sizes(), ", expected [", n, ", tokens, width]");
    return wanted.pooling == 1 ? tensor->select(1, 0).to(at::kFloat) : tensor->mean({1}, false, at::kFloat);
}

} // namespace

std::string names_of(const c10::IValue &output) {
    std::string names;
    if (output.isTuple()) {
        for (const auto &name : output.toTupleRef().type()->names().value_or(std::vector<std::string_view>())) {
            names.append(name).append("\n");
        }
    }
    if (output.isGenericDict()) {
        for (const auto &entry : output.toGenericDict()) {
            if (entry.key().isString()) {
                names.append(entry.key().toStringRef()).append("\n");
            }
        }
    }
    return names;
}

at::Tensor rows_of(const c10::IValue &output, const SparkClassifyWanted &wanted, const int64_t n) {
    std::vector<at::Tensor> parts;
    if (wanted.classes) {
        parts.push_back(vectors_of(logits_of(output), n, "classes"));
    }
    if (wanted.embedding) {
        parts.push_back(embedding_of(output, wanted, n));
    }
    return parts.size() == 1 ? parts.front().contiguous() : at::cat(parts, 1);
}

} // namespace spark_classify

namespace {

using spark_classify::guarded;
using spark_classify::last_error;
using spark_classify::rows_of;

// Whether an operator of `block` changes a tensor in place.
bool changes_tensors(const torch::jit::Block *block) {
    for (const torch::jit::Node *node : block->nodes()) {
        const auto *schema = node->maybeSchema();
        if (schema && schema->is_mutable()) {
            return true;
        }
        for (const torch::jit::Block *inner : node->blocks()) {
            if (changes_tensors(inner)) {
                return true;
            }
        }
    }
    return false;
}

// Whether `module` may change its input in place. The analysis of aliases would say which tensor an operator changes,
// but it misses operators that can return their argument itself and do not declare that, as dropout does for inference.
bool writes_to_input(const torch::jit::Module &module) {
    const auto graph = module.get_method("forward").graph();
    TORCH_CHECK(graph->inputs().size() >= 2, "forward takes no input");
    return changes_tensors(graph->block());
}

// `tensor` in bfloat16 if it holds floating-point numbers. The weights of a convolution get their channels last, which
// is the order in which oneDNN's kernels for bfloat16 need no copies between layers.
at::Tensor to_bf16(const at::Tensor &tensor) {
    if (!tensor.is_floating_point()) {
        return tensor;
    }
    const auto converted = tensor.to(at::kBFloat16);
    return converted.dim() == 4 ? converted.contiguous(at::MemoryFormat::ChannelsLast) : converted;
}

// Converts the tensors among the constants of `block`, which after freezing are the weights.
void constants_to_bf16(torch::jit::Block *block) {
    for (torch::jit::Node *node : block->nodes()) {
        if (node->kind() == symbols::constant() && node->hasAttribute(symbols::value()) &&
            node->kindOf(symbols::value()) == torch::jit::AttributeKind::t) {
            const auto converted = to_bf16(node->t(symbols::value()));
            node->t_(symbols::value(), converted);
            node->output()->inferTypeFrom(converted);
        }
        for (torch::jit::Block *inner : node->blocks()) {
            constants_to_bf16(inner);
        }
    }
}

// Makes a frozen module that was traced on a CPU fit for a GPU. A trace fixes what was set when it was made: whether
// convolutions may use TF32 and try all algorithms, and the device of tensors that the module makes itself.
void fit_for_device(torch::jit::Block *block, const at::Device device, const bool tf32) {
    // The inputs of aten::_convolution with these flags (aten/src/ATen/native/native_functions.yaml).
    constexpr size_t kInputs = 13, kBenchmark = 9, kAllowTf32 = 12;
    for (torch::jit::Node *node : block->nodes()) {
        if (node->kind() == symbols::convolution() && node->inputs().size() == kInputs) {
            const torch::jit::WithInsertPoint before(node);
            node->replaceInput(kBenchmark, node->owningGraph()->insertConstant(false));
            node->replaceInput(kAllowTf32, node->owningGraph()->insertConstant(tf32));
        }
        if (node->kind() == symbols::constant() && node->output()->type()->isSubtypeOf(*c10::DeviceObjType::get()) &&
            node->hasAttribute(symbols::value())) {
            node->s_(symbols::value(), device.str());
        }
        for (torch::jit::Block *inner : node->blocks()) {
            fit_for_device(inner, device, tf32);
        }
    }
}

// How many convolutions of `block` may use TF32.
int64_t tf32_convolutions(torch::jit::Block *block) {
    int64_t count = 0;
    for (torch::jit::Node *node : block->nodes()) {
        if (node->kind() == symbols::convolution()) {
            count += torch::jit::constant_as<bool>(node->inputs().back()).value_or(true) ? 1 : 0;
        }
        for (torch::jit::Block *inner : node->blocks()) {
            count += tf32_convolutions(inner);
        }
    }
    return count;
}

c10::IValue run(const SparkClassifyModule &module, const at::Tensor &input) {
    const auto forward = module.module.get_method("forward");
    return forward({module.writes_to_input ? input.clone() : input});
}

} // namespace

extern "C" {

// Whether the device was the cause of this thread's last failure.
bool spark_classify_torch_device_failed() noexcept {
    return spark_classify::device_failed;
}

// Whether this thread's last failure was a module that must not be used.
bool spark_classify_torch_refused() noexcept {
    return spark_classify::refused;
}

// For tests: how many convolutions of `module` may use TF32.
int64_t spark_classify_torch_tf32_convolutions(const SparkClassifyModule *module) noexcept {
    return guarded([&] { return tf32_convolutions(module->module.get_method("forward").graph()->block()); });
}

// The reason of this thread's last failure; valid until the next call of this thread.
const char *spark_classify_torch_error() noexcept {
    return last_error.c_str();
}

// The build settings of the libtorch in this process, TORCH_VERSION among them; valid until the next call of this
// thread.
const char *spark_classify_torch_config() noexcept {
    thread_local std::string config;
    return guarded([&]() -> const char * {
        config = at::show_config();
        return config.c_str();
    });
}

// Loads a TorchScript file for inference, with `bf16` in bfloat16, so that it takes and gives such numbers. The result
// is to be given to spark_classify_torch_free. Unless `all_operators`, the file's code is looked through before any of
// it runs.
//
// For tensors on the CPU it is optimized for that as `optimize` says: 0 for not at all, 1 for all but its linear
// layers, 2 for all. With `for_lanes` it is for lanes, in the memory of the GPU whose number is `gpu`, or on the CPU
// where that is negative, and `tf32` says whether its convolutions may use TF32.
SparkClassifyModule *spark_classify_torch_load(const char *path, bool bf16, bool all_operators, int optimize,
                                               bool for_lanes, int gpu, bool tf32) noexcept {
    return guarded([&] {
        const at::Device device =
            gpu < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(gpu));
        // One open file for both, so that what is looked through is what is loaded.
        const auto file = std::make_shared<caffe2::serialize::FileAdapter>(path);
        if (!all_operators) {
            spark_classify::check_operators(file);
        }
        torch::jit::Module loaded = torch::jit::load(file, device);
        loaded.eval();
        const auto code = loaded._ivalue()->compilation_unit();
        torch::jit::Module module = torch::jit::freeze(loaded);
        spark_classify::check_state(module);
        // Freezing has inlined all calls, so that the graph shows every write; optimizing would hide some.
        const bool writes = writes_to_input(module);
        if (bf16) {
            // After freezing has folded batch norms into convolutions, so that their weights are rounded only once.
            constants_to_bf16(module.get_method("forward").graph()->block());
        }
        if (for_lanes) {
            fit_for_device(module.get_method("forward").graph()->block(), device, tf32);
        } else if (optimize > 0) {
            if (optimize > 1) {
                spark_classify::linear_to_onednn(module);
            }
            module = torch::jit::optimize_for_inference(module);
        }
        return new SparkClassifyModule{module, code, writes, device};
    });
}

void spark_classify_torch_free(SparkClassifyModule *module) noexcept {
    delete module;
}

// Runs `module` on `input`, which stays as it is, and returns what is wanted of the result: float32 of shape
// [n, width], contiguous, and it may share the memory of `input`. Safe to call from several threads at once:
// check_state has seen that nothing of the module changes.
at::Tensor *spark_classify_torch_forward(const SparkClassifyModule *module, const at::Tensor *input,
                                         const SparkClassifyWanted *wanted) noexcept {
    return guarded([&] {
        const c10::InferenceMode inference_mode;
        return new at::Tensor(rows_of(run(*module, *input), *wanted, input->size(0)));
    });
}

// Runs `module` on `input` and returns the names of its outputs, one a line; valid until the next call of this thread.
const char *spark_classify_torch_names(const SparkClassifyModule *module, const at::Tensor *input) noexcept {
    thread_local std::string names;
    return guarded([&]() -> const char * {
        const c10::InferenceMode inference_mode;
        names = spark_classify::names_of(run(*module, *input));
        return names.c_str();
    });
}

} // extern "C"
