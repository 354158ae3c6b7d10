// What the C++ files of this crate share.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include <caffe2/serialize/read_adapter_interface.h>

#include <torch/csrc/jit/api/module.h>
#include <torch/script.h>
#include <torch/version.h>

#if TORCH_VERSION_MAJOR != 2 || TORCH_VERSION_MINOR != 11
#error "libtorch 2.11 is needed; set LIBTORCH to its directory"
#endif

// A module for inference. Opaque to Rust.
struct SparkClassifyModule {
    torch::jit::Module module;
    // Freezing copies a module and its methods, but what stands in them about their origin, for errors and warnings,
    // still points to the functions of the file.
    std::shared_ptr<torch::jit::CompilationUnit> code;
    bool writes_to_input;
    at::Device device;
};

// What is wanted of a run: the logits, the embedding, or both, one after the other in each row.
struct SparkClassifyWanted {
    bool classes;
    // The name of the output with the embedding; null where it is not wanted.
    const char *embedding;
    // How the vectors in that become one: 0 where there is one, 1 for the first, 2 for their mean.
    int pooling;
};

namespace spark_classify {

// The reason of this thread's last failure, and whether the device was the cause: its memory, or its state.
extern thread_local std::string last_error;
extern thread_local bool device_failed;
// Whether this thread's last failure was a module that could be loaded, but must not be used.
extern thread_local bool refused;

// Says why a module must not be used, and the way out.
struct Refused : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// The result of `body`, or a null pointer (or false) with the reason in `last_error`: no exception leaves a function
// that Rust calls.
template <typename F> auto guarded(F body) noexcept -> decltype(body()) {
    device_failed = false;
    refused = false;
    try {
        return body();
    } catch (const Refused &error) {
        refused = true;
        last_error = error.what();
    } catch (const c10::OutOfMemoryError &error) {
        device_failed = true;
        last_error = error.what_without_backtrace();
    } catch (const c10::AcceleratorError &error) {
        device_failed = true;
        last_error = error.what_without_backtrace();
    } catch (const c10::Error &error) {
        // what() would add a backtrace.
        last_error = error.what_without_backtrace();
    } catch (const std::exception &error) {
        last_error = error.what();
    } catch (...) {
        last_error = "unknown C++ exception";
    }
    return {};
}

// The names of what a model returns, one a line: the keys of a dictionary or the fields of a named tuple.
std::string names_of(const c10::IValue &output);

// What is wanted of what a model returns for `n` images, as float32 of shape [n, width].
at::Tensor rows_of(const c10::IValue &output, const SparkClassifyWanted &wanted, int64_t n);

// Throws Refused for a TorchScript file whose code does more than compute. Runs nothing of it.
void check_operators(const std::shared_ptr<caffe2::serialize::ReadAdapterInterface> &file);

// Throws Refused for a frozen module that changes itself while it runs, or works as in training.
void check_state(torch::jit::Module &module);

// Leaves the linear layers of a frozen module in float32 to oneDNN, before it is optimized for inference.
void linear_to_onednn(torch::jit::Module &module);

} // namespace spark_classify
