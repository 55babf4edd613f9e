// Creation, access, automatic differentiation and shape.

#include "Support.h"

#include <cstring>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/types.h>
#include <torch/version.h>

#include "Kernels/Kernels.h"

using namespace ctorch;

namespace {
thread_local std::string lastError;
}

void ctorch::setLastError(const char *text) { lastError = text; }

const char *ct_last_error(void) { return lastError.c_str(); }

const char *ct_version(void) { return TORCH_VERSION; }

void ct_set_thread_count(int32_t count) { at::set_num_threads(count); }

int32_t ct_thread_count(void) { return at::get_num_threads(); }

void ct_keep_freed_memory(void) {
#if defined(__GLIBC__)
    // A step frees and takes the same large blocks as the one before; given back to the system in between, each page
    // would be cleared and mapped anew. The threshold is the highest that glibc takes.
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

const char *ct_instruction_set(void) { return kernels().name; }

bool ct_set_instruction_set(const char *name) {
    return action([&] { TORCH_CHECK(limitKernels(name), "this processor has no loops for '", name, "'"); });
}

bool ct_is_sparse(CTTensor source) { return source->value.is_sparse(); }

bool ct_grad_enabled(void) { return at::GradMode::is_enabled(); }

void ct_set_grad_enabled(bool enabled) { at::GradMode::set_enabled(enabled); }

void ct_release(CTTensor tensor) { delete tensor; }

CTTensor ct_full(
    const int64_t *shape, size_t rank, double value, int32_t dtype, int32_t device, int32_t index) {
    return tensor([&] { return torch::full(sizes(shape, rank), value, options(dtype, device, index)); });
}

CTTensor ct_from_bytes(
    const void *bytes, size_t byteCount, const int64_t *shape, size_t rank, int32_t dtype, int32_t device,
    int32_t index) {
    return tensor([&] {
        return upload(
            bytes, byteCount, sizes(shape, rank), static_cast<at::ScalarType>(dtype), deviceOf(device, index));
    });
}

CTTensor ct_normal(const int64_t *shape, size_t rank, double std, uint64_t seed, int32_t dtype) {
    return tensor([&] {
        at::Generator generator = at::detail::createCPUGenerator(seed);
        at::Tensor result = torch::empty(sizes(shape, rank), options(dtype));
        return result.normal_(0.0, std, generator);
    });
}

bool ct_copy_bytes(CTTensor source, void *bytes, size_t byteCount) {
    return action([&] {
        const at::Tensor strided = source->value.is_sparse() ? source->value.to_dense() : source->value;
        at::Tensor contiguous = strided.detach().to(at::kCPU).contiguous();
        TORCH_CHECK(
            contiguous.nbytes() == byteCount, "the tensor has ", contiguous.nbytes(), " bytes, not ", byteCount);
        if (byteCount > 0) std::memcpy(bytes, contiguous.data_ptr(), byteCount);
    });
}

size_t ct_rank(CTTensor source) { return source->value.dim(); }

int64_t ct_size(CTTensor source, size_t dimension) { return source->value.sizes()[dimension]; }

int32_t ct_dtype(CTTensor source) { return static_cast<int32_t>(source->value.scalar_type()); }

int32_t ct_device(CTTensor source, int32_t *index) {
    *index = source->value.device().index();
    return static_cast<int32_t>(source->value.device().type());
}

CTTensor ct_to(CTTensor source, int32_t dtype, int32_t device, int32_t index) {
    return tensor([&] { return source->value.to(options(dtype, device, index)); });
}

int64_t ct_change_count(CTTensor source) { return static_cast<int64_t>(source->value._version()); }

bool ct_set_requires_grad(CTTensor source, bool requiresGrad) {
    return action([&] { source->value.set_requires_grad(requiresGrad); });
}

bool ct_requires_grad(CTTensor source) { return source->value.requires_grad(); }

CTTensor ct_grad(CTTensor source, bool *absent) {
    return guarded<CTTensor>(nullptr, [&]() -> CTTensor {
        const at::Tensor &gradient = source->value.grad();
        *absent = !gradient.defined();
        if (*absent) return nullptr;
        // Kept, so that whoever asks next needn't add them up again.
        if (gradient.is_sparse()) source->value.mutable_grad() = gradient.coalesce();
        return wrap(source->value.grad());
    });
}

bool ct_set_grad(CTTensor source, CTTensor gradient) {
    return action([&] { source->value.mutable_grad() = gradient ? gradient->value : at::Tensor(); });
}

bool ct_backward(CTTensor loss) {
    return action([&] { loss->value.backward(); });
}

CTTensor ct_detach(CTTensor source) {
    return tensor([&] { return source->value.detach(); });
}

CTTensor ct_reshape(CTTensor source, const int64_t *shape, size_t rank) {
    return tensor([&] { return source->value.reshape(sizes(shape, rank)); });
}

CTTensor ct_unsqueeze(CTTensor source, int64_t dimension) {
    return tensor([&] { return source->value.unsqueeze(dimension); });
}

CTTensor ct_stack(const CTTensor *tensors, size_t count) {
    return tensor([&] { return at::stack(list(tensors, count)); });
}

CTTensor ct_narrow(CTTensor source, int64_t dimension, int64_t start, int64_t length) {
    return tensor([&] { return source->value.narrow(dimension, start, length); });
}

CTTensor ct_index_select(CTTensor source, int64_t dimension, CTTensor indices) {
    return tensor([&] { return source->value.index_select(dimension, indices->value); });
}
