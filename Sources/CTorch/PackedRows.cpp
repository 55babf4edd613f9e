// What stands between the matrix products of a layer, row by row, each in one pass over the rows there and one back.

#include <torch/csrc/autograd/custom_function.h>

#include "Kernels/Kernels.h"
#include "PackedLayout.h"
#include "RandomMasks.h"

using namespace ctorch;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Rows of fewer elements than this in all are not worth a second thread.
constexpr int64_t elementsForThreads = 1 << 14;

template <typename Body>
void forEachPiece(const PackedLayout::Rows &rows, int64_t width, const Body &body) {
    const auto count = static_cast<int64_t>(rows.pieces.size());
    if (rows.count * width >= elementsForThreads) return forEachDynamically(count, body);
    for (int64_t piece = 0; piece < count; ++piece) body(piece);
}

/// Sums of pieces [pieces, width] -> of slots [slots, width], in the order of the pieces.
at::Tensor sumBySlot(const at::Tensor &sums, const PackedLayout::Rows &rows, int64_t slots) {
    const int64_t width = sums.size(1);
    at::Tensor result = at::zeros({slots, width}, sums.options());
    for (size_t piece = 0; piece < rows.pieces.size(); ++piece) {
        const float *from = floats(sums) + static_cast<int64_t>(piece) * width;
        float *to = mutableFloats(result) + (slots == 1 ? 0 : rows.pieces[piece].slot) * width;
        for (int64_t i = 0; i < width; ++i) to[i] += from[i];
    }
    return result;
}

/// A row of `table` for each row: [slots, width] or [1, width] -> something that broadcasts to [rows, width].
at::Tensor perRow(const at::Tensor &table, const PackedLayout &layout, bool ofRead) {
    if (table.size(0) == 1) return table;
    return table.index_select(0, layout.indices(table.device()).slots(ofRead));
}

struct ResidualNorm : torch::autograd::Function<ResidualNorm> {
    static at::Tensor forward(
        AutogradContext *context, const at::Tensor &source, const std::optional<at::Tensor> &bias,
        const std::optional<at::Tensor> &residual, const at::Tensor &gain, const at::Tensor &shift, double epsilon,
        double probability, const PackedLayoutPointer &layout, bool ofRead, bool needsBackward) {
        const auto &rows = layout->rows(ofRead);
        const at::Tensor x = source.contiguous(), gains = gain.contiguous();
        const at::Tensor other = residual ? residual->contiguous() : at::Tensor();
        const int64_t width = x.size(1);
        const Mask mask = drawMask(probability, x.size(0) * Mask::blocks(width));
        at::Tensor y = at::empty_like(x);
        at::Tensor normalized = needsBackward ? at::empty_like(x) : at::Tensor();
        at::Tensor deviations = needsBackward ? at::empty({x.size(0)}, x.options()) : at::Tensor();
        forEachPiece(rows, width, [&](int64_t index) {
            const auto &piece = rows.pieces[static_cast<size_t>(index)];
            thread_local std::vector<float> line;
            line.resize(static_cast<size_t>(width));
            kernels().norm(
                NormRows{
                    width, epsilon, mask, floats(x), bias ? floats(*bias) : nullptr, floats(other),
                    floats(gains) + (gains.size(0) == 1 ? 0 : piece.slot) * width, floats(shift), mutableFloats(y),
                    needsBackward ? mutableFloats(normalized) : line.data(), mutableFloats(deviations), needsBackward},
                piece.begin, piece.end);
        });
        if (needsBackward) {
            context->save_for_backward({normalized, deviations, gains});
            save(SavedRows{layout, ofRead}, context);
            context->saved_data["hasBias"] = bias.has_value();
            context->saved_data["hasResidual"] = residual.has_value();
            save(mask, context);
        }
        return y;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const SavedRows kept = savedRows(context);
        const auto &rows = *kept;
        const bool hasBias = context->saved_data["hasBias"].toBool();
        const Mask mask = savedMask(context);
        const at::Tensor gradient = gradients[0].contiguous(), &gain = saved[2];
        const int64_t width = gradient.size(1), slots = gain.size(0);
        const auto count = static_cast<int64_t>(rows.pieces.size());
        at::Tensor dh = at::empty_like(gradient);
        at::Tensor dx = mask.threshold > 0 ? at::empty_like(gradient) : at::Tensor();
        at::Tensor sums = at::zeros({hasBias ? 3 : 2, count, width}, gradient.options());
        forEachPiece(rows, width, [&](int64_t index) {
            const auto &piece = rows.pieces[static_cast<size_t>(index)];
            float *sum = mutableFloats(sums) + index * width;
            kernels().normBackward(
                NormRowsBackward{
                    width, mask, floats(gradient), floats(saved[0]), floats(saved[1]),
                    floats(gain) + (slots == 1 ? 0 : piece.slot) * width, mutableFloats(dh), mutableFloats(dx), sum,
                    sum + count * width, hasBias ? sum + 2 * count * width : nullptr},
                piece.begin, piece.end);
        });
        const auto total = [&](int64_t kind) { return sumBySlot(sums[kind], rows, 1)[0]; };
        return {
            dx.defined() ? dx : dh, hasBias ? total(2) : at::Tensor(),
            context->saved_data["hasResidual"].toBool() ? dh : at::Tensor(), sumBySlot(sums[0], rows, slots),
            total(1), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor(), at::Tensor()};
    }
};

