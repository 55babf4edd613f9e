// The loops, compiled once for each instruction set, from vectors that the compiler cuts to that set's registers.
//
// No sum depends on a register's width: with the same products the results are the same bits whatever the set. Products
// and sums become one instruction where the set has it, in attention alone.

#pragma STDC FP_CONTRACT OFF
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wpsabi"

namespace ctorch {
namespace {

constexpr int64_t lanes = 16;
typedef float F __attribute__((vector_size(64), aligned(4)));
typedef int32_t I __attribute__((vector_size(64)));
typedef uint32_t U __attribute__((vector_size(64)));
typedef uint64_t L __attribute__((vector_size(64)));

#define CTORCH_INLINE static inline __attribute__((always_inline))

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

// Half upon half, always in this order.
CTORCH_INLINE float sum(F v) {
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3);
    return v[0] + v[1];
}

CTORCH_INLINE F higher(F a, F b) { return select(a > b, a, b); }

CTORCH_INLINE float maximum(F v) {
    v = higher(v, __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    v = higher(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
    v = higher(v, __builtin_shufflevector(v, v, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3));
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

void dropout(const Mask &mask, const float *source, float *target, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += Mask::blockSize) {
        F low, high;
        factors(mask, i / Mask::blockSize, low, high);
        store(target + i, load(source + i, end - i) * low, end - i);
        const int64_t j = i + lanes;
        if (j < end) store(target + j, load(source + j, end - j) * high, end - j);
    }
}

// MARK: Norms

/// The factors of the 16 elements from column `i` of a row on; `high` keeps those of the block's other half.
CTORCH_INLINE F rowFactors(const Mask &mask, int64_t row, int64_t width, int64_t i, F &high) {
    if (i % Mask::blockSize != 0) return high;
    F low;
    factors(mask, row * Mask::blocks(width) + i / Mask::blockSize, low, high);
    return low;
}

void norm(const NormRows &rows, int64_t begin, int64_t end) {
    const int64_t width = rows.width;
    const float reciprocalWidth = 1.0f / static_cast<float>(width);
    for (int64_t row = begin; row < end; ++row) {
        const float *x = rows.x + row * width;
        const float *residual = rows.residual ? rows.residual + row * width : nullptr;
        float *normalized = rows.normalized + (rows.keepsNormalized ? row * width : 0);
        F total = {}, high = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            F h = load(x + i, n);
            if (rows.bias) h += load(rows.bias + i, n);
            if (rows.mask.threshold > 0) h *= rowFactors(rows.mask, row, width, i, high);
            if (residual) h += load(residual + i, n);
            store(normalized + i, h, n);
            total += h;
        }
        const float mean = sum(total) * reciprocalWidth;
        F squares = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const F d = (load(normalized + i, width - i) - mean) * valid(width - i);
            squares += d * d;
        }
        const float variance = sum(squares) * reciprocalWidth;
        const float reciprocal = 1.0f / std::sqrt(variance + static_cast<float>(rows.epsilon));
        if (rows.keepsNormalized) rows.reciprocalDeviation[row] = reciprocal;
        float *y = rows.y + row * width;
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F unit = (load(normalized + i, n) - mean) * reciprocal;
            if (rows.keepsNormalized) store(normalized + i, unit, n);
            store(y + i, unit * load(rows.gain + i, n) + load(rows.shift + i, n), n);
        }
    }
}

void normBackward(const NormRowsBackward &rows, int64_t begin, int64_t end) {
    const int64_t width = rows.width;
    const float reciprocalWidth = 1.0f / static_cast<float>(width);
    for (int64_t row = begin; row < end; ++row) {
        const float *gradient = rows.gradient + row * width, *normalized = rows.normalized + row * width;
        F total = {}, product = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F g = load(gradient + i, n), unit = load(normalized + i, n);
            const F scaled = g * load(rows.gain + i, n);
            total += scaled;
            product += scaled * unit;
            store(rows.dgain + i, load(rows.dgain + i, n) + g * unit, n);
            store(rows.dshift + i, load(rows.dshift + i, n) + g, n);
        }
        const float mean = sum(total) * reciprocalWidth, slope = sum(product) * reciprocalWidth;
        const float reciprocal = rows.reciprocalDeviation[row];
        F high = {};
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F scaled = load(gradient + i, n) * load(rows.gain + i, n);
            const F dh = (scaled - mean - load(normalized + i, n) * slope) * reciprocal;
            store(rows.dh + row * width + i, dh, n);
            F dx = dh;
            if (rows.mask.threshold > 0) dx *= rowFactors(rows.mask, row, width, i, high);
            if (rows.dx) store(rows.dx + row * width + i, dx, n);
            if (rows.dbias) store(rows.dbias + i, load(rows.dbias + i, n) + dx, n);
        }
    }
}

