// Which operators a TorchScript file uses, found out before any of its code runs.
//
// A file is a program: some operators read and write files or talk to other machines, and loading alone runs the
// methods
// `__setstate__` of its classes. So its code is compiled into a unit of its own first, as loading does, with objects
// that stay empty, and every function of that unit is looked through.

#include "module.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/serialization/import_source.h>
#include <torch/csrc/jit/serialization/unpickler.h>

namespace spark_classify {

namespace {

using caffe2::serialize::PyTorchStreamReader;

// Namespaces of operators that compute; what is in none of them talks to other processes, loads code, or is unknown.
constexpr std::array<std::string_view, 12> kNamespaces = {
    "aten",   "prim",   "quantized", "_quantized",       "sparse",   "mkl",
    "mkldnn", "onednn", "prepacked", "mkldnn_prepacked", "profiler", "torchvision"};

// Operators of these namespaces that do something else: files, Python, other processes, addresses of memory.
constexpr std::array<std::string_view, 8> kRefused = {"aten::from_file",       "aten::save",      "prim::PythonOp",
                                                      "prim::IgnoredPythonOp", "prim::rpc_async", "prim::rpc_sync",
                                                      "prim::rpc_remote",      "mkldnn::data_ptr"};

// Classes of libtorch that hold packed weights; others open sockets, or record what the process does.
constexpr std::array<std::string_view, 6> kClasses = {"quantized", "rnn", "sparse", "mkldnn", "onednn", "xnnpack"};

constexpr std::string_view kNativeClass = "__torch__.torch.classes.";

template <size_t N> bool contains(const std::array<std::string_view, N> &names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void refuse(const std::string &what) {
    throw Refused(
        "the module uses " + what +
        ", which can do more than compute (read and write files, reach other processes, run other code); export a "
        "module without it, or, if you trust the file, set spark.classify.torch.allowAllOperators "
        "(--allow-all-operators) to true");
}

void check_class(const std::string &name) {
    if (name.compare(0, kNativeClass.size(), kNativeClass) == 0) {
        const auto rest = std::string_view(name).substr(kNativeClass.size());
        if (!contains(kClasses, rest.substr(0, rest.find('.')))) {
            refuse("the class `" + name + "`");
        }
    }
}

void check_block(const torch::jit::Block *block) {
    for (const torch::jit::Node *node : block->nodes()) {
        const std::string name = node->kind().toQualString();
        if (!contains(kNamespaces, std::string_view(name).substr(0, name.find("::"))) || contains(kRefused, name)) {
            refuse("the operator `" + name + "`");
        }
        for (const torch::jit::Value *output : node->outputs()) {
            if (const auto type = output->type()->cast<c10::ClassType>(); type && type->name()) {
                check_class(type->name()->qualifiedName());
            }
        }
        // Closures and forked calls.
        for (const auto attribute : node->attributeNames()) {
            if (node->kindOf(attribute) == torch::jit::AttributeKind::g) {
                check_block(node->g(attribute)->block());
            }
        }
        for (const torch::jit::Block *inner : node->blocks()) {
            check_block(inner);
        }
    }
}

// Compiles the code of a file, and runs nothing.
class DryLoad {
  public:
    explicit DryLoad(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> file)
        : reader_(std::move(file)), unit_(std::make_shared<torch::jit::CompilationUnit>()),
          importer_(
              unit_, &constants_, [this](const std::string &qualifier) { return source(qualifier); },
              reader_.version()) {}

    // All functions of the file: methods, and what they call.
    std::vector<torch::jit::Function *> functions() {
        if (reader_.hasRecord("model.json")) {
            throw Refused(
                "the file has the format of PyTorch 1.0, whose code cannot be looked through before it runs; load it "
                "in Python and save it again with torch.jit.save");
        }
        const auto constants = read("constants");
        for (const auto &constant : constants.toTupleRef().elements()) {
            constants_.push_back(constant);
        }
        read("data");
        return unit_->get_functions();
    }

  private:
    std::shared_ptr<torch::jit::Source> source(const std::string &qualifier) {
        std::string path = "code/" + qualifier;
        std::replace(path.begin(), path.end(), '.', '/');
        path += ".py";
        if (!reader_.hasRecord(path)) {
            return nullptr;
        }
        const auto [text, size] = reader_.getRecord(path);
        return std::make_shared<torch::jit::Source>(std::string(static_cast<const char *>(text.get()), size), path, 1);
    }

    c10::IValue read(const std::string &archive) {
        const auto [pickle, size] = reader_.getRecord(archive + ".pkl");
        const char *next = static_cast<const char *>(pickle.get());
        size_t left = size;
        torch::jit::Unpickler unpickler(
            [&](char *to, size_t count) {
                count = std::min(count, left);
                std::memcpy(to, next, count);
                next += count;
                left -= count;
                return count;
            },
            [&](const c10::QualifiedName &name) {
                check_class(name.qualifiedName());
                return c10::StrongTypePtr(unit_, importer_.loadType(name));
            },
            [](const at::StrongTypePtr &type, const c10::IValue &) {
                return c10::ivalue::Object::create(type, type.type_->expectRef<c10::ClassType>().numAttributes());
            },
            // The system gives empty pages on demand, and none is looked at: the weights are not read twice.
            [&](const std::string &record) {
                const size_t bytes = reader_.getRecordSize(archive + "/" + record);
                void *empty = std::calloc(std::max<size_t>(bytes, 1), 1);
                TORCH_CHECK(empty != nullptr, "not enough memory for ", bytes, " bytes of weights");
                return at::DataPtr(empty, empty, &std::free, at::kCPU);
            },
            at::Device(at::kCPU));
        unpickler.set_version(reader_.version());
        return unpickler.parse_ivalue();
    }

    PyTorchStreamReader reader_;
    std::shared_ptr<torch::jit::CompilationUnit> unit_;
    std::vector<at::IValue> constants_;
    torch::jit::SourceImporter importer_;
};

} // namespace

void check_operators(const std::shared_ptr<caffe2::serialize::ReadAdapterInterface> &file) {
    DryLoad program(file);
    for (torch::jit::Function *function : program.functions()) {
        if (const auto *graph_function = torch::jit::tryToGraphFunction(*function)) {
            check_block(graph_function->graph()->block());
        }
    }
}

} // namespace spark_classify