at::Tensor residualNorm(
    const at::Tensor &x, const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &residual,
    const at::Tensor &gain, const at::Tensor &shift, double epsilon, double probability,
    const PackedLayoutPointer &layout, bool ofRead) {
    const auto &rows = layout->rows(ofRead);
    TORCH_CHECK(
        x.dim() == 2 && x.size(0) == rows.count, "rows ", x.sizes(), " for a layout of ", rows.count);
    TORCH_CHECK(gain.size(0) == 1 || gain.size(0) == layout->slotCount, "gains ", gain.sizes());
    if (isFast(x)) {
        const bool needsBackward = at::GradMode::is_enabled()
            && (x.requires_grad() || (bias && bias->requires_grad()) || (residual && residual->requires_grad())
                || gain.requires_grad() || shift.requires_grad());
        return ResidualNorm::apply(
            x, bias, residual, gain, shift, epsilon, probability, layout, ofRead, needsBackward);
    }
    // Where x is in half precision, all that follows is not: the bias is of the parameters' type.
    at::Tensor h = bias ? x + *bias : x.to(gain.scalar_type());
    if (probability > 0) h = dropout(h, probability);
    if (residual) h = h + *residual;
    if (gain.size(0) == 1) return at::layer_norm(h, {h.size(1)}, gain[0], shift, epsilon);
    return at::layer_norm(h, {h.size(1)}, {}, {}, epsilon) * perRow(gain, *layout, ofRead) + shift;
}

/// x ⊙ scale + shift by slot; one pass there, one back.
struct Modulation : torch::autograd::Function<Modulation> {
    static at::Tensor forward(
        AutogradContext *context, const at::Tensor &source, const at::Tensor &scale, const at::Tensor &shift,
        const PackedLayoutPointer &layout, bool ofRead) {
        const auto &rows = layout->rows(ofRead);
        const at::Tensor x = source.contiguous(), scales = scale.contiguous(), shifts = shift.contiguous();
        const int64_t width = x.size(1);
        at::Tensor y = at::empty_like(x);
        forEachPiece(rows, width, [&](int64_t index) {
            const auto &piece = rows.pieces[static_cast<size_t>(index)];
            const float *a = floats(scales) + piece.slot * width, *b = floats(shifts) + piece.slot * width;
            for (int64_t row = piece.begin; row < piece.end; ++row) {
                const float *from = floats(x) + row * width;
                float *to = mutableFloats(y) + row * width;
                for (int64_t i = 0; i < width; ++i) to[i] = from[i] * a[i] + b[i];
            }
        });
        context->save_for_backward({x, scales});
        save(SavedRows{layout, ofRead}, context);
        return y;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const SavedRows kept = savedRows(context);
        const auto &rows = *kept;
        const at::Tensor gradient = gradients[0].contiguous(), &x = saved[0], &scales = saved[1];
        const int64_t width = gradient.size(1);
        const auto count = static_cast<int64_t>(rows.pieces.size());
        at::Tensor dx = at::empty_like(gradient);
        at::Tensor sums = at::zeros({2, count, width}, gradient.options());
        forEachPiece(rows, width, [&](int64_t index) {
            const auto &piece = rows.pieces[static_cast<size_t>(index)];
            const float *a = floats(scales) + piece.slot * width;
            float *dscale = mutableFloats(sums) + index * width, *dshift = dscale + count * width;
            for (int64_t row = piece.begin; row < piece.end; ++row) {
                const float *g = floats(gradient) + row * width, *from = floats(x) + row * width;
                float *to = mutableFloats(dx) + row * width;
                for (int64_t i = 0; i < width; ++i) {
                    to[i] = g[i] * a[i];
                    dscale[i] += g[i] * from[i];
                    dshift[i] += g[i];
                }
            }
        });
        return {
            dx, sumBySlot(sums[0], rows, scales.size(0)), sumBySlot(sums[1], rows, scales.size(0)), at::Tensor(),
            at::Tensor()};
    }
};

