// Whether a module changes itself while it runs: tasks share it, so what one writes another one reads, or frees.

#include "module.h"

#include <ATen/core/function_schema.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
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

// Whether a node of `block` changes a value that stands in the graph itself, as a trace or freezing puts it there.
bool writes_to_constants(const torch::jit::AliasDb &aliases, const torch::jit::Block *block) {
  for (const torch::jit::Node *node : block->nodes()) {
    if (node->kind() == c10::prim::Constant && aliases.hasWriters(node->output())) {
      return true;
    }
    for (const torch::jit::Block *inner : node->blocks()) {
      if (writes_to_constants(aliases, inner)) {
        return true;
      }
    }
  }
  return false;
}

// The constant argument `name` of `node`, if it has one.
std::optional<c10::IValue> argument(const torch::jit::Node *node, const std::string &name) {
  const auto *schema = node->maybeSchema();
  const auto place = schema ? schema->argumentIndexWithName(name) : std::nullopt;
  return place ? torch::jit::toIValue(node->input(*place)) : std::nullopt;
}

bool is_true(const std::optional<c10::IValue> &value) { return value && value->isBool() && value->toBool(); }

// The operator of `block` that works as in training, if there is one. Its schema does not say that it changes averages or
// is random, so the other checks do not find it.
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

}  // namespace

void check_state(torch::jit::Module &module) {
  const auto graph = module.get_method("forward").graph();
  // A forked call would run on libtorch's own threads. Nothing is gained by that, and here it would hide what it writes.
  torch::jit::InlineForkWait(graph);
  constexpr const char *kWhy =
      " while it runs; tasks share a module, so that they would get each other's values or crash. Call "
      "model.eval() before it is traced or scripted, or take that out of forward, and export it again";
  if (const auto name = training_operator(graph->block())) {
    throw Refused("the module is in train mode: its operator `" + *name +
                  "` works as in training, so that a result depends on chance or on the other images of the batch; call "
                  "model.eval() before it is traced or scripted, and export it again (a batch norm without running averages "
                  "works like that always)");
  }
  const auto attribute = first_attribute(*module._ivalue());
  if (!attribute.empty()) {
    throw Refused("the module changes its attribute `" + attribute + "`" + kWhy);
  }
  if (writes_to_constants(torch::jit::AliasDb(graph), graph->block())) {
    throw Refused(std::string("the module changes a tensor or an object that it was made with") + kWhy);
  }
}

}  // namespace spark_classify
