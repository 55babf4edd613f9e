// Linear layers in 8-bit integers, for forward passes that may be inexact.
//
// Weights are rounded to -127...127 with one scale an output; the inputs of a layer to 0...255 with a scale and a zero
// of their own for every row. The products of integers are added exactly, so that an output row depends on its input
// row alone: not on the other rows, on the number of threads or on the processor.

#include "Kernels/Kernels.h"
#include "Parallel.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <vector>

#include <ATen/native/CPUBlas.h>
#include <c10/core/GradMode.h>

using namespace ctorch;

// Which version runs is found out when the library is loaded, before a sanitizer can be asked in the code that does so.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CTORCH_VECTORIZED
#endif
#endif

#if defined(CTORCH_VECTORIZED)
#elif defined(__x86_64__) && defined(__linux__)
#if defined(__clang__) || __GNUC__ >= 12
#define CTORCH_VECTORIZED __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
// GCC 11 has no versions for the levels, only for processors that have them.
#define CTORCH_VECTORIZED __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#endif
#else
#define CTORCH_VECTORIZED
#endif

namespace {

/// Rows that are multiplied together, and outputs that are: a block of sums stays in the first-level cache.
constexpr int64_t blockRows = 64;
constexpr int64_t panelWidth = 64;
/// Inputs are filled up to a multiple of this with weights of 0: what the widest matrix instructions take at a time.
constexpr int64_t depthStep = 64;

int64_t roundedUp(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

struct CTQuantizedLinearImpl {
    int64_t inputs = 0, outputs = 0;
    /// The inputs, filled up.
    int64_t depth = 0;
    /// [panels][depth / 4][panelWidth][4]: the order in which the processor's instructions take them.
    std::vector<int8_t> weights;
    /// Of each output, rounded up to whole panels.
    std::vector<float> scales, biases;
    /// Of each output, the sum of its integer weights.
    std::vector<int32_t> sums;

    int64_t panels() const { return static_cast<int64_t>(scales.size()) / panelWidth; }
    const int8_t *panel(int64_t index) const { return weights.data() + index * depth * panelWidth; }
};

namespace {

/// How a row of floating-point numbers became integers: x ≈ scale (q - zero).
struct RowCode {
    float scale;
    int32_t zero;
};

/// The nearest integer, ties to even, of a number between -2²² and 2²²; any integer for others.
inline int32_t nearest(float x) {
    // Around 1.5 · 2²³ floats are the integers, in the order of their bits.
    return std::bit_cast<int32_t>(x + 12582912.0f) - 0x4b400000;
}

/// The lowest and the highest number of a row and 0; `fault` is not a number if one of them is not finite, or else 0.
struct Extremes {
    float low, high, fault;
};

inline void include(float x, float &low, float &high, float &fault) {
    low = x < low ? x : low;
    high = x > high ? x : high;
    fault += x - x;
}

/// In lanes, because a compiler may not change the order of a sum.
inline __attribute__((always_inline)) Extremes extremes(const float *row, int64_t count) {
    constexpr int64_t lanes = 32;
    float lows[lanes] = {}, highs[lanes] = {}, faults[lanes] = {};
    int64_t k = 0;
    for (; k + lanes <= count; k += lanes) {
        for (int64_t lane = 0; lane < lanes; ++lane) include(row[k + lane], lows[lane], highs[lane], faults[lane]);
    }
    for (; k < count; ++k) include(row[k], lows[0], highs[0], faults[0]);
    for (int64_t half = lanes / 2; half > 0; half /= 2) {
        for (int64_t lane = 0; lane < half; ++lane) {
            lows[lane] = std::min(lows[lane], lows[lane + half]);
            highs[lane] = std::max(highs[lane], highs[lane + half]);
            faults[lane] += faults[lane + half];
        }
    }
    return {lows[0], highs[0], faults[0]};
}

/// The factor that makes a range of numbers one of `steps` integers; 0 for a range that is nothing.
inline float inverseScale(float range, float steps) { return range > 1e-30f ? steps / range : 0; }

/// A row that has a number that is not finite gets a scale that is not a number.
CTORCH_VECTORIZED
RowCode encodeRow(const float *row, int64_t count, int64_t depth, uint8_t *codes) {
    const Extremes found = extremes(row, count);
    const float range = found.high - found.low, inverse = inverseScale(range, 255);
    const int32_t zero = found.fault == 0 ? nearest(-found.low * inverse) : 0;
    for (int64_t k = 0; k < count; ++k) {
        int32_t code = nearest(row[k] * inverse) + zero;
        code = code > 0 ? code : 0;
        code = code < 255 ? code : 255;
        codes[k] = static_cast<uint8_t>(code);
    }
    std::memset(codes + count, 0, static_cast<size_t>(depth - count));
    return {range / 255 + found.fault, zero};
}

/// Rounds an output's weights; returns their scale.
CTORCH_VECTORIZED
float encodeWeights(const float *row, int64_t count, int8_t *codes, int32_t *sum) {
    const Extremes found = extremes(row, count);
    const float highest = std::max(-found.low, found.high), inverse = inverseScale(highest, 127);
    int32_t total = 0;
    for (int64_t k = 0; k < count; ++k) {
        int32_t code = nearest(row[k] * inverse);
        code = code > -127 ? code : -127;
        code = code < 127 ? code : 127;
        codes[k] = static_cast<int8_t>(code);
        total += codes[k];
    }
    *sum = total;
    return highest / 127 + found.fault;
}

/// x Φ(x) to 4e-5 between -4 and 4, and to 4e-5 |x| outside: a minimax polynomial for Φ(x) - 1/2. Where the next layer
/// rounds its inputs, a hundred times as much is lost.
inline float roughGELU(float x) {
    float t = x < 4 ? x : 4;
    t = t > -4 ? t : -4;
    const float s = t * t;
    float p = -1.3012951e-9f;
    p = p * s + 1.0419610e-7f;
    p = p * s - 3.6571342e-6f;
    p = p * s + 7.4855067e-5f;
    p = p * s - 1.0064906e-3f;
    p = p * s + 9.5053990e-3f;
    p = p * s - 6.5887844e-2f;
    p = p * s + 3.9867335e-1f;
    return x * (0.5f + t * p);
}

/// products = codes · panel, with instructions that every processor has.
CTORCH_VECTORIZED
void multiplyPortably(int64_t depth, const uint8_t *codes, const int8_t *panel, int32_t *products) {
    for (int64_t row = 0; row < blockRows; ++row) {
        int32_t sums[panelWidth] = {};
        for (int64_t k = 0; k < depth; k += 4) {
            const uint8_t *a = codes + row * depth + k;
            const int8_t *b = panel + k * panelWidth;
            for (int64_t j = 0; j < panelWidth; ++j) {
                sums[j] += a[0] * b[4 * j] + a[1] * b[4 * j + 1] + a[2] * b[4 * j + 2] + a[3] * b[4 * j + 3];
            }
        }
        std::memcpy(products + row * panelWidth, sums, sizeof sums);
    }
}

void multiplyFast(int64_t depth, const uint8_t *codes, const int8_t *panel, int32_t *products) {
    at::native::cpublas::brgemm(
        blockRows, panelWidth, depth, /*ld_a=*/depth, /*ld_b=*/panelWidth, /*ld_c=*/panelWidth, /*add_C=*/false,
        codes, panel, products);
}

/// Whether libtorch multiplies 8-bit integers here, and exactly: without the instructions for it, oneDNN would add
/// pairs of products in 16 bits, where the largest are cut.
bool multipliesFast() {
    static const bool result = [] {
        constexpr int64_t depth = depthStep;
        const std::vector<uint8_t> codes(blockRows * depth, 255);
        const std::vector<int8_t> panel(depth * panelWidth, 127);
        std::vector<int32_t> products(blockRows * panelWidth);
        try {
            multiplyFast(depth, codes.data(), panel.data(), products.data());
            at::native::cpublas::brgemm_release();
        } catch (const std::exception &) {
            return false;
        }
        return std::all_of(products.begin(), products.end(), [](int32_t sum) { return sum == depth * 255 * 127; });
    }();
    // Whoever limits the instructions gets these loops, too.
    return result && !isLimited();
}

/// A block of rows on its way through a layer; a thread keeps its memory from call to call.
struct Block {
    std::vector<uint8_t> codes;
    RowCode rowCodes[blockRows];
    alignas(64) int32_t products[blockRows * panelWidth];
    /// What a layer's outputs are when another layer takes them.
    std::vector<float> values;
};

/// The block's sums as the outputs of a panel, from the `first` on: scaled back, with the bias, activated.
CTORCH_VECTORIZED
void decode(
    const Block &block, int64_t rows, const CTQuantizedLinearImpl &linear, int64_t first, int32_t activation,
    float *output) {
    const float *scales = linear.scales.data() + first, *biases = linear.biases.data() + first;
    const int32_t *sums = linear.sums.data() + first;
    const int64_t width = std::min(panelWidth, linear.outputs - first);
    for (int64_t row = 0; row < rows; ++row) {
        const auto [scale, zero] = block.rowCodes[row];
        const int32_t *products = block.products + row * panelWidth;
        float *to = output + row * linear.outputs + first;
        float part[panelWidth];
        float *values = width == panelWidth ? to : part;
        for (int64_t j = 0; j < panelWidth; ++j) {
            values[j] = static_cast<float>(products[j] - zero * sums[j]) * (scale * scales[j]) + biases[j];
        }
        if (activation == CT_ACTIVATION_GELU) {
            for (int64_t j = 0; j < panelWidth; ++j) values[j] = roughGELU(values[j]);
        } else if (activation == CT_ACTIVATION_RELU) {
            for (int64_t j = 0; j < panelWidth; ++j) values[j] = values[j] < 0 ? 0 : values[j];
        }
        if (width < panelWidth) std::memcpy(to, part, static_cast<size_t>(width) * sizeof(float));
    }
}

/// At most `blockRows` rows through a layer.
void apply(
    Block &block, const CTQuantizedLinearImpl &linear, int32_t activation, const float *input, int64_t rows,
    float *output) {
    // Of a last block that is not full the other rows are multiplied, too, whatever they hold.
    block.codes.resize(std::max<size_t>(block.codes.size(), blockRows * linear.depth));
    for (int64_t row = 0; row < rows; ++row) {
        block.rowCodes[row] = encodeRow(
            input + row * linear.inputs, linear.inputs, linear.depth, block.codes.data() + row * linear.depth);
    }
    const bool fast = multipliesFast();
    for (int64_t i = 0; i < linear.panels(); ++i) {
        (fast ? multiplyFast : multiplyPortably)(linear.depth, block.codes.data(), linear.panel(i), block.products);
        decode(block, rows, linear, i * panelWidth, activation, output);
    }
}

/// Runs `body` with the first row, the count of rows and a thread's memory of each block.
template <typename Body>
void forEachBlock(int64_t rows, const Body &body) {
    parallelFor(0, (rows + blockRows - 1) / blockRows, /*grain=*/1, [&](int64_t begin, int64_t end) {
        thread_local Block block;
        for (int64_t i = begin; i < end; ++i) {
            const int64_t first = i * blockRows;
            body(first, std::min(blockRows, rows - first), block);
        }
        if (multipliesFast()) at::native::cpublas::brgemm_release();
    });
}

/// Checks a layer's input and makes it rows in a piece.
at::Tensor rowsOf(const at::Tensor &source, const CTQuantizedLinearImpl &linear) {
    TORCH_CHECK(
        source.device().is_cpu() && source.scalar_type() == at::kFloat,
        "a quantized linear layer takes float32 on the CPU, not ", source.scalar_type(), " on ", source.device());
    TORCH_CHECK(
        source.dim() > 0 && source.size(-1) == linear.inputs, "a quantized linear layer of ", linear.inputs,
        " inputs can't take a tensor of shape ", source.sizes());
    TORCH_CHECK(
        !(c10::GradMode::is_enabled() && source.requires_grad()), "a quantized linear layer has no gradient");
    return source.contiguous();
}

at::Tensor outputFor(const at::Tensor &source, const CTQuantizedLinearImpl &linear) {
    std::vector<int64_t> shape = source.sizes().vec();
    shape.back() = linear.outputs;
    return at::empty(shape, source.options().requires_grad(false));
}

CTQuantizedLinearImpl *quantized(const at::Tensor &weight, const std::optional<at::Tensor> &bias) {
    TORCH_CHECK(
        weight.dim() == 2 && weight.numel() > 0 && weight.scalar_type() == at::kFloat && weight.device().is_cpu(),
        "weights to quantize are a float32 matrix on the CPU");
    TORCH_CHECK(
        !bias || (bias->dim() == 1 && bias->size(0) == weight.size(0) && bias->scalar_type() == at::kFloat),
        "a bias has to be a float32 vector of a number an output");
    auto linear = std::make_unique<CTQuantizedLinearImpl>();
    linear->outputs = weight.size(0);
    linear->inputs = weight.size(1);
    // The largest sum of products has to be a 32-bit integer.
    TORCH_CHECK(linear->inputs <= 65536, "a quantized linear layer has at most 65536 inputs");
    linear->depth = roundedUp(linear->inputs, depthStep);
    const int64_t columns = roundedUp(linear->outputs, panelWidth);
    linear->weights.resize(columns * linear->depth);
    linear->scales.resize(columns);
    linear->biases.resize(columns);
    linear->sums.resize(columns);
    const at::Tensor rows = weight.detach().contiguous();
    const float *values = rows.const_data_ptr<float>();
    parallelFor(0, linear->outputs, /*grain=*/32, [&](int64_t begin, int64_t end) {
        std::vector<int8_t> codes(linear->depth);
        for (int64_t output = begin; output < end; ++output) {
            linear->scales[output] =
                encodeWeights(values + output * linear->inputs, linear->inputs, codes.data(), &linear->sums[output]);
            int8_t *column = linear->weights.data() + output / panelWidth * linear->depth * panelWidth
                + output % panelWidth * 4;
            for (int64_t k = 0; k < linear->depth; k += 4) std::memcpy(column + k * panelWidth, codes.data() + k, 4);
        }
    });
    if (bias) {
        const at::Tensor source = bias->detach().contiguous();
        std::copy_n(source.const_data_ptr<float>(), linear->outputs, linear->biases.begin());
    }
    return linear.release();
}

}  // namespace

bool ct_quantized_linear_is_fast(void) { return multipliesFast(); }

CTQuantizedLinear ct_quantize_linear(CTTensor weight, CTTensor bias) {
    return guarded<CTQuantizedLinear>(nullptr, [&] { return quantized(weight->value, optionalTensor(bias)); });
}

void ct_release_quantized_linear(CTQuantizedLinear linear) { delete linear; }

CTTensor ct_quantized_linear(CTQuantizedLinear linear, CTTensor source) {
    return tensor([&] {
        const at::Tensor input = rowsOf(source->value, *linear);
        at::Tensor output = outputFor(input, *linear);
        const float *from = input.const_data_ptr<float>();
        float *to = output.data_ptr<float>();
        forEachBlock(input.numel() / linear->inputs, [&](int64_t first, int64_t rows, Block &block) {
            apply(
                block, *linear, CT_ACTIVATION_NONE, from + first * linear->inputs, rows,
                to + first * linear->outputs);
        });
        return output;
    });
}

CTTensor ct_quantized_feed_forward(
    CTQuantizedLinear up, int32_t activation, CTQuantizedLinear down, CTTensor source) {
    return tensor([&] {
        TORCH_CHECK(
            up->outputs == down->inputs, "a layer of ", up->outputs, " outputs can't feed one of ", down->inputs,
            " inputs");
        const at::Tensor input = rowsOf(source->value, *up);
        at::Tensor output = outputFor(input, *down);
        const float *from = input.const_data_ptr<float>();
        float *to = output.data_ptr<float>();
        forEachBlock(input.numel() / up->inputs, [&](int64_t first, int64_t rows, Block &block) {
            // The wide values of one block stay in the cache.
            block.values.resize(std::max<size_t>(block.values.size(), blockRows * up->outputs));
            apply(block, *up, activation, from + first * up->inputs, rows, block.values.data());
            apply(block, *down, CT_ACTIVATION_NONE, block.values.data(), rows, to + first * down->outputs);
        });
        return output;
    });
}