/// Rows that one thread at a time works on.
constexpr int64_t rowsAtOnce = 32;

struct BiasGELU : torch::autograd::Function<BiasGELU> {
    static at::Tensor forward(AutogradContext *context, const at::Tensor &source, const at::Tensor &bias) {
        const at::Tensor x = source.contiguous();
        const int64_t width = x.size(1), count = x.size(0);
        at::Tensor y = at::empty_like(x);
        forEachDynamically((count + rowsAtOnce - 1) / rowsAtOnce, [&](int64_t chunk) {
            kernels().gelu(
                floats(x), floats(bias), mutableFloats(y), width, chunk * rowsAtOnce,
                std::min(count, (chunk + 1) * rowsAtOnce));
        });
        context->save_for_backward({x, bias});
        return y;
    }

    static variable_list backward(AutogradContext *context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const at::Tensor gradient = gradients[0].contiguous(), &x = saved[0], &bias = saved[1];
        const int64_t width = x.size(1), count = x.size(0), chunks = (count + rowsAtOnce - 1) / rowsAtOnce;
        at::Tensor dx = at::empty_like(gradient), sums = at::zeros({chunks, width}, gradient.options());
        forEachDynamically(chunks, [&](int64_t chunk) {
            kernels().geluBackward(
                floats(x), floats(bias), floats(gradient), mutableFloats(dx), mutableFloats(sums) + chunk * width,
                width, chunk * rowsAtOnce, std::min(count, (chunk + 1) * rowsAtOnce));
        });
        return {dx, sums.sum(0)};
    }
};

}  // namespace

CTTensor ct_residual_norm(
    CTTensor source, CTTensor bias, CTTensor residual, CTTensor gain, CTTensor shift, double epsilon,
    double probability, CTLayout layout, bool ofRead) {
    return tensor([&] {
        return residualNorm(
            source->value, optionalTensor(bias), optionalTensor(residual), gain->value, shift->value, epsilon,
            probability, layout->value, ofRead);
    });
}

CTTensor ct_modulate(CTTensor source, CTTensor scale, CTTensor shift, CTLayout layout, bool ofRead) {
    return tensor([&] {
        const auto &rows = layout->value->rows(ofRead);
        TORCH_CHECK(source->value.size(0) == rows.count, "rows ", source->value.sizes(), " for ", rows.count);
        if (isFast(source->value)) {
            return Modulation::apply(source->value, scale->value, shift->value, layout->value, ofRead);
        }
        return source->value * perRow(scale->value, *layout->value, ofRead)
            + perRow(shift->value, *layout->value, ofRead);
    });
}

CTTensor ct_bias_gelu(CTTensor source, CTTensor bias) {
    return tensor([&] {
        if (isFast(source->value)) return BiasGELU::apply(source->value, bias->value);
        return at::gelu(source->value + bias->value.to(source->value.scalar_type()));
    });
}
