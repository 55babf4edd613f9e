// Vectors of 16 floats, which the compiler cuts to the registers of an instruction set, and what all loops make of
// them.

namespace ctorch {
namespace {

constexpr int64_t lanes = 16;
typedef float F __attribute__((vector_size(64), aligned(4)));
typedef int32_t I __attribute__((vector_size(64)));
typedef uint32_t U __attribute__((vector_size(64)));
typedef uint64_t L __attribute__((vector_size(64)));

#define CTORCH_INLINE static inline __attribute__((always_inline))

// The lanes of two vectors in another order: 0 to 15 are those of the first.
#if defined(__clang__)
#define CTORCH_SHUFFLED(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define CTORCH_SHUFFLED(a, b, ...) __builtin_shuffle(a, b, I{__VA_ARGS__})
#endif

CTORCH_INLINE F splat(float x) { return F{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

CTORCH_INLINE F select(I condition, F yes, F no) {
    return (F)(((I)yes & condition) | ((I)no & ~condition));
}

// The last, shorter vectors of a row are rare, and would cost the others their registers.
__attribute__((noinline)) F loadSome(const float *source, int64_t count) {
    F result = {};
    std::memcpy(&result, source, static_cast<size_t>(count) * sizeof(float));
    return result;
}

__attribute__((noinline)) void storeSome(float *target, F value, int64_t count) {
    std::memcpy(target, &value, static_cast<size_t>(count) * sizeof(float));
}

/// `count` floats, at most 16, and zeros.
CTORCH_INLINE F load(const float *source, int64_t count) {
    return __builtin_expect(count >= lanes, 1) ? *(const F *)source : loadSome(source, count);
}

CTORCH_INLINE void store(float *target, F value, int64_t count) {
    if (__builtin_expect(count >= lanes, 1)) *(F *)target = value;
    else storeSome(target, value, count);
}

/// Ones in the first `count` lanes.
CTORCH_INLINE F valid(int64_t count) {
    const I lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return select(lane < (I{} + static_cast<int32_t>(count < lanes ? count : lanes)), splat(1), splat(0));
}

CTORCH_INLINE F squareRoot(F v) {
#if defined(__clang__)
    return __builtin_elementwise_sqrt(v);
#else
    for (int64_t i = 0; i < lanes; ++i) v[i] = std::sqrt(v[i]);
    return v;
#endif
}

// Half upon half, always in this order.
CTORCH_INLINE float sum(F v) {
    v += CTORCH_SHUFFLED(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    v += CTORCH_SHUFFLED(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    v += CTORCH_SHUFFLED(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
    return v[0] + v[1];
}

CTORCH_INLINE F higher(F a, F b) { return select(a > b, a, b); }

CTORCH_INLINE float maximum(F v) {
    v = higher(v, CTORCH_SHUFFLED(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    v = higher(v, CTORCH_SHUFFLED(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
    v = higher(v, CTORCH_SHUFFLED(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3));
    return v[0] > v[1] ? v[0] : v[1];
}

// MARK: Random masks

/// 64 random bits for each of 8 counter values: Widynski, "Squares: A Fast Counter-Based RNG" (2020), squares64.
CTORCH_INLINE U randomWords(uint64_t counter, uint64_t key) {
    const L y = (L{0, 1, 2, 3, 4, 5, 6, 7} + counter) * key, z = y + key;
    L x = y;
    x = x * x + y;
    x = (x >> 32) | (x << 32);
    x = x * x + z;
    x = (x >> 32) | (x << 32);
    x = x * x + y;
    x = (x >> 32) | (x << 32);
    x = x * x + z;
    const L t = x;
    x = (x >> 32) | (x << 32);
    return (U)(t ^ ((x * x + y) >> 32));
}

/// What the 32 elements of a block are multiplied by.
CTORCH_INLINE void factors(const Mask &mask, int64_t block, F &low, F &high) {
    const U words = randomWords(
        mask.counter + static_cast<uint64_t>(block * Mask::countersPerBlock), mask.key);
    const U threshold = U{} + mask.threshold;
    low = select((I)((words & 0xffff) >= threshold), splat(mask.scale), splat(0));
    high = select((I)((words >> 16) >= threshold), splat(mask.scale), splat(0));
}

CTORCH_FUSED

/// e^x to about 2 units in the last place; 0 below -87, infinite above 88, x where it is no number. Cody and Waite's
/// reduction and the polynomial of Cephes' expf.
CTORCH_INLINE F exponential(const F &value) {
    const F lowest = splat(-87.0f);
    const I isLow = value < lowest;
    const F x = select(isLow, lowest, value);
    // Adding and taking away 1.5 * 2^23 rounds to a whole number.
    const F shifter = splat(12582912.0f);
    const F rounded = x * 1.44269504088896341f + shifter;
    const F n = rounded - shifter;
    const F r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    F p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const F e = p * (r * r) + r + 1.0f;
    const F power = (F)((I)e + ((I)rounded << 23));
    const F result = select(isLow, splat(0), select(value > splat(88), splat(INFINITY), power));
    return select(value == value, result, value);
}

CTORCH_UNFUSED

}  // namespace
}  // namespace ctorch
