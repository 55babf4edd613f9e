// Linear layers.
//
// libtorch multiplies float32 matrices with MKL, which takes AVX-512 on Intel's processors only. oneDNN, which libtorch
// has, too, takes it wherever there is: on AMD's its products are twice as fast.

#include "Kernels/Kernels.h"
#include "Parallel.h"
#include "Support.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <string_view>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// With fewer rows, as many as a batch has examples, the call itself is what takes time.
constexpr int64_t fewestRows = 64;

using Product = at::Tensor(
    const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, std::string_view,
    c10::List<std::optional<at::Scalar>>, std::optional<std::string_view>);

/// libtorch's operator of oneDNN's x Wᵀ + b; none where libtorch is built without.
const std::optional<c10::TypedOperatorHandle<Product>> &oneDNN() {
    static const auto handle = [] {
        const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
        return found ? std::optional(found->typed<Product>()) : std::nullopt;
    }();
    return handle;
}

bool prefersOneDNN(std::string_view choice) {
#if defined(__x86_64__)
    if (!oneDNN()) return false;
    if (choice == "onednn" || choice == "mkl") return choice == "onednn";
    return !__builtin_cpu_is("intel") && hasAVX512();
#else
    return false;
#endif
}

/// Whether oneDNN multiplies.
std::atomic<bool> &usesOneDNN() {
    static std::atomic<bool> result = [] {
        const char *choice = std::getenv("CAMTL_CPU_PRODUCTS");
        return prefersOneDNN(choice ? choice : "");
    }();
    return result;
}

/// x Wᵀ + b of matrices, whose strides may be any.
at::Tensor product(
    const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias = std::nullopt) {
    return oneDNN()->call(x, weight, bias, "none", c10::List<std::optional<at::Scalar>>(), "");
}

/// Rows of zeros are added up to one of eight numbers between a power of two and the next: oneDNN compiles a product for
/// each shape that it meets, and keeps it.
at::Tensor filledUp(const at::Tensor &rows) {
    const int64_t count = rows.size(0);
    const int64_t step = std::max<int64_t>(32, std::bit_floor(static_cast<uint64_t>(count)) / 8);
    const int64_t missing = (step - count % step) % step;
    return missing == 0 ? rows : at::constant_pad_nd(rows, {0, 0, 0, missing});
}

/// The transpose of a matrix, in its order in memory. libtorch's own `contiguous` moves it in one thread.
at::Tensor transposed(const at::Tensor &source) {
    // In squares of whole cache lines, both sides of which fit the nearest cache.
    constexpr int64_t block = 32;
    const at::Tensor matrix = source.contiguous();
    const int64_t rows = matrix.size(0), columns = matrix.size(1);
    at::Tensor result = at::empty({columns, rows}, matrix.options());
    const float *from = matrix.const_data_ptr<float>();
    float *to = result.mutable_data_ptr<float>();
    const int64_t across = (columns + block - 1) / block, down = (rows + block - 1) / block;
    parallelFor(0, across * down, /*grain=*/64, [&](int64_t begin, int64_t end) {
        for (int64_t place = begin; place < end; ++place) {
            const int64_t firstColumn = place % across * block, firstRow = place / across * block;
            const int64_t lastColumn = std::min(columns, firstColumn + block);
            const int64_t lastRow = std::min(rows, firstRow + block);
            for (int64_t column = firstColumn; column < lastColumn; ++column) {
                for (int64_t row = firstRow; row < lastRow; ++row) {
                    to[column * rows + row] = from[row * columns + column];
                }
            }
        }
    });
    return result;
}

struct Linear : torch::autograd::Function<Linear> {
    static at::Tensor forward(
        AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
        const std::optional<at::Tensor> &bias) {
        context->saved_data["has bias"] = bias.has_value();
        // Only the gradient of the weight reads x: where that is frozen, nothing needs to keep it.
        context->save_for_backward({weight.requires_grad() ? x : at::Tensor(), weight});
        return product(filledUp(x), weight, bias).narrow(0, 0, x.size(0));
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const variable_list saved = context->get_saved_variables();
        const at::Tensor &gradient = gradients[0];
        const at::Tensor filled = filledUp(gradient);
        variable_list results(3);
        if (context->needs_input_grad(0)) {
            results[0] = product(filled, saved[1].t()).narrow(0, 0, gradient.size(0));
        }
        if (context->needs_input_grad(1)) results[1] = product(transposed(filled), filledUp(saved[0]).t());
        // What isn't there has no number to ask for.
        if (context->saved_data["has bias"].toBool() && context->needs_input_grad(2)) results[2] = gradient.sum(0);
        return results;
    }
};

bool takesOneDNN(const at::Tensor &x, const at::Tensor &weight, const std::optional<at::Tensor> &bias) {
    const auto fits = [](const at::Tensor &tensor) {
        return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat;
    };
    return fits(x) && fits(weight) && (!bias || fits(*bias)) && weight.dim() == 2 && x.dim() >= 2
        && x.size(-1) == weight.size(1) && weight.numel() > 0 && x.numel() >= fewestRows * x.size(-1)
        && usesOneDNN().load(std::memory_order_relaxed);
}

}  // namespace

bool ct_set_products(const char *name) {
    return action([&] {
        const bool result = prefersOneDNN(name);
        TORCH_CHECK(
            *name == 0 || std::string_view(name) == (result ? "onednn" : "mkl"), "libtorch has no '", name,
            "' for linear layers here");
        usesOneDNN() = result;
    });
}

CTTensor ct_linear(CTTensor source, CTTensor weight, CTTensor bias) {
    return tensor([&] {
        const std::optional<at::Tensor> addend = optionalTensor(bias);
        if (!takesOneDNN(source->value, weight->value, addend)) {
            return at::linear(source->value, weight->value, addend);
        }
        auto shape = source->value.sizes().vec();
        shape.back() = weight->value.size(0);
        const at::Tensor rows = source->value.reshape({-1, source->value.size(-1)});
        return Linear::apply(rows, weight->value, addend).view(shape);
    });
}
