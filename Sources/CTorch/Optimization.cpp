// Steps over lists of parameters, outside of automatic differentiation.

#include <cmath>
#include <map>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "Kernels/Kernels.h"
#include "PackedLayout.h"

using namespace ctorch;

namespace {

/// Elements that one thread at a time works on.
constexpr int64_t elementsAtOnce = 1 << 15;

/// A run of elements of one parameter, and what to do with it.
struct Run {
    AdamRun elements;
    int64_t count;
};

/// The rows of a sparse gradient: those it has, and for each row of the parameter its place among them, or -1.
struct SparseRows {
    at::Tensor values;
    std::vector<int64_t> places;

    SparseRows(const at::Tensor &gradient, int64_t rows) : places(static_cast<size_t>(rows), -1) {
        const at::Tensor whole = gradient.coalesce();
        values = whole.values().contiguous();
        const at::Tensor indices = whole.indices()[0].contiguous();
        const auto *list = static_cast<const int64_t *>(indices.const_data_ptr());
        for (int64_t i = 0; i < indices.numel(); ++i) places[static_cast<size_t>(list[i])] = i;
    }
};

AdamRun constants(const CTAdamSlot &slot, const CTAdamSettings &settings) {
    const auto step = static_cast<double>(slot.step);
    AdamRun run{};
    run.beta1 = static_cast<float>(settings.beta1);
    run.beta2 = static_cast<float>(settings.beta2);
    run.epsilon = static_cast<float>(settings.epsilon);
    run.rest1 = static_cast<float>(1 - settings.beta1);
    run.rest2 = static_cast<float>(1 - settings.beta2);
    run.rate = static_cast<float>(
        settings.rate * std::sqrt(1 - std::pow(settings.beta2, step)) / (1 - std::pow(settings.beta1, step)));
    run.decay = static_cast<float>(1 - settings.rate * slot.weight_decay);
    run.gradientScale = static_cast<float>(settings.gradient_scale);
    return run;
}

void appendRuns(const CTAdamSlot &slot, const CTAdamSettings &settings, std::vector<Run> &runs) {
    AdamRun run = constants(slot, settings);
    float *parameter = mutableFloats(slot.parameter->value), *first = mutableFloats(slot.first_moment->value);
    float *second = mutableFloats(slot.second_moment->value);
    const float *gradient = floats(slot.gradient->value);
    const int64_t count = slot.parameter->value.numel();
    for (int64_t begin = 0; begin < count; begin += elementsAtOnce) {
        run.parameter = parameter + begin;
        run.firstMoment = first + begin;
        run.secondMoment = second + begin;
        run.gradient = gradient + begin;
        runs.push_back({run, std::min(elementsAtOnce, count - begin)});
    }
}

/// Every row that has a gradient, or moments of earlier ones, moves; one that never had any would stay where it is.
void stepRows(const CTAdamSlot &slot, const CTAdamSettings &settings) {
    const int64_t rows = slot.parameter->value.size(0), width = slot.parameter->value.numel() / rows;
    const SparseRows gradient(slot.gradient->value, rows);
    auto *touched = static_cast<uint8_t *>(slot.touched->value.data_ptr());
    const std::vector<float> zeros(static_cast<size_t>(width), 0.0f);
    const AdamRun run = constants(slot, settings);
    const int64_t rowsAtOnce = std::max<int64_t>(1, elementsAtOnce / width);
    forEachDynamically((rows + rowsAtOnce - 1) / rowsAtOnce, [&](int64_t chunk) {
        for (int64_t row = chunk * rowsAtOnce; row < std::min(rows, (chunk + 1) * rowsAtOnce); ++row) {
            const int64_t place = gradient.places[static_cast<size_t>(row)];
            if (place >= 0) touched[row] = 1;
            if (!touched[row] && run.decay == 1) continue;
            AdamRun line = run;
            line.parameter = mutableFloats(slot.parameter->value) + row * width;
            line.firstMoment = mutableFloats(slot.first_moment->value) + row * width;
            line.secondMoment = mutableFloats(slot.second_moment->value) + row * width;
            line.gradient = place >= 0 ? floats(gradient.values) + place * width : zeros.data();
            kernels().adam(line, width);
        }
    });
}

/// What only the gradients' device knows: by what it divides them, and a 1 where it is to leave all as it is.
struct DeviceClipping {
    std::optional<at::Tensor> divisor, isSkipped;

