// Attention, one head of one sequence at a time.

CTORCH_FUSED

namespace ctorch {
namespace {

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
        for (int64_t row = 0; row < rows; ++row, from += stride, to += padded) {
            *(F *)to = (load(from, n) + added) * scale;
        }
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
    const F low = CTORCH_SHUFFLED(a, b, CTORCH_LANES(lowLane));
    b = CTORCH_SHUFFLED(a, b, CTORCH_LANES(highLane));
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

    /// - memory: null to know the total alone.
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
            *parts[i] = memory ? memory + total : nullptr;
            total += sizes[i];
        }
    }

    int64_t total;
};

int64_t attentionScratch(const AttentionHead &head) {
    return Scratch(head, nullptr).total;
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

}  // namespace
}  // namespace ctorch
