// What every file of the C interface shares: handles and the way an exception becomes an error text.

#pragma once

// No product and sum are to become one instruction: results have to be the same bits wherever this is compiled.
#pragma STDC FP_CONTRACT OFF

#include <string>

#include <ATen/ATen.h>

#include "ctorch.h"

struct CTTensorImpl {
    at::Tensor value;
};

namespace ctorch {

void setLastError(const char *text);

/// Zeroes elements with `probability` and scales the others by 1 / (1 - probability).
at::Tensor dropout(const at::Tensor &source, double probability);

inline CTTensor wrap(at::Tensor tensor) { return new CTTensorImpl{std::move(tensor)}; }

inline std::optional<at::Tensor> optionalTensor(CTTensor tensor) {
    return tensor ? std::optional<at::Tensor>(tensor->value) : std::nullopt;
}

inline at::IntArrayRef sizes(const int64_t *shape, size_t rank) { return at::IntArrayRef(shape, rank); }

inline at::Device deviceOf(int32_t type, int32_t index) {
    return at::Device(static_cast<at::DeviceType>(type), static_cast<at::DeviceIndex>(index));
}

/// A copy of `bytes` in a device's memory, by way of memory from which the device copies by itself.
at::Tensor upload(
    const void *bytes, size_t byteCount, at::IntArrayRef shape, at::ScalarType dtype, at::Device device);

template <typename Element>
at::Tensor upload(const std::vector<Element> &values, at::Device device) {
    return upload(
        values.data(), values.size() * sizeof(Element), {static_cast<int64_t>(values.size())},
        c10::CppTypeToScalarType<Element>::value, device);
}

inline at::TensorOptions options(int32_t dtype) {
    return at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype));
}

inline at::TensorOptions options(int32_t dtype, int32_t device, int32_t index) {
    return options(dtype).device(deviceOf(device, index));
}

inline std::vector<at::Tensor> list(const CTTensor *tensors, size_t count) {
    std::vector<at::Tensor> result;
    result.reserve(count);
    for (size_t i = 0; i < count; ++i) result.push_back(tensors[i]->value);
    return result;
}

/// Runs `body`; an exception sets the error text and gives `failure` instead of leaving through the C interface.
template <typename Result, typename Body>
Result guarded(Result failure, Body &&body) {
    try {
        return body();
    } catch (const c10::Error &error) {
        setLastError(error.what_without_backtrace());
    } catch (const std::exception &error) {
        setLastError(error.what());
    } catch (...) {
        setLastError("an unknown exception in libtorch");
    }
    return failure;
}

template <typename Body>
CTTensor tensor(Body &&body) {
    return guarded<CTTensor>(nullptr, [&] { return wrap(body()); });
}

template <typename Body>
bool action(Body &&body) {
    return guarded<bool>(false, [&] {
        body();
        return true;
    });
}

}  // namespace ctorch
