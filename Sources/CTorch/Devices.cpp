// Devices besides the CPU: whether they can be used, and copies between their memory and the host's. All but what is
// under CTORCH_CUDA compiles and runs without CUDA.

#include "Support.h"

#include <chrono>
#include <cstring>
#include <thread>

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#ifdef CTORCH_CUDA
#include <ATen/cuda/CUDAContext.h>
#endif

using namespace ctorch;

struct CTReadbackImpl {
    at::Tensor copy;
    /// Comes when the copy is there.
    std::optional<c10::Event> event;
};

namespace {

/// Keeps what libtorch would print.
struct WarningText : c10::WarningHandler {
    std::string text;

    void process(const c10::Warning &warning) override { text = warning.msg(); }
};

struct DeviceCount {
    int32_t count = 0;
    std::string failure;

    DeviceCount() {
        // libtorch warns, once, of why it can't use what is there, and counts no devices.
        WarningText warning;
        c10::WarningUtils::WarningHandlerGuard guard(&warning);
        count = at::detail::getCUDAHooks().getNumGPUs();
        if (count == 0) failure = warning.text;
    }
};

}  // namespace

bool ct_has_cuda(void) { return at::globalContext().hasCUDART(); }

int32_t ct_cuda_device_count(void) {
    return guarded<int32_t>(-1, [] {
        static const DeviceCount devices;
        TORCH_CHECK(devices.failure.empty(), devices.failure);
        return devices.count;
    });
}

bool ct_use_device(int32_t type, int32_t index) {
    return action([&] {
        const at::Device device = deviceOf(type, index);
        if (device.is_cpu()) return;
        c10::impl::VirtualGuardImpl(device.type()).setDevice(device);
        // cuDNN's attention has no gradient for what is added to the scores.
        at::globalContext().setSDPUseCuDNN(false);
        // Whether the device has code for its architecture shows where it first computes.
        const at::Tensor x = at::ones({16, 16}, at::TensorOptions().dtype(at::kFloat).device(device));
        TORCH_CHECK(at::mm(x, x).sum().item<float>() == 4096, "it computes wrong numbers");
    });
}

const char *ct_device_name(int32_t index) {
#ifdef CTORCH_CUDA
    return guarded<const char *>(
        "", [&] { return at::cuda::getDeviceProperties(static_cast<at::DeviceIndex>(index))->name; });
#else
    static_cast<void>(index);
    return "";
#endif
}

int64_t ct_peak_device_memory(int32_t type, int32_t index) {
    return guarded<int64_t>(-1, [&] {
        const at::Device device = deviceOf(type, index);
        const auto stats = at::getDeviceAllocator(device.type())->getDeviceStats(device.index());
        return stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)].peak;
    });
}

void ct_allow_tf32(bool allowed) { at::globalContext().setAllowTF32CuBLAS(allowed); }

at::Tensor ctorch::upload(
    const void *bytes, size_t byteCount, at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
    const auto options = at::TensorOptions().dtype(dtype);
    const at::Tensor host = at::empty(shape, options.pinned_memory(!device.is_cpu()));
    TORCH_CHECK(host.nbytes() == byteCount, "the shape needs ", host.nbytes(), " bytes, not ", byteCount);
    if (byteCount > 0) std::memcpy(host.data_ptr(), bytes, byteCount);
    return device.is_cpu() ? host : host.to(device, /*non_blocking=*/true);
}

CTReadback ct_readback(CTTensor source) {
    return guarded<CTReadback>(nullptr, [&] {
        const at::Tensor value = source->value.detach();
        if (value.device().is_cpu()) return new CTReadbackImpl{value, std::nullopt};
        at::Tensor copy = at::empty(value.sizes(), value.options().device(at::kCPU).pinned_memory(true));
        copy.copy_(value, /*non_blocking=*/true);
        std::optional<c10::Event> event(std::in_place, value.device().type());
        event->record(c10::impl::VirtualGuardImpl(value.device().type()).getStream(value.device()));
        return new CTReadbackImpl{std::move(copy), std::move(event)};
    });
}

void ct_readback_release(CTReadback readback) { delete readback; }

CTTensor ct_readback_wait(CTReadback readback, int64_t timeout) {
    using Clock = std::chrono::steady_clock;
    return tensor([&] {
        if (readback->event && timeout < 0) readback->event->synchronize();
        const auto deadline = Clock::now() + std::chrono::milliseconds(timeout);
        while (readback->event && !readback->event->query()) {
            TORCH_CHECK(Clock::now() < deadline, "the device has not come to an end within ", timeout, " ms");
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        }
        return readback->copy;
    });
}