    explicit DeviceClipping(const CTAdamSettings &settings) {
        if (!settings.norm) return;
        const at::Tensor norm = settings.norm->value.to(at::kFloat);
        divisor = ((norm + 1e-6) / settings.max_norm).clamp_min(1);
        isSkipped = at::isfinite(norm).logical_not().to(at::kFloat);
    }
};

/// libtorch's kernel divides sqrt(v) by sqrt(1 - beta2^t) and then adds its epsilon: divided by the same, it is ours.
void stepWithLibtorch(
    const std::vector<CTAdamSlot> &slots, const CTAdamSettings &settings, const DeviceClipping &clipping) {
    const double correction = std::sqrt(1 - std::pow(settings.beta2, static_cast<double>(slots[0].step)));
    std::vector<at::Tensor> parameters, gradients, firsts, seconds, steps;
    const at::Tensor step = at::full(
        {}, static_cast<double>(slots[0].step), slots[0].parameter->value.options().dtype(at::kFloat));
    for (const CTAdamSlot &slot : slots) {
        const at::Tensor &gradient = slot.gradient->value;
        const at::Tensor dense = gradient.is_sparse() ? gradient.to_dense() : gradient;
        parameters.push_back(slot.parameter->value);
        gradients.push_back(settings.gradient_scale == 1 ? dense : dense * settings.gradient_scale);
        firsts.push_back(slot.first_moment->value);
        seconds.push_back(slot.second_moment->value);
        steps.push_back(step);
    }
    at::_fused_adam_(
        parameters, gradients, firsts, seconds, /*max_exp_avg_sqs=*/{}, steps, settings.rate, settings.beta1,
        settings.beta2, /*weight_decay=*/0.0, settings.epsilon / correction, /*amsgrad=*/false, /*maximize=*/false,
        clipping.divisor, clipping.isSkipped);
    std::map<double, std::vector<at::Tensor>> decayed;
    for (const CTAdamSlot &slot : slots) {
        if (slot.weight_decay != 0) decayed[slot.weight_decay].push_back(slot.parameter->value);
    }
    for (const auto &[decay, tensors] : decayed) {
        if (clipping.isSkipped) {
            at::_foreach_mul_(tensors, 1 - (1 - *clipping.isSkipped) * (settings.rate * decay));
        } else {
            at::_foreach_mul_(tensors, 1 - settings.rate * decay);
        }
    }
}

}  // namespace

CTTensor ct_total_norm(const CTTensor *tensors, size_t count) {
    return tensor([&] {
        at::NoGradGuard guard;
        std::vector<at::Tensor> values = list(tensors, count);
        for (at::Tensor &value : values) {
            if (value.is_sparse()) value = value.coalesce().values();
        }
        return at::stack(at::_foreach_norm(values, 2)).norm(2);
    });
}

bool ct_adam(const CTAdamSlot *slots, size_t count, const CTAdamSettings *settings) {
    return action([&] {
        at::NoGradGuard guard;
        std::vector<Run> runs;
        std::map<int64_t, std::vector<CTAdamSlot>> others;
        for (size_t i = 0; i < count; ++i) {
            const CTAdamSlot &slot = slots[i];
            TORCH_CHECK(
                !settings->norm || !isFast(slot.parameter->value), "the norm is to be known for float32 on the CPU");
            if (!isFast(slot.parameter->value)) {
                others[slot.step].push_back(slot);
            } else if (slot.gradient->value.is_sparse()) {
                stepRows(slot, *settings);
            } else {
                TORCH_CHECK(
                    slot.gradient->value.is_contiguous() && slot.parameter->value.is_contiguous(),
                    "a gradient whose elements don't follow each other");
                appendRuns(slot, *settings, runs);
            }
        }
        forEachDynamically(static_cast<int64_t>(runs.size()), [&](int64_t i) {
            kernels().adam(runs[static_cast<size_t>(i)].elements, runs[static_cast<size_t>(i)].count);
        });
        for (size_t i = 0; i < count; ++i) {
            // What writes to a tensor's memory by itself tells of it. libtorch's fused kernel does not.
            slots[i].parameter->value.unsafeGetTensorImpl()->bump_version();
        }
        const DeviceClipping clipping(*settings);
        for (const auto &entry : others) stepWithLibtorch(entry.second, *settings, clipping);
    });
}
