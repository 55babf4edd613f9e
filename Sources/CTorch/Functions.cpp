// Arithmetic, neural network functions and optimisation steps.

#include "Support.h"

#include <cmath>

#include <torch/torch.h>

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

CTTensor ct_divide(CTTensor left, CTTensor right) {
    return tensor([&] { return left->value / right->value; });
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

CTTensor ct_sum_dimension(CTTensor source, int64_t dimension, bool keep) {
    return tensor([&] { return source->value.sum(dimension, keep); });
}

CTTensor ct_mean(CTTensor source) {
    return tensor([&] { return source->value.mean(); });
}

bool ct_copy_from(CTTensor target, CTTensor source) {
    return action([&] {
        at::NoGradGuard guard;
        target->value.copy_(source->value);
    });
}

bool ct_multiply_in_place(CTTensor target, double scalar) {
    return action([&] {
        at::NoGradGuard guard;
        target->value.mul_(scalar);
    });
}

CTTensor ct_linear(CTTensor source, CTTensor weight, CTTensor bias) {
    return tensor([&] { return at::linear(source->value, weight->value, optionalTensor(bias)); });
}

CTTensor ct_embedding(CTTensor weight, CTTensor indices, int64_t paddingIndex) {
    return tensor([&] { return at::embedding(weight->value, indices->value, paddingIndex); });
}

CTTensor ct_layer_norm(CTTensor source, CTTensor weight, CTTensor bias, double epsilon) {
    return tensor([&] {
        return at::layer_norm(
            source->value, {source->value.size(-1)}, optionalTensor(weight), optionalTensor(bias), epsilon);
    });
}

CTTensor ct_gelu(CTTensor source) {
    return tensor([&] { return at::gelu(source->value); });
}

CTTensor ct_relu(CTTensor source) {
    return tensor([&] { return at::relu(source->value); });
}

CTTensor ct_softmax(CTTensor source, int64_t dimension) {
    return tensor([&] { return at::softmax(source->value, dimension); });
}

CTTensor ct_cross_entropy(CTTensor logits, CTTensor classes) {
    return tensor([&] { return at::cross_entropy_loss(logits->value, classes->value); });
}

CTTensor ct_mse_loss(CTTensor values, CTTensor targets) {
    return tensor([&] { return at::mse_loss(values->value, targets->value); });
}

CTTensor ct_attention(CTTensor query, CTTensor key, CTTensor value, CTTensor bias, double probability) {
    return tensor([&] {
        // The scale goes into the queries: l·d products instead of l·l.
        const double scale = 1.0 / std::sqrt(static_cast<double>(query->value.size(-1)));
        at::Tensor scores = at::matmul(query->value * scale, key->value.transpose(-2, -1));
        if (bias) scores = scores.add_(bias->value);
        at::Tensor weights = at::softmax(scores, -1);
        if (probability > 0) weights = dropout(weights, probability);
        return at::matmul(weights, value->value);
    });
}

CTTensor ct_total_norm(const CTTensor *tensors, size_t count) {
    return tensor([&] {
        at::NoGradGuard guard;
        return at::stack(at::_foreach_norm(list(tensors, count), 2)).norm(2);
    });
}

bool ct_multiply_all_in_place(const CTTensor *tensors, size_t count, double scalar) {
    return action([&] {
        at::NoGradGuard guard;
        at::_foreach_mul_(list(tensors, count), scalar);
    });
}

bool ct_fused_adam(
    const CTTensor *parameters, const CTTensor *gradients, const CTTensor *firstMoments,
    const CTTensor *secondMoments, size_t count, int64_t step, double rate, double beta1, double beta2,
    double epsilon) {
    return action([&] {
        at::NoGradGuard guard;
        std::vector<at::Tensor> steps;
        steps.reserve(count);
        // The kernel reads one step a parameter, as a float32 tensor on the parameter's device.
        at::Tensor shared = count > 0
            ? at::full({}, static_cast<double>(step), parameters[0]->value.options().dtype(at::kFloat))
            : at::Tensor();
        for (size_t i = 0; i < count; ++i) steps.push_back(shared);
        at::_fused_adam_(
            list(parameters, count), list(gradients, count), list(firstMoments, count), list(secondMoments, count),
            /*max_exp_avg_sqs=*/{}, steps, rate, beta1, beta2, /*weight_decay=*/0.0, epsilon,
            /*amsgrad=*/false, /*maximize=*/false);
    });
}
