// A lane: running a module on pixels, on a stream of its own where the module is on a GPU.
//
// Only what libtorch has for all devices is used here, so that this links without CUDA: libtorch_cuda registers its
// part when it is loaded. On the CPU a lane works, too, for tests.

#include "module.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include <ATen/Context.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/jit/codegen/fuser/interface.h>
#include <torch/cuda.h>

using spark_classify::guarded;
using spark_classify::last_error;
using spark_classify::rows_of;

// Opaque to Rust. Used by one thread at a time.
struct SparkClassifyLane {
    const SparkClassifyModule *module;
    std::optional<c10::Stream> stream;
    // uint8 [images, 3, height, width], in memory of the host that is page-locked where there is a GPU.
    at::Tensor pixels;
    // 768 values: what becomes of each sample of each plane, in the numbers that the module takes.
    at::Tensor table;
    // int32 [3, 1, 1]: where the values of each plane begin.
    at::Tensor offsets;
    bool channels_last;
};

namespace {

// The module's input for the first `n` images: each sample is looked up in the table, which gives exactly the numbers
// that normalising on the CPU gives.
at::Tensor input_of(const SparkClassifyLane &lane, int64_t n) {
    // From page-locked memory this copy returns at once; the stream keeps the order.
    const auto pixels = lane.pixels.narrow(0, 0, n).to(lane.module->device, /*non_blocking=*/true);
    const auto indices = pixels.to(at::kInt).add_(lane.offsets);
    const auto input = lane.table.index_select(0, indices.view({-1})).view(indices.sizes());
    return lane.channels_last ? input.permute({0, 2, 3, 1}).contiguous() : input;
}

// What the module returns for the first `n` images.
c10::IValue run(const SparkClassifyLane &lane, int64_t n) {
    TORCH_CHECK(n > 0 && n <= lane.pixels.size(0), n, " images are not what the lane has memory for");
    const auto forward = lane.module->module.get_method("forward");
    return forward({input_of(lane, n)});
}

// After a failure the copy of the pixels may still be under way, and they belong to the caller again. The first error
// counts.
void wait_after_failure(const SparkClassifyLane &lane) {
    if (lane.stream) {
        const auto reason = last_error;
        const bool device = spark_classify::device_failed;
        guarded([&] {
            lane.stream->synchronize();
            return true;
        });
        last_error = reason;
        spark_classify::device_failed = device;
    }
}

} // namespace

extern "C" {

// How many GPUs libtorch can use.
int spark_classify_torch_gpus() noexcept {
    try {
        return torch::cuda::device_count();
    } catch (...) {
        return 0;
    }
}

// Makes sure that GPU number `gpu` can be used, and says whether matrix products of float32 may use TF32, from now on
// and in the whole process.
bool spark_classify_torch_prepare_gpu(int gpu, bool tf32) noexcept {
    return guarded([&] {
        // Both of libtorch's interfaces for this agree afterwards; the newer one alone would make the older one throw.
        at::globalContext().setAllowTF32CuDNN(tf32);
        at::globalContext().setAllowTF32CuBLAS(tf32);
        // Fusing would compile kernels anew for each size of a batch.
        torch::jit::overrideCanFuseOnGPU(false);
        if (gpu >= 0) {
            at::empty({1}, at::TensorOptions().dtype(at::kByte).device(at::kCUDA, static_cast<at::DeviceIndex>(gpu)));
        }
        return true;
    });
}

// For tests: 1 where matrix products and convolutions may use TF32, 0 where none may, -1 where libtorch does not know.
int spark_classify_torch_allows_tf32() noexcept {
    try {
        const auto &context = at::globalContext();
        const bool products = context.allowTF32CuBLAS(), convolutions = context.allowTF32CuDNN();
        return products == convolutions ? products : -1;
    } catch (...) {
        return -1;
    }
}

// A lane for up to `images` images of `height` x `width` pixels. `table` has 3 x 256 float32; `kind` is the number of
// the scalar type that the module takes. `module` must outlive the lane. The result is to be given to
// spark_classify_torch_lane_free.
SparkClassifyLane *spark_classify_torch_lane(const SparkClassifyModule *module, int64_t images, int64_t height,
                                             int64_t width, bool channels_last, int kind, const float *table) noexcept {
    return guarded([&] {
        const c10::InferenceMode inference_mode;
        const auto device = module->device;
        std::optional<c10::Stream> stream;
        if (device.is_cuda()) {
            const c10::impl::VirtualGuardImpl gpu(device.type());
            // Loading the module has left work on the stream of the thread that did it.
            gpu.synchronizeDevice(device.index());
            stream = gpu.getStreamFromGlobalPool(device);
        }
        const c10::OptionalStreamGuard guard(stream);
        const auto values = at::from_blob(const_cast<float *>(table), {3 * 256}, at::kFloat);
        const auto bytes = at::TensorOptions().dtype(at::kByte).pinned_memory(device.is_cuda());
        return new SparkClassifyLane{
            module,
            stream,
            // Not empty: Rust sees this memory through a reference, which needs bytes that have been written.
            at::zeros({images, 3, height, width}, bytes),
            values.to(device, static_cast<at::ScalarType>(kind), /*non_blocking=*/false, /*copy=*/true),
            at::tensor({0, 256, 512}, at::kInt).view({3, 1, 1}).to(device),
            channels_last,
        };
    });
}

// Waits for the lane's work, so that none of its memory is in use any more.
void spark_classify_torch_lane_free(SparkClassifyLane *lane) noexcept {
    guarded([&] {
        if (lane->stream) {
            lane->stream->synchronize();
        }
        return true;
    });
    delete lane;
}

// Where the pixels of the next run go: images x 3 x height x width bytes.
uint8_t *spark_classify_torch_lane_pixels(SparkClassifyLane *lane) noexcept {
    return lane->pixels.data_ptr<uint8_t>();
}

// Runs the module on the first image of the lane's pixels, and returns the names of its outputs, one a line; valid
// until the next call of this thread.
const char *spark_classify_torch_lane_names(SparkClassifyLane *lane) noexcept {
    thread_local std::string names;
    const char *found = guarded([&]() -> const char * {
        const c10::InferenceMode inference_mode;
        const c10::OptionalStreamGuard guard(lane->stream);
        names = spark_classify::names_of(run(*lane, 1));
        if (lane->stream) {
            lane->stream->synchronize();
        }
        return names.c_str();
    });
    if (!found) {
        wait_after_failure(*lane);
    }
    return found;
}

// Runs the module on the first `n` images of the lane's pixels, and writes what is wanted: `n` rows of `width` values,
// or with `width` 0 nothing. Returns the width of a row when all is done, and 0 for an error.
int64_t spark_classify_torch_lane_run(SparkClassifyLane *lane, int64_t n, const SparkClassifyWanted *wanted,
                                      float *rows, int64_t width) noexcept {
    const auto width_of_run = guarded([&]() -> int64_t {
        const c10::InferenceMode inference_mode;
        const c10::OptionalStreamGuard guard(lane->stream);
        // This waits for the stream.
        const auto given = rows_of(run(*lane, n), *wanted, n).to(at::kCPU).contiguous();
        TORCH_CHECK(width == 0 || width == given.size(1), "the output has ", given.size(1),
                    " values for each image, expected ", width);
        std::memcpy(rows, given.data_ptr<float>(), static_cast<size_t>(n * width) * sizeof(float));
        return given.size(1);
    });
    if (width_of_run == 0) {
        wait_after_failure(*lane);
    }
    return width_of_run;
}

} // extern "C"