// MARK: Optimisation

void adam(const AdamRun &run, int64_t count) {
    const float rest1 = 1 - run.beta1, rest2 = 1 - run.beta2;
    for (int64_t i = 0; i < count; i += lanes) {
        const int64_t n = count - i;
        const F g = load(run.gradient + i, n) * run.gradientScale;
        const F m = load(run.firstMoment + i, n) * run.beta1 + g * rest1;
        const F v = load(run.secondMoment + i, n) * run.beta2 + g * g * rest2;
        store(run.firstMoment + i, m, n);
        store(run.secondMoment + i, v, n);
        const F p = load(run.parameter + i, n) - m * run.rate / (__builtin_elementwise_sqrt(v) + run.epsilon);
        store(run.parameter + i, p * run.decay, n);
    }
}

// MARK: Activation

#pragma STDC FP_CONTRACT ON

/// e^x to about 2 units in the last place; 0 below -87, infinite above 88, x where it is no number. Cody and Waite's reduction and the polynomial of Cephes' expf.
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

/// Φ(z) and e^(-z²/2). Abramowitz and Stegun, 7.1.26, as in libtorch's own vectors: within 1.5e-7.
CTORCH_INLINE void normalDistribution(const F &z, F &cumulative, F &density) {
    const F x = z * 0.70710678118654752f;
    const F magnitude = (F)((I)x & 0x7fffffff);
    density = exponential(-(z * z) * 0.5f);
    const F t = 1.0f / (magnitude * 0.3275911f + 1.0f);
    F p = splat(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const F half = p * t * density * 0.5f;
    cumulative = select(x < splat(0), half, 1.0f - half);
}

void gelu(const float *x, const float *bias, float *y, int64_t width, int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i;
            const F z = load(x + row * width + i, n) + load(bias + i, n);
            F cumulative, density;
            normalDistribution(z, cumulative, density);
            store(y + row * width + i, z * cumulative, n);
        }
    }
}

void geluBackward(
    const float *x, const float *bias, const float *gradient, float *dx, float *dbias, int64_t width, int64_t begin,
    int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
        for (int64_t i = 0; i < width; i += lanes) {
            const int64_t n = width - i, at = row * width + i;
            const F z = load(x + at, n) + load(bias + i, n);
            F cumulative, density;
            normalDistribution(z, cumulative, density);
            const F d = load(gradient + at, n) * (cumulative + z * density * 0.39894228040143268f);
            store(dx + at, d, n);
            store(dbias + i, load(dbias + i, n) + d, n);
        }
    }
}

// MARK: Attention

struct Product {
    int64_t rows, columns, depth;
    /// Elements between two rows of each.
    const float *a;
    int64_t aRow;
    const float *b;
    int64_t bRow;
    float *c;
    int64_t cRow;
};

/// Some rows and columns of c = a b, or of c = aᵀ b.
template <int rows, int vectors, bool transposed>
CTORCH_INLINE void multiplyTile(const Product &p, int64_t row, int64_t column) {
    F sums[rows][vectors] = {};
    const float *a = transposed ? p.a + row : p.a + row * p.aRow, *b = p.b + column;
    for (int64_t k = 0; k < p.depth; ++k) {
        F line[vectors];
        for (int v = 0; v < vectors; ++v) line[v] = *(const F *)(b + v * lanes);
        for (int r = 0; r < rows; ++r) {
            const F factor = splat(transposed ? a[r] : a[r * p.aRow]);
            for (int v = 0; v < vectors; ++v) sums[r][v] = factor * line[v] + sums[r][v];
        }
        a += transposed ? p.aRow : 1;
        b += p.bRow;
    }
    float *c = p.c + row * p.cRow + column;
    for (int r = 0; r < rows; ++r) {
        for (int v = 0; v < vectors; ++v) *(F *)(c + r * p.cRow + v * lanes) = sums[r][v];
    }
}

