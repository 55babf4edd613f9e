// The loops that libtorch has no operation for, each over a range of rows and for one thread, in as many versions as
// there are instruction sets worth one.

#pragma once

#include <cstdint>
#include <string_view>

namespace ctorch {

/// A place in the stream of random bits that masks come from, and what share of it masks.
///
/// A block of 32 elements takes 16 bits each from the 8 counter values that follow `counter + 8 * block`.
struct Mask {
    uint64_t key;
    uint64_t counter;
    /// An element is dropped where its 16 bits are below; 0 drops none.
    uint32_t threshold;
    /// What the others are multiplied by.
    float scale;

    static constexpr int64_t blockSize = 32;
    static constexpr int64_t countersPerBlock = 8;
    static int64_t blocks(int64_t elements) { return (elements + blockSize - 1) / blockSize; }
};

/// y = (h - mean h) / sqrt(var h + epsilon) * gain + shift, h = mask(x + bias) + residual, for rows of `width`.
struct NormRows {
    int64_t width;
    double epsilon;
    Mask mask;
    const float *x;
    /// [width], or null.
    const float *bias;
    /// Rows like x, or null.
    const float *residual;
    /// The row of the gains that the rows take: [width].
    const float *gain;
    const float *shift;
    float *y;
    /// (h - mean h) / sqrt(var h + epsilon) of each row; all rows go to one place where `keepsNormalized` is false.
    float *normalized;
    float *reciprocalDeviation;
    bool keepsNormalized;
};

struct NormRowsBackward {
    int64_t width;
    Mask mask;
    const float *gradient;
    const float *normalized;
    const float *reciprocalDeviation;
    const float *gain;
    /// Of h, which is the residual's.
    float *dh;
    /// Of x; null where it is dh.
    float *dx;
    /// Sums over the rows, [width] each.
    float *dgain;
    float *dshift;
    float *dbias;
};

/// One head of one sequence.
struct AttentionHead {
    int64_t queries, keys, width;
    /// Elements between rows of query, key, value, output and their gradients.
    int64_t stride;
    float scale;
    const float *query, *key, *value;
    /// [width] each.
    const float *queryBias, *keyBias, *valueBias;
    /// What is added to every score of a key, 0 or below: [keys], or null.
    const float *keyPenalty;
    /// The blocks along the diagonal, rows of blockWidth and then zeros up to blockStride, a multiple of 16: row i is
    /// added to the scores of the keys from i / blockHeight * blockWidth on. Null where there are none.
    const float *blocks;
    int64_t blockHeight, blockWidth, blockStride;
    Mask mask;
    float *output;
    /// ln Σ exp(score) of each query; null where there is no backward pass.
    float *logSum;
    int64_t logSumStride;
};

struct AttentionHeadBackward {
    AttentionHead forward;
    const float *gradient;
    float *dquery, *dkey, *dvalue;
    /// The sums of those over the rows, [width] each.
    float *dqueryBias, *dkeyBias, *dvalueBias;
    /// Added to: rows of blockStride, of which the first blockWidth count; or null.
    float *dblocks;
};

/// Elements of a parameter that take a step of Adam's.
struct AdamRun {
    float *parameter, *firstMoment, *secondMoment;
    const float *gradient;
    float gradientScale, beta1, beta2, epsilon;
    /// 1 - beta1 and 1 - beta2, which lose digits when computed in 32 bits.
    float rest1, rest2;
    /// With the corrections of both moments.
    float rate;
    /// What the parameter is multiplied by after its step.
    float decay;
};

/// The loops for one instruction set.
struct Kernels {
    const char *name;
    /// target[i] = mask(source[i]), from a whole block on.
    void (*dropout)(const Mask &mask, const float *source, float *target, int64_t begin, int64_t end);
    /// Rows begin..<end.
    void (*norm)(const NormRows &rows, int64_t begin, int64_t end);
    void (*normBackward)(const NormRowsBackward &rows, int64_t begin, int64_t end);
    /// z x Φ(z), z = x + bias, for rows of `width`.
    void (*gelu)(const float *x, const float *bias, float *y, int64_t width, int64_t begin, int64_t end);
    /// The gradient of x, and its sum over the rows, added to dbias.
    void (*geluBackward)(
        const float *x, const float *bias, const float *gradient, float *dx, float *dbias, int64_t width,
        int64_t begin, int64_t end);
    void (*adam)(const AdamRun &run, int64_t count);
    /// Floats of scratch memory that a head needs, there and back.
    int64_t (*attentionScratch)(const AttentionHead &head);
    void (*attention)(const AttentionHead &head, float *scratch);
    void (*attentionBackward)(const AttentionHeadBackward &head, float *scratch);
};

/// Whether the processor has the parts of AVX-512 that the widest loops take.
bool hasAVX512();

/// Those for the machine this runs on, or the lesser ones that the environment or `limitKernels` has chosen.
const Kernels &kernels();
/// Whether the machine has better ones than those that are chosen.
bool isLimited();
/// Chooses those of this name; "" chooses the machine's best. False, and nothing is changed, where it has none such.
bool limitKernels(std::string_view name);

extern const Kernels portableKernels;
#if defined(__x86_64__)
extern const Kernels avx2Kernels;
extern const Kernels avx512Kernels;
#endif

}  // namespace ctorch
