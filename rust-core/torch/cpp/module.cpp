// The calls of libtorch that tch does not offer: freezing and optimizing a TorchScript module, running it in
// inference mode, and asking the library for its version at run time.
//
// No exception leaves a function: those that can fail return null and keep the reason for this thread.

#include "module.h"
#include "symbols.h"

#include <algorithm>
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

at::Tensor logits_of(const c10::IValue &output) {
    if (output.isTensor()) {
        return output.toTensor();
    }
    if (output.isTuple()) {
        const auto tuple = output.toTuple();
        const auto &elements = tuple->elements();
        const auto names = tuple->type()->names().value_or(std::vector<std::string_view>());
        const auto place = elements.size() == 1 ? 0 : std::find(names.begin(), names.end(), "logits") - names.begin();
        if (static_cast<size_t>(place) < elements.size() && elements[place].isTensor()) {
            return elements[place].toTensor();
        }
    }
    if (output.isGenericDict()) {
        const auto dict = output.toGenericDict();
        const auto entry = dict.find("logits");
        if (entry != dict.end() && entry->value().isTensor()) {
            return entry->value().toTensor();
        }
    }
    TORCH_CHECK(false, "the model returns ", output.type()->repr_str(),
                ", expected a tensor, a tuple of one tensor, or a dictionary or named tuple with a tensor `logits`");
}

} // namespace spark_classify

namespace {

using spark_classify::guarded;
using spark_classify::last_error;
using spark_classify::logits_of;

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
// For tensors on the CPU it is optimized for that where `optimize` says so. With `for_lanes` it is for lanes, in the
// memory of the GPU whose number is `gpu`, or on the CPU where that is negative, and `tf32` says whether its
// convolutions may use TF32.
SparkClassifyModule *spark_classify_torch_load(const char *path, bool bf16, bool all_operators, bool optimize,
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
        } else if (optimize) {
            module = torch::jit::optimize_for_inference(module);
        }
        return new SparkClassifyModule{module, code, writes, device};
    });
}

void spark_classify_torch_free(SparkClassifyModule *module) noexcept {
    delete module;
}

// Runs `module` on `input`, which stays as it is; the result is contiguous and may share the memory of `input`.
// Safe to call from several threads at once: check_state has seen that nothing of the module changes.
at::Tensor *spark_classify_torch_forward(const SparkClassifyModule *module, const at::Tensor *input) noexcept {
    return guarded([&] {
        const c10::InferenceMode inference_mode;
        const auto forward = module->module.get_method("forward");
        const c10::IValue output = forward({module->writes_to_input ? input->clone() : *input});
        return new at::Tensor(logits_of(output).contiguous());
    });
}

} // extern "C"