template <int vectors, bool transposed>
CTORCH_INLINE void multiplyPanel(const Product &p, int64_t column) {
    int64_t row = 0;
    for (; row + CTORCH_TILE_ROWS <= p.rows; row += CTORCH_TILE_ROWS) {
        multiplyTile<CTORCH_TILE_ROWS, vectors, transposed>(p, row, column);
    }
    for (; row + 4 <= p.rows; row += 4) multiplyTile<4, vectors, transposed>(p, row, column);
    for (; row + 2 <= p.rows; row += 2) multiplyTile<2, vectors, transposed>(p, row, column);
    for (; row < p.rows; ++row) multiplyTile<1, vectors, transposed>(p, row, column);
}

/// The columns are a multiple of 16.
template <bool transposed>
void multiply(const Product &p) {
    int64_t column = 0;
    for (; column + CTORCH_TILE_VECTORS * lanes <= p.columns; column += CTORCH_TILE_VECTORS * lanes) {
        multiplyPanel<CTORCH_TILE_VECTORS, transposed>(p, column);
    }
    for (; column < p.columns; column += lanes) multiplyPanel<1, transposed>(p, column);
}

CTORCH_INLINE int64_t wholeVectors(int64_t count) { return (count + lanes - 1) / lanes * lanes; }

/// Rows `stride` apart, with a bias added and scaled, to rows of whole vectors; then rows of zeros up to `count`.
void pack(
    const float *source, int64_t rows, int64_t count, const AttentionHead &head, const float *bias, float scale,
    float *target) {
    const int64_t width = head.width, stride = head.stride, padded = wholeVectors(width);
    for (int64_t i = 0; i < width; i += lanes) {
        const int64_t n = width - i;
        const F added = bias ? load(bias + i, n) : F{};
        const float *from = source + i;
        float *to = target + i;
        for (int64_t row = 0; row < rows; ++row, from += stride, to += padded) *(F *)to = (load(from, n) + added) * scale;
    }
    for (int64_t i = rows * padded; i < count * padded; i += lanes) *(F *)(target + i) = F{};
}

constexpr int lowLane(int step, int lane) { return (lane & step) ? lanes + lane - step : lane; }
constexpr int highLane(int step, int lane) { return (lane & step) ? lanes + lane : lane + step; }

/// Exchanges what stands `step` off the diagonal of two rows of a square.
template <int s>
CTORCH_INLINE void exchange(F &a, F &b) {
#define CTORCH_LANES(f) \
    f(s, 0), f(s, 1), f(s, 2), f(s, 3), f(s, 4), f(s, 5), f(s, 6), f(s, 7), f(s, 8), f(s, 9), f(s, 10), f(s, 11), \
        f(s, 12), f(s, 13), f(s, 14), f(s, 15)
    const F low = __builtin_shufflevector(a, b, CTORCH_LANES(lowLane));
    b = __builtin_shufflevector(a, b, CTORCH_LANES(highLane));
    a = low;
#undef CTORCH_LANES
}

template <int step>
CTORCH_INLINE void exchangeAll(F *square) {
    for (int i = 0; i < lanes; ++i) {
        if (!(i & step)) exchange<step>(square[i], square[i + step]);
    }
}

/// [rows, width] -> [width, rows], both multiples of 16.
void transpose(const float *source, int64_t rows, int64_t width, float *target) {
    for (int64_t row = 0; row < rows; row += lanes) {
        for (int64_t i = 0; i < width; i += lanes) {
            F square[lanes];
            for (int k = 0; k < lanes; ++k) square[k] = *(const F *)(source + (row + k) * width + i);
            exchangeAll<1>(square);
            exchangeAll<2>(square);
            exchangeAll<4>(square);
            exchangeAll<8>(square);
            for (int k = 0; k < lanes; ++k) *(F *)(target + (i + k) * rows + row) = square[k];
        }
    }
}

/// A head's packed operands and its scores.
struct Scratch {
    int64_t width, keys;
    float *query, *key, *keyTransposed, *value, *valueTransposed, *penalty, *scores, *gradient, *dscores, *kept,
        *product;

