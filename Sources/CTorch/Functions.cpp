// Arithmetic and neural network functions.

#include "Support.h"

#include <c10/core/GradMode.h>

using namespace ctorch;

CTTensor ct_add(CTTensor left, CTTensor right) {
    return tensor([&] { return left->value + right->value; });
}

CTTensor ct_subtract(CTTensor left, CTTensor right) {
    return tensor([&] { return left->value - right->value; });
}

CTTensor ct_multiply(CTTensor left, CTTensor right) {
    return tensor([&] { return left->value * right->value; });
}

CTTensor ct_add_scalar(CTTensor source, double scalar) {
    return tensor([&] { return source->value + scalar; });
}

CTTensor ct_multiply_scalar(CTTensor source, double scalar) {
    return tensor([&] { return source->value * scalar; });
}

CTTensor ct_matmul(CTTensor left, CTTensor right) {
    return tensor([&] { return at::matmul(left->value, right->value); });
}

CTTensor ct_tanh(CTTensor source) {
    return tensor([&] { return at::tanh(source->value); });
}

CTTensor ct_sum(CTTensor source) {
    return tensor([&] { return source->value.sum(); });
}

bool ct_copy_from(CTTensor target, CTTensor source) {
    return action([&] {
        at::NoGradGuard guard;
        target->value.copy_(source->value);
    });
}

bool ct_zero_in_place(CTTensor target) {
    return action([&] {
        at::NoGradGuard guard;
        target->value.zero_();
    });
}

CTTensor ct_embedding(CTTensor weight, CTTensor indices, int64_t paddingIndex, bool sparse) {
    return tensor([&] {
        return at::embedding(weight->value, indices->value, paddingIndex, /*scale_grad_by_freq=*/false, sparse);
    });
}

CTTensor ct_relu(CTTensor source) {
    return tensor([&] { return at::relu(source->value); });
}

CTTensor ct_cross_entropy(CTTensor logits, CTTensor classes, CTTensor weights, double labelSmoothing) {
    return tensor([&] {
        return at::cross_entropy_loss(
            logits->value, classes->value, weights ? std::optional<at::Tensor>(weights->value) : std::nullopt,
            at::Reduction::Mean, /*ignore_index=*/-100, labelSmoothing);
    });
}

CTTensor ct_mse_loss(CTTensor values, CTTensor targets) {
    return tensor([&] { return at::mse_loss(values->value, targets->value); });
}

CTTensor ct_binary_cross_entropy(CTTensor logits, CTTensor targets) {
    return tensor([&] { return at::binary_cross_entropy_with_logits(logits->value, targets->value); });
}
