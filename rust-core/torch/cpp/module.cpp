// The calls of libtorch that tch does not offer: freezing and optimizing a TorchScript module, running it in
// inference mode, and asking the library for its version at run time.
//
// No exception leaves a function: those that can fail return null and keep the reason for this thread.

#include "module.h"

#include <utility>

#include <ATen/Version.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/ir.h>

namespace spark_classify {

thread_local std::string last_error;

at::Tensor logits_of(const c10::IValue &output) {
  if (output.isTensor()) {
    return output.toTensor();
  }
  if (output.isTuple() && output.toTupleRef().elements().size() == 1 && output.toTupleRef().elements()[0].isTensor()) {
    return output.toTupleRef().elements()[0].toTensor();
  }
  if (output.isGenericDict()) {
    const auto dict = output.toGenericDict();
    const auto entry = dict.find("logits");
    if (entry != dict.end() && entry->value().isTensor()) {
      return entry->value().toTensor();
    }
  }
  TORCH_CHECK(false, "the model returns ", output.type()->repr_str(),
              ", expected a tensor, a tuple of one tensor, or a dictionary with a tensor `logits`");
}

}  // namespace spark_classify

namespace {

using spark_classify::guarded;
using spark_classify::last_error;
using spark_classify::logits_of;

// Whether `module` changes its input in place.
bool writes_to_input(const torch::jit::Module &module) {
  const auto graph = module.get_method("forward").graph();
  const auto inputs = graph->inputs();
  TORCH_CHECK(inputs.size() >= 2, "forward takes no input");
  // The first input is the module itself.
  return torch::jit::AliasDb(graph).hasWriters(inputs[1]);
}

// `tensor` in bfloat16 if it holds floating-point numbers. The weights of a convolution get their channels last, which is
// the order in which oneDNN's kernels for bfloat16 need no copies between layers.
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
    if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
        node->kindOf(c10::attr::value) == torch::jit::AttributeKind::t) {
      const auto converted = to_bf16(node->t(c10::attr::value));
      node->t_(c10::attr::value, converted);
      node->output()->inferTypeFrom(converted);
    }
    for (torch::jit::Block *inner : node->blocks()) {
      constants_to_bf16(inner);
    }
  }
}

// Makes a frozen module compute in bfloat16.
void to_bf16(torch::jit::Module &module) {
  constants_to_bf16(module.get_method("forward").graph()->block());
  // What freezing leaves of these is what the module changes while it runs.
  const at::NoGradGuard no_grad;
  for (at::Tensor parameter : module.parameters()) {
    parameter.set_data(to_bf16(parameter));
  }
  for (at::Tensor buffer : module.buffers()) {
    buffer.set_data(to_bf16(buffer));
  }
}

}  // namespace

extern "C" {

// The reason of this thread's last failure; valid until the next call of this thread.
const char *spark_classify_torch_error() noexcept { return last_error.c_str(); }

// The build settings of the libtorch in this process, TORCH_VERSION among them; valid until the next call of this
// thread.
const char *spark_classify_torch_config() noexcept {
  thread_local std::string config;
  return guarded([&]() -> const char * {
    config = at::show_config();
    return config.c_str();
  });
}

// Loads a TorchScript file for inference, with `bf16` in bfloat16, so that it takes and gives such numbers: on the CPU, or
// where `gpu` is not negative into the memory of that GPU. The result is to be given to spark_classify_torch_free.
SparkClassifyModule *spark_classify_torch_load(const char *path, int gpu, bool bf16) noexcept {
  return guarded([&] {
    const at::Device device = gpu < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<at::DeviceIndex>(gpu));
    torch::jit::Module module = torch::jit::load(path, device);
    module.eval();
    module = torch::jit::freeze(module);
    // Freezing has inlined all calls, so that the graph shows every write; optimizing would hide some.
    const bool writes = writes_to_input(module);
    if (bf16) {
      // After freezing has folded batch norms into convolutions, so that their weights are rounded only once.
      to_bf16(module);
    }
    if (device.is_cpu()) {
      // What this does is made for CPUs: it reorders weights for oneDNN.
      module = torch::jit::optimize_for_inference(module);
    }
    return new SparkClassifyModule{module, writes, device};
  });
}

void spark_classify_torch_free(SparkClassifyModule *module) noexcept { delete module; }

// Runs `module` on `input`, which stays as it is; the result is contiguous and may share the memory of `input`.
// Safe to call from several threads at once.
at::Tensor *spark_classify_torch_forward(const SparkClassifyModule *module, const at::Tensor *input) noexcept {
  return guarded([&] {
    const c10::InferenceMode inference_mode;
    const auto forward = module->module.get_method("forward");
    const c10::IValue output = forward({module->writes_to_input ? input->clone() : *input});
    return new at::Tensor(logits_of(output).contiguous());
  });
}

}  // extern "C"