    Scratch(const AttentionHead &head, float *memory) {
        width = wholeVectors(head.width);
        keys = wholeVectors(head.keys);
        float **parts[] = {&query, &key, &keyTransposed, &value, &valueTransposed, &penalty, &scores, &gradient,
                           &dscores, &kept, &product};
        const int64_t longer = head.queries > keys ? head.queries : keys;
        const int64_t sizes[] = {head.queries * width, keys * width, keys * width, keys * width, keys * width, keys,
                                 head.queries * keys, head.queries * width, head.queries * keys, head.queries * keys,
                                 longer * width};
        total = 0;
        for (int i = 0; i < 11; ++i) {
            *parts[i] = memory + total;
            total += sizes[i];
        }
    }

    int64_t total;
};

int64_t attentionScratch(const AttentionHead &head) {
    static float none;
    return Scratch(head, &none).total;
}

/// Q (scaled), K and V in whole vectors, and what every row of scores gets.
void packOperands(const AttentionHead &head, const Scratch &s) {
    pack(head.query, head.queries, head.queries, head, head.queryBias, head.scale, s.query);
    pack(head.key, head.keys, s.keys, head, head.keyBias, 1, s.key);
    pack(head.value, head.keys, s.keys, head, head.valueBias, 1, s.value);
    transpose(s.key, s.keys, s.width, s.keyTransposed);
    for (int64_t j = 0; j < s.keys; ++j) {
        s.penalty[j] = j >= head.keys ? -INFINITY : head.keyPenalty ? head.keyPenalty[j] : 0;
    }
}

/// The columns that a query's block stands in.
CTORCH_INLINE int64_t blockStart(const AttentionHead &head, int64_t row) {
    return row / head.blockHeight * head.blockWidth;
}

/// How many of a block's 16 columns from `i` on are left in a row of scores.
CTORCH_INLINE int64_t columnsLeft(const Scratch &s, int64_t start, int64_t i) { return s.keys - start - i; }

/// Scores of `count` rows from `first` on, with all that is added to them.
void score(const AttentionHead &head, const Scratch &s, int64_t first, int64_t count, float *scores) {
    multiply<false>(
        {count, s.keys, s.width, s.query + first * s.width, s.width, s.keyTransposed, s.keys, scores, s.keys});
    for (int64_t row = 0; row < count; ++row) {
        float *line = scores + row * s.keys;
        if (head.blocks) {
            const int64_t start = blockStart(head, first + row);
            const float *block = head.blocks + (first + row) * head.blockStride;
            for (int64_t j = 0; j < head.blockWidth && start + j < s.keys; j += lanes) {
                const int64_t n = columnsLeft(s, start, j);
                store(line + start + j, load(line + start + j, n) + *(const F *)(block + j), n);
            }
        }
        for (int64_t j = 0; j < s.keys; j += lanes) *(F *)(line + j) += *(const F *)(s.penalty + j);
    }
}

/// The factors of a row's weights from column j on, j a multiple of 32.
CTORCH_INLINE void weightFactors(
    const AttentionHead &head, int64_t row, int64_t j, F &low, F &high) {
    factors(head.mask, row * Mask::blocks(head.keys) + j / Mask::blockSize, low, high);
}

CTORCH_INLINE void applyMask(const AttentionHead &head, int64_t row, int64_t keys, float *line) {
    if (head.mask.threshold == 0) return;
    for (int64_t j = 0; j < keys; j += Mask::blockSize) {
        F low, high;
        weightFactors(head, row, j, low, high);
        *(F *)(line + j) *= low;
        if (j + lanes < keys) *(F *)(line + j + lanes) *= high;
    }
}

/// Writes the rows of `s.product` out, scaled, and their sum unless `sums` is null.
void unpack(const AttentionHead &head, const Scratch &s, int64_t rows, float scale, float *target, float *sums) {
    const int64_t width = head.width, stride = head.stride, padded = s.width;
    for (int64_t i = 0; i < width; i += lanes) {
        const float *from = s.product + i;
        float *to = target + i;
        F total = {};
        for (int64_t row = 0; row < rows; ++row, from += padded, to += stride) {
            const F v = *(const F *)from * scale;
            total += v;
            store(to, v, width - i);
        }
        if (sums) store(sums + i, total, width - i);
    }
}

void attention(const AttentionHead &head, float *memory) {
    const Scratch s(head, memory);
    packOperands(head, s);
    constexpr int64_t rowsAtOnce = 8;
    for (int64_t first = 0; first < head.queries; first += rowsAtOnce) {
        const int64_t count = head.queries - first < rowsAtOnce ? head.queries - first : rowsAtOnce;
        score(head, s, first, count, s.scores);
        for (int64_t row = 0; row < count; ++row) {
            float *line = s.scores + row * s.keys;
            F highest = *(const F *)line;
            for (int64_t j = lanes; j < s.keys; j += lanes) {
                highest = higher(*(const F *)(line + j), highest);
            }
            const float top = maximum(highest);
            F total = {};
            for (int64_t j = 0; j < s.keys; j += lanes) {
                const F e = exponential(*(const F *)(line + j) - top);
                *(F *)(line + j) = e;
                total += e;
            }
            const float all = sum(total), reciprocal = 1.0f / all;
            for (int64_t j = 0; j < s.keys; j += lanes) *(F *)(line + j) *= reciprocal;
            if (head.logSum) head.logSum[(first + row) * head.logSumStride] = top + std::log(all);
            applyMask(head, first + row, s.keys, line);
        }
        multiply<false>({count, s.width, head.keys, s.scores, s.keys, s.value, s.width, s.product, s.width});
        unpack(head, s, count, 1, head.output + first * head.stride, nullptr);
    }
}

/// With P = softmax(S), P' = mask(P), O = P' V: dV = P'ᵀ dO, dP = mask(dO Vᵀ), dS = P (dP - Σ P dP), dQ = dS K,
/// dK = dSᵀ Q. The weights are computed anew from the scores and their sums.
void attentionBackward(const AttentionHeadBackward &back, float *memory) {
    const AttentionHead &head = back.forward;
    const Scratch s(head, memory);
    packOperands(head, s);
    transpose(s.value, s.keys, s.width, s.valueTransposed);
    pack(back.gradient, head.queries, head.queries, head, nullptr, 1, s.gradient);
    score(head, s, 0, head.queries, s.scores);
    multiply<false>(
        {head.queries, s.keys, s.width, s.gradient, s.width, s.valueTransposed, s.keys, s.dscores, s.keys});
    for (int64_t row = 0; row < head.queries; ++row) {
        float *weights = s.scores + row * s.keys, *gradients = s.dscores + row * s.keys;
        float *kept = s.kept + row * s.keys;
        const float logSum = head.logSum[row * head.logSumStride];
        F total = {};
        for (int64_t j = 0; j < s.keys; j += Mask::blockSize) {
            F keep[2] = {splat(1), splat(1)};
            if (head.mask.threshold > 0) weightFactors(head, row, j, keep[0], keep[1]);
            for (int64_t half = 0; half < 2 && j + half * lanes < s.keys; ++half) {
                const int64_t i = j + half * lanes;
                const F p = exponential(*(const F *)(weights + i) - logSum);
                const F dp = *(const F *)(gradients + i) * keep[half];
                total += p * dp;
                *(F *)(gradients + i) = dp;
                *(F *)(weights + i) = p;
                *(F *)(kept + i) = p * keep[half];
            }
        }
        const float mean = sum(total);
        for (int64_t j = 0; j < s.keys; j += lanes) {
            *(F *)(gradients + j) = *(const F *)(weights + j) * (*(const F *)(gradients + j) - mean);
        }
        if (back.dblocks) {
            const int64_t start = blockStart(head, row);
            float *block = back.dblocks + row * head.blockStride;
            for (int64_t j = 0; j < head.blockWidth && start + j < s.keys; j += lanes) {
                *(F *)(block + j) += load(gradients + start + j, columnsLeft(s, start, j));
            }
        }
    }
    multiply<false>({head.queries, s.width, head.keys, s.dscores, s.keys, s.key, s.width, s.product, s.width});
    unpack(head, s, head.queries, head.scale, back.dquery, back.dqueryBias);
    multiply<true>({head.keys, s.width, head.queries, s.dscores, s.keys, s.query, s.width, s.product, s.width});
    unpack(head, s, head.keys, 1, back.dkey, back.dkeyBias);
    multiply<true>({head.keys, s.width, head.queries, s.kept, s.keys, s.gradient, s.width, s.product, s.width});
    unpack(head, s, head.keys, 1, back.dvalue, back.dvalueBias);
}

#undef CTORCH_INLINE

}  // namespace

const Kernels CTORCH_KERNELS = {
    CTORCH_KERNELS_NAME, dropout, norm, normBackward, gelu, geluBackward, adam, attentionScratch, attention,
    attentionBackward,
};

}  // namespace ctorch

#pragma clang diagnostic pop
